"""`coordinator run`: run one scenario and show it."""

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from coordinator.app.own_loop import OwnLoop
from coordinator.cli.display import watch
from coordinator.cli.exits import OF_STATUS
from coordinator.cli.recording import STDERR, keys_of, recording, run_file
from coordinator.cli.report import as_json, tell
from coordinator.cli.screen import screen
from coordinator.domain.errors import Invalid
from coordinator.domain.events import Observer
from coordinator.domain.money import usd
from coordinator.domain.result import RunResult, Status
from coordinator.scenario import Overrides, Scenario, open_scenario
from coordinator.telemetry.tree import RunTree
from coordinator.workspace import find_workspace


def run(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario file.", show_default=False)],
    task: Annotated[str | None, typer.Option(metavar="TEXT", help="Ask this instead.")] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Who pays.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model for every agent, such as offline.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Replace an input of the scenario; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    events: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Append every event to FILE as a line of JSON; - is standard error."),
    ] = None,
    content: Annotated[
        bool, typer.Option("--content", help="Keep what is said, too, in the events and in the file of the run.")
    ] = False,
    no_file: Annotated[bool, typer.Option("--no-file", help="Keep no file of the run in .coordinator/runs.")] = False,
) -> int:
    """Run one scenario and show how it went; what it expects is not judged.

    Exit codes: 0 completed, 1 flagged, 2 wrong usage or invalid input, 3 refused, 4 awaiting approval or escalated,
    5 failed, 130 interrupted.
    """
    tree = RunTree(time.monotonic)
    try:
        with redirect_stdout(sys.stderr):  # a team's code may print; standard output is for the result alone
            overrides = Overrides(task, tenant, model, pairs(inputs or ()), content=content)
            opened = open_scenario(scenario, overrides)
            tell_decisions(opened)
            hidden = keys_of(opened.settings)
            with recording(events, hidden) as recorders, _own_file(opened, hidden, no_file) as own, OwnLoop() as loop:
                result = loop.run(_watched(opened, tree, [*recorders, *own], silent=events == STDERR))
    except KeyboardInterrupt:
        if json and tree.run_id:
            print(as_json(_cancelled(tree)))
        raise
    if json:
        print(as_json(result))
    else:
        tell(result, screen())
    return OF_STATUS[result.status]


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Return the values of `--set` by name.

    Raises:
        Invalid: `usage`, when one is not NAME=VALUE or a name is given twice.
    """
    found: dict[str, str] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise Invalid(f"--set {pair!r} is not NAME=VALUE", code="usage", hint="write, for example, --set docs=DIR")
        if name in found:
            raise Invalid(f"--set {name} is given twice", code="usage", hint="leave one out")
        found[name] = text
    return found


async def _watched(scenario: Scenario, tree: RunTree, recorders: Sequence[Observer], *, silent: bool) -> RunResult:
    display, watchers = watch(tree, silent=silent)
    with display:
        return await scenario.run([*watchers, *recorders])


def _own_file(scenario: Scenario, hidden: Sequence[str], unwanted: bool) -> AbstractContextManager[Sequence[Observer]]:
    path, settings = scenario.document.path, scenario.settings
    about = {"scenario": str(path), "name": scenario.name, "content": settings.content}
    return run_file(find_workspace(path).root, 0 if unwanted else settings.run_files, about, hidden)


def tell_decisions(scenario: Scenario) -> None:
    """Tell on standard error that the decisions of *scenario* have no effect."""
    decided = ", ".join(dict.fromkeys(decision.tool for decision in scenario.file.decisions))
    if decided:
        print(
            f"note: {scenario.document.path}: decisions about {decided} are not asked for yet: "
            "tools that need a person are refused", file=sys.stderr,
        )  # fmt: skip


def _cancelled(tree: RunTree) -> RunResult:
    """Return what is known of a run that was interrupted before it had a result."""
    return RunResult(
        status=Status.CANCELLED, code="cancelled", stop_reason="cancelled", cost_usd=usd(tree.cost),
        ceiling_usd=usd(tree.ceiling), run_id=tree.run_id, tenant=tree.tenant, model=tree.model,
        turns=tree.turns, steps=tree.steps, duration_s=tree.seconds,
    )  # fmt: skip
