"""`coordinator load`: many runs of one scenario at once, measured."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from coordinator.app.own_loop import OwnLoop
from coordinator.cli.exits import FLAGGED, INTERRUPTED, OK
from coordinator.cli.open_files import CONNECTIONS, enough_files
from coordinator.cli.pages import write_page
from coordinator.cli.progress import watch_load
from coordinator.domain.errors import Invalid
from coordinator.load import LoadPlan, LoadTest, WarmUp
from coordinator.load.picturing import page_of
from coordinator.load.telling import told as told_in_words
from coordinator.scenario import Overrides, Scenario, open_scenario
from coordinator.scenario.faults import open_faults

BREACHED = FLAGGED


def load_scenario(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario file.", show_default=False)],
    runs: Annotated[int, typer.Option(metavar="N", help="How many runs.")] = 1000,
    rate: Annotated[
        float | None, typer.Option(metavar="R", help="Runs that begin in a second: an open loop.", show_default=False)
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(metavar="C", help="Runs at once: a closed loop.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The model for every agent; another than offline is called, and paid."),
    ] = None,
    tenants: Annotated[int, typer.Option(metavar="N", help="Tenants; each has a copy of the data of its own.")] = 1,
    faults: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What fails, as under `faults:` of a scenario.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.", show_default=False)
    ] = None,
    virtual: Annotated[bool, typer.Option("--virtual", help="In virtual time, and without calling anything.")] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N", show_default=False,
            help="In virtual time: carry out N runs that stand for all, with limits and ceilings scaled alike; "
            "20000 above 50000 runs.",
        ),
    ] = None,
    warm_up: Annotated[
        str, typer.Option(metavar="W", help="Whose latencies do not count: a share of the runs, or seconds, as 30s.")
    ] = "5%",
    seed: Annotated[int, typer.Option(metavar="K", help="Of latencies, callers and retries.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> int:  # fmt: skip
    """Run one scenario many times at once, and report throughput, latency, money, refusals, waiting and memory.

    Give either --rate or --concurrency. The offline model answers after a seeded latency.

    Exit codes: 0 everything held, 1 something did not, 2 wrong usage or invalid input, 130 interrupted.
    """
    plan = LoadPlan(runs, rate, concurrency, tenants, (), seed, WarmUp.parse(warm_up), sample)
    plan.check(virtual=virtual)
    check_writable(report)
    with redirect_stdout(sys.stderr):  # a team's code may print
        opened = open_scenario(scenario, Overrides(model=model))
        if faults is not None:
            rules = open_faults(faults, opened)
            plan = LoadPlan(runs, rate, concurrency, tenants, rules, seed, plan.warm_up, sample)
        if not virtual:
            _make_room(opened)
        with watch_load() as told:
            test = LoadTest(opened, plan, virtual=virtual, told=told)
            interrupted = _interrupted(test, virtual=virtual)
    found = test.report()
    if report is not None:
        write_page(report, page_of(found))
    if json:
        print(found.model_dump_json())
    elif found.runs or not interrupted:
        print("\n".join(told_in_words(found)))
    if interrupted:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    if report is not None:
        print(f"report: {report}", file=sys.stderr)
    return OK if found.ok else BREACHED


def _make_room(scenario: Scenario) -> None:
    """Let the process open as many files as the connections to providers need, or tell what would help."""
    note = enough_files(CONNECTIONS)
    models = (name for one in scenario.settings.models.values() for name in ([one] if isinstance(one, str) else one))
    if note and any(":" in name for name in models):
        print(note, file=sys.stderr)


def _interrupted(test: LoadTest, *, virtual: bool) -> bool:
    """Carry out *test*, and say whether somebody interrupted it."""
    try:
        if virtual:
            test.run_virtual()
        else:
            with OwnLoop() as loop:
                loop.run(test.run())
    except KeyboardInterrupt:
        return True
    return False


def check_writable(path: Path | None) -> None:
    """Check that *path* can be written; what was not there before is not there afterwards.

    Raises:
        Invalid: `unusable_file`.
    """
    if path is None:
        return
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise Invalid(
            f"--report {path}: {error.strerror}", code="unusable_file", hint="name a file in a folder that exists"
        ) from None
    if not existed:
        path.unlink()
