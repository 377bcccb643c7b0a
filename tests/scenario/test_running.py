"""Running a scenario: its own world, its own limits, and a result for everything but wrong input."""

import asyncio
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.domain.events import Event, Kind
from coordinator.domain.result import Status
from coordinator.scenario import Scenario, Tally, run_scenario

WORLD = "world: {shelf: data/shelf}\n"

Opened = Callable[..., Scenario]
Write = Callable[[str], Path]


async def test_scenario_runs_by_its_path(write: Write) -> None:
    result = await run_scenario(write(f"task: Take a note.\n{WORLD}"), tenant="acme")
    assert result.status is Status.COMPLETED
    assert result.text == "acme hears: the first note [1]"
    assert [(one.source, one.line) for one in result.citations] == [("notes/alpha", 1)]
    assert result.tenant == "acme"


async def test_everything_can_be_replaced_from_python(write: Write) -> None:
    path = write("task: hi\ntenant: a\ninputs: {shelf: data/shelf}\nworld: {shelf: '${shelf}'}\n")
    seen: list[Event] = []
    result = await run_scenario(
        str(path), task="doubt", tenant="b", inputs={"shelf": "data/other"}, observers=[seen.append]
    )
    assert (result.status, result.text) == (Status.FLAGGED, "b hears: another note [1]")
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))


async def test_scripted_model_plays_the_script_from_the_start_in_every_run(opened: Opened) -> None:
    scenario = opened(f"task: ask\nmodel: scripted\nscript: [{{text: 'I say '}}]\n{WORLD}")
    for _ in range(2):
        result = await scenario.run()
        assert result.text == "default hears: I say the first note [1]"
        assert result.model.startswith("scripted:")
        assert result.cost_usd > 0


async def test_script_may_stand_in_a_file_of_its_own(home: Path, opened: Opened) -> None:
    (home / "replies.yaml").write_text("- text: 'from the file '\n")
    result = await opened(f"task: ask\nmodel: scripted\nscript: replies.yaml\n{WORLD}").run()
    assert "from the file" in result.text


async def test_faults_are_counted_anew_in_every_run(opened: Opened) -> None:
    scenario = opened(f"task: hi\nfaults: [{{tool: take_note, fail: denied, times: 1}}]\n{WORLD}")
    for _ in range(2):
        result = await scenario.run()
        assert result.status is Status.FLAGGED
        assert result.citations[0].line == 3
        assert [issue.code for issue in result.issues] == ["tool_degraded"]


async def test_breakers_of_one_run_do_not_trouble_the_next(opened: Opened) -> None:
    broken = "faults: [{tool: take_note, fail: error}, {tool: take_note, tier: 1, fail: error}]\n"
    scenario = opened(f"task: hi\nsettings: {{breaker: {{failures: 1}}}}\n{broken}{WORLD}")
    for _ in range(2):
        tally = Tally()
        assert (await scenario.run([tally])).status is Status.ESCALATED
        assert tally.events[Kind.BREAKER] == 2


async def test_tool_that_needs_a_person_is_refused(opened: Opened) -> None:
    tally = Tally()
    result = await opened(f"task: pay\ndecisions: [{{tool: pay, approve: true}}]\n{WORLD}").run([tally])
    assert result.status is Status.ESCALATED
    assert tally.tools == {"pay": 1}


async def test_ceiling_of_the_scenario_holds(opened: Opened) -> None:
    ceiling = "settings: {run_usd: 0.000001}\n"
    result = await opened(f"task: ask\nmodel: scripted\nscript: [{{text: x}}]\n{ceiling}{WORLD}").run()
    assert result.status is Status.REFUSED
    assert result.cost_usd == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("model: nowhere:x\n", r"one\.yaml:2: there is no model 'nowhere:x'"),
        ("world: {shelves: data/shelf}\n", r"one\.yaml:2: the world has no 'shelf'"),
    ],
)
async def test_what_only_the_team_can_find_wrong_is_told_with_its_line(more: str, message: str, opened: Opened) -> None:
    with pytest.raises(Invalid, match=message):
        await opened(f"task: hi\n{more}" + (WORLD if "world" not in more else "")).run()


async def test_world_that_the_team_cannot_use_is_invalid(opened: Opened) -> None:
    with pytest.raises(Invalid) as caught:
        await opened("task: hi\nworld:\n  other: data\n  shelf: data/shelf/alpha.txt\n").run()
    assert caught.value.code == "broken_shelf"
    assert caught.value.message == "one.yaml:4: data/shelf/alpha.txt is no shelf"


async def test_cancelled_scenario_leaves_no_task_behind(opened: Opened) -> None:
    scenario = opened(f"task: wait\n{WORLD}")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await scenario.run()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_model_of_the_scenario_is_that_of_every_agent_whatever_it_names(home: Path, opened: Opened) -> None:
    crew = (home / "crew.py").read_text()
    scripted = f"task: ask\nmodel: scripted\nscript: [{{text: 'I say '}}]\n{WORLD}"
    for name in ("medium", "openai:gpt"):
        (home / "crew.py").write_text(crew.replace("delegates=[clerk]", f"delegates=[clerk], model={name!r}"))
        sys.modules.pop("crew", None)
        importlib.invalidate_caches()
        result = await opened(scripted).run()
        assert (result.status, result.model) == (Status.COMPLETED, "scripted:scripted")
        result = await opened(f"task: ask\n{WORLD}", model="offline").run()
        assert result.model == "offline:offline"
        with pytest.raises(Invalid) as caught:
            await opened(f"task: ask\n{WORLD}").run()
        assert caught.value.message.startswith(f"agent boss uses {name!r}, which is neither")


@pytest.mark.parametrize("name", ["nope", "offline:foo"])
async def test_model_that_does_not_exist_is_told_where_it_stands(
    name: str, home: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(text: str = "", **overrides: str) -> str:
        with pytest.raises(Invalid) as caught:
            await opened(f"task: hi\n{WORLD}{text}", **overrides).run()
        assert f"there is no model {name!r}" in caught.value.message
        assert caught.value.code == "unknown_model"
        return caught.value.message.partition(": there is no")[0]

    assert await told(f"model: {name}\n") == "one.yaml:3"
    assert await told(f"settings:\n  models:\n    large: {name}\n") == "one.yaml:5"
    assert await told(model=name) == "--model"
    assert await told("model: offline\n", model=name) == "--model"
    toml = home / "coordinator.toml"
    toml.write_text(toml.read_text() + f'\n[models]\nsmall = "{name}"\n')
    assert await told() == str(toml)
    monkeypatch.setenv("COORDINATOR_MODELS", f'{{"small": "{name}"}}')
    assert await told() == "COORDINATOR_MODELS"


async def test_model_class_that_looks_misspelt_is_told_with_its_file(home: Path, opened: Opened) -> None:
    toml = home / "coordinator.toml"
    toml.write_text(toml.read_text() + '\n[models]\nsmal = "offline"\n')
    with pytest.raises(Invalid, match=f"^{toml}: no agent of the team uses the model class 'smal'") as caught:
        await opened(f"task: hi\n{WORLD}").run()
    assert caught.value.hint == "did you mean small?"


async def test_resources_that_break_are_told_with_the_line_of_the_team(home: Path, opened: Opened) -> None:
    crew = home / "crew.py"
    crew.write_text(crew.read_text().replace("    yield shelf\n", "    raise ValueError('no')\n    yield\n"))
    line = crew.read_text().partition("raise ValueError")[0].count("\n") + 1
    with pytest.raises(Invalid, match=rf"^{crew}:{line}: ValueError: no\. repair it"):
        await opened(f"task: hi\n{WORLD}").run()


async def test_part_of_the_world_is_recognised_however_the_team_writes_its_path(home: Path, opened: Opened) -> None:
    crew = home / "crew.py"
    crew.write_text(crew.read_text().replace('f"{shelf} is no shelf"', 'f"{shelf.resolve()} is no shelf"'))
    with pytest.raises(Invalid) as caught:
        await opened("task: hi\nworld:\n  shelf: data/../crew.py\n").run()
    assert caught.value.message == f"one.yaml:3: {crew} is no shelf"
