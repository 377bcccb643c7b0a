"""What a person sees while a run is under way: a tree that grows, or plain lines where no terminal is attached."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live

from coordinator.cli.drawing import draw
from coordinator.cli.figures import counted, duration, model_name, money, printable
from coordinator.cli.screen import screen
from coordinator.domain.events import Event, Kind, Observer
from coordinator.telemetry.tree import RunTree

REFRESH_S = 0.1


class LiveTree:
    """Draws *tree* anew ten times a second, in place; on leaving, the whole tree stays on the screen.

    Args:
        tree: grows by itself; it is another observer.
        console: a terminal.
    """

    def __init__(self, tree: RunTree, console: Console) -> None:
        self._tree = tree
        self._console = console
        self._done = False
        self._timer: asyncio.TimerHandle | None = None
        # Refreshed by the event loop and not by rich's thread, which would draw the tree while it grows.
        self._live = Live(
            console=console, auto_refresh=False, get_renderable=lambda: draw(tree, console, live=not self._done)
        )

    def __enter__(self) -> Self:
        self._live.start()
        self._tick()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done = True
        if self._timer is not None:
            self._timer.cancel()
        self._live.stop()

    def _tick(self) -> None:
        self._live.refresh()
        self._timer = asyncio.get_running_loop().call_later(REFRESH_S, self._tick)


class PlainLines:
    """Writes one line per step of an agent as it ends, and names the agent.

    Args:
        out: where to.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, event: Event) -> None:
        """Tell what happened, when it is a step or a problem."""
        line = told(event)
        if line:
            print(printable(line), file=self._out, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to put away."""


def told(event: Event) -> str:
    """Return *event* as one plain line; nothing for events that only begin something."""
    line = _LINES.get(event.kind)
    text = line(event) if line else ""
    return f"{event.agent}: {text}" if text else ""


def _state(event: Event) -> str:
    state, reason = event.data["state"], event.data.get("reason")
    return f"{state} ({reason})" if reason else str(state)


def _model(event: Event) -> str:
    return f"model {model_name(str(event.data.get('model') or event.data.get('class')))}{_figures(event)}"


def _issue(event: Event) -> str:
    return f"issue {event.data['code']}: {event.data['message']}" if event.step else ""


_LINES: Mapping[Kind, Callable[[Event], str]] = {
    Kind.STATE: _state,
    Kind.DELEGATION_STARTED: lambda event: f"hands a brief to {event.data['member']}",
    Kind.DELEGATION_ENDED: lambda event: f"has the report of {event.data['member']}{_figures(event)}",
    Kind.MODEL_ENDED: _model,
    Kind.TOOL_ENDED: lambda event: f"tool {event.data['tool']}{_figures(event)}",
    Kind.RETRY: lambda event: "attempt {attempt} of {dependency} after {code}".format_map(event.data),
    Kind.CHARGED: lambda event: f"charged {money(event.data['cost'])} for {event.data['dependency']} without a reply",
    Kind.FALLBACK: lambda event: "{from} is down ({code}), {to} is tried".format_map(event.data),
    Kind.BREAKER: lambda event: "breaker of {dependency} goes from {from} to {to}".format_map(event.data),
    Kind.ISSUE: _issue,
}


def _figures(event: Event) -> str:
    data = event.data
    parts = [str(data.get("code", "ok")), duration(data.get("duration_s", 0.0))]
    if data.get("cost"):
        parts.append(money(data["cost"]))
    if data.get("passages"):
        parts.append(counted(data["passages"], "passage"))
    return f": {', '.join(parts)}"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sits at *stream*, at a terminal that can draw over what it has drawn."""
    return stream.isatty() and not Console(file=stream).is_dumb_terminal


def watch(tree: RunTree, *, silent: bool) -> tuple[AbstractContextManager[object], Sequence[Observer]]:
    """Return how standard error shows the run of *tree*: what to enter for its duration, and who must be told events.

    Args:
        tree: the run's tree.
        silent: show nothing; standard error is used for something else.
    """
    if not silent and is_terminal(sys.stderr):
        return LiveTree(tree, screen(stderr=True)), [tree]
    lines = PlainLines(sys.stderr)
    return lines, [tree] if silent else [tree, lines]
