"""`coordinator doctor`: what is configured, reachable, priced and limited, and what to do about what is not."""

import json as jsons
import sys
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from coordinator.cli.exits import FLAGGED, OK
from coordinator.cli.figures import counted, printable
from coordinator.cli.screen import screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.cli.checks import Check

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
    from coordinator.cli.checks import examine  # noqa: PLC0415 - no other command waits for what the checks import

    with redirect_stdout(sys.stderr):  # a team's code may print
        checks = list(examine(Path.cwd(), ask=ask))
    bad = any(check.state == "wrong" for check in checks)
    if json:
        told = [{"name": one.name, "state": one.state, "said": one.said, "fix": one.fix} for one in checks]
        print(jsons.dumps({"ok": not bad, "checks": told}))
    else:
        _print(checks)
    return FLAGGED if bad else OK


def _print(checks: "Sequence[Check]") -> None:
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
    told = {"wrong": counts["wrong"], "to look at": counts["warn"]}
    found = ", ".join(f"{number} {word}" for word, number in told.items() if number)
    console.print(f"\n{counted(len(checks), 'check')}: {found or 'all is well'}", highlight=False)
