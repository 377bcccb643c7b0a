"""`coordinator test`: judge scenarios against what they expect."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from coordinator.app.own_loop import OwnLoop
from coordinator.cli.exits import FLAGGED, INVALID, OK
from coordinator.cli.figures import duration, money, printable
from coordinator.cli.run import tell_decisions
from coordinator.cli.screen import screen
from coordinator.domain.errors import Invalid
from coordinator.domain.money import micros
from coordinator.domain.value import value
from coordinator.scenario import Scenario, Tally, judge, open_scenario
from coordinator.workspace import find_workspace

FOLDER = "scenarios"


@value
class Judged:
    """One scenario and what came of it; *wrong* is empty when everything came out as expected."""

    name: str
    wrong: Sequence[str]
    seconds: float = 0.0
    cost_usd: float = 0.0
    broken: bool = False
    """The scenario could not even begin."""


def judge_scenarios(
    scenarios: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SCENARIO]...", help="Scenario files or folders of them; by default the workspace's scenarios/.",
            show_default=False,
        ),
    ] = None,
) -> int:  # fmt: skip
    """Judge scenarios against what they expect; without arguments all of the workspace that expect something.

    Exit codes: 0 all came out as expected, 1 one did not, 2 wrong usage or invalid input.
    """
    console = screen()
    with redirect_stdout(sys.stderr):  # a team's code may print
        opened = _open(scenarios)
        for scenario in opened:
            tell_decisions(scenario)
        width = max(len(scenario.name) for scenario in opened)
    judged = []
    for scenario in opened:
        with redirect_stdout(sys.stderr), OwnLoop() as loop:
            one = loop.run(_judge(scenario))
        judged.append(one)
        _tell(console, one, width)
    failed = sum(1 for one in judged if one.wrong)
    print(f"{len(judged) - failed} passed, {failed} failed")
    if any(one.broken for one in judged):
        return INVALID
    return FLAGGED if failed else OK


def _open(given: list[Path] | None) -> list[Scenario]:
    """Open every scenario before the first one runs, so that a mistake in one is told at once."""
    places = given or [find_workspace().root / FOLDER]
    paths = [file for place in places for file in _files(place)]
    opened = [open_scenario(path) for path in paths]
    for scenario in opened:
        if scenario.file.expect is None and given and scenario.document.path in given:
            raise scenario.document.wrong((), "this scenario expects nothing", hint="add `expect:`, or use `run`")
    judged = [scenario for scenario in opened if scenario.file.expect is not None]
    if not judged:
        where = ", ".join(map(str, places))
        raise Invalid(f"no scenario in {where} expects anything", code="no_scenarios", hint="add `expect:` to one")
    return judged


def _files(path: Path) -> list[Path]:
    if path.is_file() or (not path.exists() and path.name != FOLDER):
        return [path]
    found = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if not found:
        raise Invalid(f"there are no scenarios in {path}", code="no_scenarios", hint="name files or a folder of them")
    return [_shortest(file) for file in found]


def _shortest(path: Path) -> Path:
    """Return *path* as a person who stands in the current folder would write it."""
    here = Path.cwd()
    return path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path


async def _judge(scenario: Scenario) -> Judged:
    tally = Tally()
    try:
        result = await scenario.run([tally])
    except Invalid as error:
        return Judged(scenario.name, [str(error)], broken=True)
    expect = scenario.file.expect
    wrong = judge(expect, result, tally) if expect else []
    return Judged(scenario.name, wrong, result.duration_s, result.cost_usd)


def _tell(console: Console, judged: Judged, width: int) -> None:
    verdict = Text("FAIL", "bold red") if judged.wrong else Text("PASS", "green")
    figures = Text(f"  {duration(judged.seconds):>8}  {money(micros(judged.cost_usd))}", "dim")
    console.print(verdict + Text(f"  {judged.name:<{width}}") + figures, soft_wrap=True, highlight=False)
    for line in judged.wrong:
        console.print(Text(f"      {printable(line)}"), soft_wrap=True, highlight=False)
