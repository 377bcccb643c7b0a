"""How far a load test is: a few lines that change where a terminal is attached, one line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from coordinator.cli.display import is_terminal
from coordinator.cli.figures import duration, money, printable
from coordinator.cli.screen import screen
from coordinator.load import Progress

REFRESH_S = 0.1
LINE_EVERY_S = 5.0


@contextmanager
def watch_load() -> Iterator[Callable[[Progress], None]]:
    """Show on standard error how far a load test is, and yield whom to tell."""
    if not is_terminal(sys.stderr):
        yield Seldom(_line, LINE_EVERY_S)
        return
    # Refreshed when the test tells something and not by rich's thread, which would look while things change.
    with Live(console=screen(stderr=True), auto_refresh=False, transient=True) as live:
        yield Seldom(lambda progress: live.update(draw(progress), refresh=True), REFRESH_S)


class Seldom:
    """Passes on what it is told, but not more often than once in *every_s* seconds of real time.

    Args:
        show: what to pass it on to.
        every_s: seconds.
    """

    def __init__(self, show: Callable[[Progress], None], every_s: float) -> None:
        self._show = show
        self._every_s = every_s
        self._next = time.monotonic() + every_s

    def __call__(self, progress: Progress) -> None:
        """Show *progress*, when it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every_s
            self._show(progress)


def draw(progress: Progress) -> Group:
    """Return *progress* for a terminal."""
    head = Table.grid(padding=(0, 1, 0, 0))
    head.add_row(
        ProgressBar(total=progress.runs, completed=progress.ended, width=40),
        Text(f"{progress.ended:,} of {progress.runs:,} runs in {duration(progress.seconds)}"),
    )
    down = (
        Text(f"down: {printable(', '.join(progress.down))}", "red") if progress.down else Text("breakers closed", "dim")
    )
    return Group(head, Text(_figures(progress), "dim", no_wrap=True, overflow="ellipsis"), down)


def _line(progress: Progress) -> None:
    down = f", down: {', '.join(progress.down)}" if progress.down else ""
    ended = f"{progress.ended} of {progress.runs} runs in {duration(progress.seconds)}"
    print(printable(f"load: {ended}, {_figures(progress)}{down}"), file=sys.stderr, flush=True)


def _figures(progress: Progress) -> str:
    rate = progress.ended / progress.seconds if progress.seconds else 0.0
    return (
        f"{rate:.1f} a second, {progress.in_flight} in flight, {progress.refused} refused, {money(progress.spent)}, "
        f"p50 {duration(progress.p50_s)}, p99 {duration(progress.p99_s)}"
    )
