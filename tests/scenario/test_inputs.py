"""Inputs: declared values that a user may replace, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.scenario import Overrides, Scenario, open_scenario

TEXT = """\
task: "Who is ${who}?"
tenant: ${who}
inputs: {who: alpha, shelf: data/shelf, part: shelf}
world: {shelf: "${shelf}"}
expect: {mentions: ["${who}", "$${who}"], tools: {}}
"""

Opened = Callable[..., Scenario]
Fails = Callable[..., Invalid]


def test_input_stands_for_its_value_wherever_text_may_stand(opened: Opened) -> None:
    file = opened(TEXT).file
    assert (file.task, file.tenant) == ("Who is alpha?", "alpha")
    assert file.expect is not None
    assert file.expect.mentions == ["alpha", "${who}"]


def test_given_value_replaces_the_declared_one_everywhere(opened: Opened) -> None:
    file = opened(TEXT, inputs={"who": "beta"}).file
    assert (file.task, file.tenant) == ("Who is beta?", "beta")


def test_value_is_used_literally(opened: Opened) -> None:
    assert opened(TEXT, inputs={"who": "${shelf} \\1"}).file.task == "Who is ${shelf} \\1?"


def test_given_task_is_used_literally(opened: Opened) -> None:
    assert opened(TEXT, task="Is ${who} ${x}?").file.task == "Is ${who} ${x}?"


def test_only_declared_inputs_can_be_replaced(fails: Fails) -> None:
    error = fails(TEXT, inputs={"hwo": "x"})
    assert error.message == "one.yaml:3: there is no input named 'hwo'"
    assert error.hint == "did you mean who?"
    assert "no input named 'task'" in fails(TEXT, inputs={"task": "x"}).message


def test_scenario_without_inputs_says_so(fails: Fails) -> None:
    assert fails("task: hi\n", inputs={"docs": "x"}).hint == "there are none"


def test_paths_of_the_file_are_relative_to_it_and_given_ones_to_the_current_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "one.yaml").write_text(TEXT)
    away = home.parent / "away"
    (away / "notes").mkdir(parents=True)
    monkeypatch.chdir(away)
    own = open_scenario(home / "one.yaml")
    assert own.world["shelf"] == home / "data/shelf"
    given = open_scenario(home / "one.yaml", Overrides(inputs={"shelf": "notes"}))
    assert given.world["shelf"].resolve() == away / "notes"


def test_input_inside_of_a_path_leaves_it_relative_to_the_file(home: Path, opened: Opened) -> None:
    text = TEXT.replace('"${shelf}"', '"data/${part}"')
    assert opened(text, inputs={"part": "other"}).world["shelf"] == Path("data/other")


def test_path_may_begin_at_the_users_home(opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert opened(TEXT, inputs={"shelf": "~/data/other"}).world["shelf"] == home / "data/other"


def test_missing_folder_that_was_given_names_the_option(fails: Fails) -> None:
    error = fails(TEXT, inputs={"shelf": "nowhere"})
    assert error.message == "one.yaml:4: shelf cannot be read: nowhere: No such file or directory"
    assert "--set shelf=PATH" in error.hint


@pytest.mark.parametrize(
    ("declared", "path", "given", "name"),
    [
        ("data/shelf", "${shelf}", {"shelf": ""}, "shelf"),
        ("data/shelf", "${shelf}", {"shelf": " "}, "shelf"),
        ("''", "${shelf}", {}, "shelf"),
    ],
)
def test_empty_path_never_means_the_current_folder(
    declared: str, path: str, given: dict[str, str], name: str, fails: Fails
) -> None:
    error = fails(f"task: hi\ninputs: {{shelf: {declared}}}\nworld: {{shelf: '{path}'}}\n", inputs=given)
    assert (error.code, error.message) == (
        "usage", "one.yaml:3: world.shelf is an empty path, since the input 'shelf' is empty"
    )  # fmt: skip
    assert f"--set {name}=PATH" in error.hint


def test_given_input_may_be_a_path(opened: Opened) -> None:
    assert opened(TEXT, inputs={"shelf": Path("data/other")}).world["shelf"] == Path("data/other")


@pytest.mark.parametrize(("given", "shown"), [(5, "5"), (None, "None"), (["x"], "['x']")])
def test_given_input_that_is_no_text_is_told_in_one_line(given: object, shown: str, fails: Fails) -> None:
    error = fails(TEXT, inputs={"shelf": given})
    assert (error.code, error.message) == ("usage", f"the input 'shelf' should be text or a path, not {shown}")


@pytest.mark.parametrize("name", ["task", "tenant", "model"])
@pytest.mark.parametrize("given", ["", " ", 5])
def test_what_replaces_the_file_is_told_in_words_of_python_and_shell_alike(
    name: str, given: object, fails: Fails
) -> None:
    error = fails(TEXT, **{name: given})
    assert (error.code, error.message) == ("usage", f"the given {name} is {'empty' if given != 5 else 'no text: 5'}")
    assert error.hint == f"leave it out to keep the scenario's own {name}"
