"""`coordinator doctor`: what is configured, reachable, priced and limited, and what to do about what is not."""

import json as jsons
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from coordinator.cli.checkup import Check, Checkup
from coordinator.cli.exits import FLAGGED, OK
from coordinator.cli.figures import counted, printable
from coordinator.cli.machine import machine
from coordinator.cli.reaching import asking, reaching
from coordinator.cli.screen import screen
from coordinator.settings import Settings

STYLES = {"ok": "green", "warn": "yellow", "wrong": "bold red"}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the checks as one JSON object.")] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask every model one word, too; this sends keys and costs a little.")
    ] = False,
) -> int:
    """Check settings, team, keys, prices, limits, network and machine; say how to repair what is wrong.

    No key is sent anywhere, unless --ask is given. Exit codes: 0 nothing is wrong, 1 something is.
    """
    with redirect_stdout(sys.stderr):  # a team's code may print
        checks = list(_checks(Path.cwd(), ask=ask))
    bad = any(check.state == "wrong" for check in checks)
    if json:
        told = [{"name": one.name, "state": one.state, "said": one.said, "fix": one.fix} for one in checks]
        print(jsons.dumps({"ok": not bad, "checks": told}))
    else:
        _print(checks)
    return FLAGGED if bad else OK


def _checks(folder: Path, *, ask: bool) -> Iterator[Check]:
    checkup = Checkup(folder)
    yield from checkup.configuration()
    settings = checkup.settings
    if settings is not None:
        yield from reaching(checkup.routes)
        if ask:
            yield from asking(settings, checkup.routes)
    yield from machine(checkup.root, settings or Settings.model_construct())


def _print(checks: Sequence[Check]) -> None:
    console = screen()
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in checks:
        said = Text(printable(check.said))
        if check.fix:
            said.append(f"\n→ {printable(check.fix)}", "dim")
        grid.add_row(check.name, Text(check.state, STYLES[check.state]), said)
    console.print(grid, highlight=False)
    counts = Counter(check.state for check in checks)
    parts = [counted(len(checks), "check")]
    parts += [
        f"{counts[state]} {word}" for state, word in (("wrong", "wrong"), ("warn", "to look at")) if counts[state]
    ]
    console.print(Text(f"\n{', '.join(parts)}" + ("" if len(parts) > 1 else ": all is well")), highlight=False)
