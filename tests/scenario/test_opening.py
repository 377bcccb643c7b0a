"""Opening a scenario: everything that it names is checked, and every mistake has a line and a hint."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.scenario import Scenario, open_scenario

WORLD = "world: {shelf: data/shelf}\n"
FINE = f"team: crew:team\ntask: Take a note.\n{WORLD}"

Fails = Callable[..., Invalid]
Opened = Callable[..., Scenario]


@pytest.mark.parametrize(
    ("more", "line", "said", "hint"),
    [
        ("taks: x", 4, "unknown key 'taks'", "did you mean task?"),
        ("zzz: x", 4, "unknown key 'zzz'", "known: "),
        ("expect:\n  mention: [a]", 5, "unknown key 'mention' in expect", "did you mean mentions?"),
        ("tenant: 7", 4, "tenant should be text, not 7", 'put it in quotes: "7"'),
        ("tenant:", 4, "tenant is empty", "give it a value"),
        ("expect:\n  mentions:\n    - a\n    - 1042", 7, "expect.mentions[1] should be text, not 1042", '"1042"'),
        ("expect: {mentions: 1042}", 4, "expect.mentions", "coordinator schema"),
        ("expect: {status: complete}", 4, "expect.status cannot be 'complete'", "did you mean completed?"),
        ("expect: {tools: {take_note: many}}", 4, "should be a number of calls", ""),
        ("expect: {tools: {take_note: -1}}", 4, "should be a number of calls", ""),
        ("expect: {tools: {take_note: true}}", 4, "should be a number of calls", ""),
        ("expect:\n  tools:\n    take_notes: 1", 6, "no tool named 'take_notes'", "did you mean take_note?"),
        ("expect: {delegations: {clark: 1}}", 4, "no member named 'clark'", "did you mean clerk?"),
        ("expect: {events: {breakr: 1}}", 4, "cannot be 'breakr'", "did you mean breaker?"),
        ("expect: {max_cost_usd: .nan}", 4, "expect.max_cost_usd", ""),
        ("faults:\n- {tool: take_not, fail: error}", 5, "no tool named 'take_not'", "did you mean take_note?"),
        ("faults:\n- tool: take_note\n  fail: explode", 6, "faults[0].fail cannot be 'explode'", "known: "),
        ("faults:\n- tool: take_note", 5, "faults[0].fail is missing", "add `fail: …`"),
        ("faults:\n- tool: take_note\n  tier: 2\n  fail: error", 6, "no tier 2", "its tiers are 0 to 1"),
        ("faults:\n- tool: pay\n  tier: 1\n  fail: error", 6, "no tier 1", "its only tier is 0"),
        ("faults: {tool: pay}", 4, "faults: should be a list", ""),
        ("decisions:\n- {tool: payy, approve: true}", 5, "no tool named 'payy'", "did you mean pay?"),
        ("decisions:\n- {tool: pay}", 5, "decisions[0].approve is missing", ""),
        ("kind: big", 4, "no task type named 'big'", "known: small"),
        ("settings:\n  run_usdd: 1", 5, "unknown key 'run_usdd' in settings", "did you mean run_usd?"),
        ("settings:\n  run_usd: lots", 5, "settings.run_usd: should be a valid number", ""),
        ("settings:\n  deadline_s: 5\n  run_usd: -1", 6, "settings.run_usd", "coordinator schema"),
        ("settings:\n  breaker:\n    failure: 1", 6, "unknown key 'failure' in settings.breaker", "mean failures?"),
        ("settings: [1]", 4, "settings: should be a mapping", ""),
        ("session: ${who}", 4, "${who} is not an input", "declare it"),
        ("inputs: {whom: x}\nsession: ${who}", 5, "${who} is not an input", "did you mean whom?"),
        ("inputs: [x]", 4, "inputs: should be a mapping", ""),
        ("inputs: {n: 7}", 4, "inputs.n should be text, not 7", '"7"'),
        ("model: scripted", 4, "the scripted model has no script", "add `script:`"),
        ("script: []", 4, "only the scripted model plays a script", "model: scripted"),
        ("model: scripted\nscript:\n- {txt: a}", 6, "unknown key 'txt' in script[0]", "did you mean text?"),
        ("model: scripted\nscript: replies.yaml", 5, "no file replies.yaml", ""),
        ("model: scripted\nscript: 3", 5, "script: should be a list", ""),
    ],
)
def test_mistake_is_told_with_its_line_and_a_way_out(more: str, line: int, said: str, hint: str, fails: Fails) -> None:
    error = fails(FINE + more + "\n")
    assert error.message.startswith(f"one.yaml:{line}: "), error.message
    assert said in error.message
    assert hint in error.hint
    assert error.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"task: hi\nteam: nowhere:team\n{WORLD}", "one.yaml:2: team module nowhere does not exist"),
        (f"task: hi\nteam: crew:teem\n{WORLD}", "one.yaml:2: module crew has no 'teem'"),
        (f"task: hi\nteam: crew\n{WORLD}", "one.yaml:2: 'crew' does not name a team"),
        (f"task: hi\nteam: crew:clerk\n{WORLD}", "one.yaml:2: crew:clerk is of type Agent"),
        (f"team: crew:team\n{WORLD}", "one.yaml:1: task is missing"),
        (f"task: ''\n{WORLD}", "one.yaml:1: task"),
        ("task: hi\nworld:\n  shelf: data/nothing\n", "one.yaml:3: shelf cannot be read: data/nothing: No such file"),
        ("task: hi\nworld: {shelf: 'data/\\0'}\n", "one.yaml:2: shelf cannot be read"),
    ],
)
def test_what_the_workspace_lacks_is_told_with_its_line(text: str, said: str, fails: Fails) -> None:
    assert said in fails(text).message


def test_the_first_mistake_in_the_file_is_told(fails: Fails) -> None:
    assert "one.yaml:1: unknown key 'nam'" in fails("nam: x\ntask: 3\nuser: 4\n").message


def test_team_is_that_of_the_workspace_by_default(opened: Opened) -> None:
    assert opened(f"task: hi\n{WORLD}").team.manager.name == "boss"


def test_scenario_without_any_team_is_told_so(home: Path, fails: Fails) -> None:
    (home / "coordinator.toml").write_text("")
    error = fails(f"task: hi\n{WORLD}")
    assert "one.yaml:1: no team is named" in error.message
    assert "coordinator.toml" in error.hint


def test_setting_that_is_wrong_elsewhere_is_not_blamed_on_the_scenario(home: Path, fails: Fails) -> None:
    (home / "coordinator.toml").write_text('team = "crew:team"\nrun_usd = "lots"\n')
    error = fails(FINE + "settings: {deadline_s: 5}\n")
    assert "one.yaml" not in error.message
    assert "coordinator.toml" in error.hint


def test_team_that_raises_is_told_with_its_own_line(home: Path, fails: Fails) -> None:
    (home / "crew.py").write_text("x = 1\nraise ValueError('no')\n")
    assert f"{home / 'crew.py'}:2: ValueError: no" in fails(FINE).message


def test_script_file_is_checked_as_the_scenario_is(home: Path, fails: Fails) -> None:
    (home / "replies.yaml").write_text("- text: a\n- tekst: b\n")
    error = fails(FINE + "model: scripted\nscript: replies.yaml\n")
    assert error.message == "replies.yaml:2: unknown key 'tekst' in [1]"
    assert error.hint == "did you mean text?"


@pytest.mark.parametrize("name", ["task", "tenant", "model"])
@pytest.mark.parametrize("given", ["", "  ", "\udcff"])
def test_override_that_says_nothing_is_refused(name: str, given: str, fails: Fails) -> None:
    error = fails(FINE, **{name: given})
    assert error.message.startswith(f"the given {name} is ")


def test_model_of_the_scenario_replaces_every_model_class(opened: Opened) -> None:
    settings = "settings: {models: {small: offline, huge: openai:x}}\n"
    assert opened(FINE + settings).settings.models == {"small": "offline", "large": "offline", "huge": "openai:x"}
    scenario = opened(FINE + settings + "model: scripted\nscript: []\n")
    assert scenario.settings.models == dict.fromkeys(["small", "large", "huge"], "scripted")
    scenario = opened(FINE + settings, model="offline")
    assert scenario.settings.models == dict.fromkeys(["small", "large", "huge"], "offline")


def test_settings_of_the_scenario_win(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_RUN_USD", "0.3")
    assert opened(FINE).settings.run_usd == 0.3
    assert opened(FINE + "settings: {run_usd: 0.1}\n").settings.run_usd == 0.1


def test_world_of_the_scenario_wins_over_that_of_the_workspace(home: Path, opened: Opened) -> None:
    (home / "coordinator.toml").write_text('team = "crew:team"\nworld = {shelf = "data/other", more = "data"}\n')
    assert opened("task: hi\n").world == {"shelf": home / "data/other", "more": home / "data"}
    assert opened(FINE).world == {"shelf": Path("data/shelf"), "more": home / "data"}


def test_name_is_that_of_the_file_by_default(opened: Opened) -> None:
    assert opened(FINE).name == "one"
    assert opened(FINE + "name: two\n").name == "two"


def test_scenario_outside_of_any_workspace_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.yaml").write_text(FINE)
    with pytest.raises(Invalid, match=r"no coordinator\.toml"):
        open_scenario(Path("one.yaml"))


@pytest.mark.parametrize(("names", "wrong"), [("self: data/shelf", 2), ("shelf: data/shelf, self: data/other", 0)])
def test_misspelt_name_of_the_world_never_leaves_that_of_the_settings_in_its_place(
    names: str, wrong: int, home: Path, opened: Opened, fails: Fails
) -> None:
    with (home / "coordinator.toml").open("a") as file:
        file.write('\n[world]\nshelf = "data/other"\n')
    text = f"task: hi\nworld: {{{names}}}\n"
    if not wrong:
        assert set(opened(text).world) == {"shelf", "self"}
        return
    error = fails(text)
    assert error.message.startswith("one.yaml:2: unknown name 'self' in world"), error.message
    assert error.hint == "did you mean shelf? if both are meant, give both"
