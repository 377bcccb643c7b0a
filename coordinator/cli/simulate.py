"""`coordinator simulate`: many worlds of one scenario, each drawn from a seed, with everything checked."""

import os
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, TextIO

import typer

from coordinator.cli.exits import FLAGGED, OK
from coordinator.cli.run import tell_decisions
from coordinator.scenario import open_scenario
from coordinator.scenario.faults import open_faults
from coordinator.simulate import WorldReport, simulate
from coordinator.simulate.report import line, summary

BREACHED = FLAGGED


def simulate_scenario(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario file.", show_default=False)],
    seeds: Annotated[int, typer.Option(metavar="N", min=1, max=1_000_000, help="How many worlds.")] = 20,
    seed: Annotated[int, typer.Option(metavar="K", min=0, help="The first seed; the others follow by one.")] = 1,
    runs: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Runs in each world.")] = 50,
    tenants: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=10_000, show_default=False,
            help="Tenants in each world; by default five, or as many as the settings know when they refuse others.",
        ),
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False,
            help="What fails, as under `faults:` of a scenario; by default every seed draws its own.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1_000, help="Processes; by default one a core.", show_default=False),
    ] = None,
) -> int:  # fmt: skip
    """Simulate one scenario in virtual time and check after every event what must hold.

    The same seed gives the same world: the same events in the same order, and so the same fingerprint.

    Exit codes: 0 everything held, 1 something did not, 2 wrong usage or invalid input.
    """
    out = sys.stdout

    def told(world: WorldReport) -> None:
        _tell(world, _command(scenario, world.seed, runs, tenants, faults), out)

    with redirect_stdout(sys.stderr):  # a team's code may print
        opened = open_scenario(scenario)
        tell_decisions(opened)
        rules = None if faults is None else open_faults(faults, opened)
        report = simulate(
            opened, seeds=seeds, seed=seed, runs=runs, tenants=tenants, faults=rules,
            workers=workers or os.cpu_count() or 1, told=told,
        )  # fmt: skip
    for said in summary(report):
        print(said)
    return OK if report.ok else BREACHED


def _tell(world: WorldReport, command: str, out: TextIO) -> None:
    print(line(world), file=out, flush=True)
    if not world.ok:
        print(f"  repeat it: {command}", file=out, flush=True)


def _command(scenario: Path, seed: int, runs: int, tenants: int | None, faults: Path | None) -> str:
    """Return the command that lets the world of *seed* happen again."""
    words = ["coordinator", "simulate", str(scenario), "--seeds", "1", "--seed", str(seed)]
    words += ["--runs", str(runs)] if runs != 50 else []
    words += ["--tenants", str(tenants)] if tenants is not None else []
    words += ["--faults", str(faults)] if faults is not None else []
    return shlex.join(words)
