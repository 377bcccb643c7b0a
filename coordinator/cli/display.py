"""What a person sees while a run is under way: a tree that grows, or plain lines where no terminal is attached."""

import asyncio
import sys
from collections.abc import Sequence
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
    data = event.data
    match event.kind:
        case Kind.STATE:
            text = f"{data['state']} ({data['reason']})" if data.get("reason") else str(data["state"])
        case Kind.DELEGATION_STARTED:
            text = f"hands a brief to {data['member']}"
        case Kind.DELEGATION_ENDED:
            text = f"has the report of {data['member']}{_figures(event)}"
        case Kind.MODEL_ENDED:
            text = f"model {model_name(str(data.get('model') or data.get('class')))}{_figures(event)}"
        case Kind.TOOL_ENDED:
            text = f"tool {data['tool']}{_figures(event)}"
        case Kind.RETRY:
            text = f"attempt {data['attempt']} of {data['dependency']} after {data['code']}"
        case Kind.FALLBACK:
            text = f"{data['from']} is down ({data['code']}), {data['to']} is tried"
        case Kind.BREAKER:
            text = f"breaker of {data['dependency']} goes from {data['from']} to {data['to']}"
        case Kind.ISSUE if event.step:
            text = f"issue {data['code']}: {data['message']}"
        case _:
            return ""
    return f"{event.agent}: {text}"


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
