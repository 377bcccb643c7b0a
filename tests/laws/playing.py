"""Plays a run with something happening at one of its awaits, and looks at everything that may be left behind."""

import asyncio
import contextvars
import gc
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coordinator import Coordinator, RunResult
from coordinator.app.snapshot import Snapshot
from coordinator.domain.errors import Invalid
from coordinator.domain.events import Event, Kind, Observer
from coordinator.domain.timer import Timer
from coordinator.engine.channel import Inbox
from coordinator.engine.slots import Slots
from coordinator.simulation.clock import Deadlock
from coordinator.simulation.invariants import Invariants
from coordinator.simulation.stacks import places
from tests.laws import stepping
from tests.laws.stepping import OF_THE_RUN, Act, Stepping

CALLED_OFF_S = 1.0
"""A cancelled run is over within so many seconds."""
ENDINGS = {"done", "failed", "cancelled", "late", "unknown"}
"""What may be recorded of a tool call that has begun."""
BEFORE = -1
"""The run is cancelled before it takes its first step."""
MISUSED = "bench: used after it had been closed"

Run = Coroutine[Any, Any, RunResult]


@dataclass
class Piece:
    """What is played: a coordinator, the run that something happens to, and others that nothing may happen to.

    *ask* may return a task of its own; of *others* every second asks before the run, the rest after it; *left* says
    what the piece itself has left open.
    """

    name: str
    coordinator: Callable[[Observer], Coordinator]
    ask: "Callable[[Coordinator], Run | asyncio.Task[RunResult]]"
    others: Callable[[Coordinator], Sequence[Run]] = lambda _: ()
    left: Callable[[], list[str]] = list


@dataclass
class Played:
    """How it went."""

    awaits: int = 0
    place: str = ""
    done: bool = False
    """Whether something could be done there."""
    status: str = ""
    others: tuple[str, ...] = ()
    """The statuses of the other runs."""
    events: list[Event] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What should not be there."""


def play(piece: Piece, at: int = 0, act: Act | None = None, seed: int | None = None) -> Played:
    """Play *piece* once; do *act* at await number *at*, counted from 1."""
    played = Played()
    loop = Stepping(seed, at, act)

    def looped() -> Stepping:
        return loop

    with _witnessed(loop, played.left):
        try:
            with asyncio.Runner(loop_factory=looped) as runner:
                runner.run(_play(piece, loop, played))
        except Deadlock as deadlock:
            played.left.append(f"hung: {deadlock}")
        played.left += [*loop.complaints, *piece.left()]
        gc.collect()  # what nobody holds any more says now that it was never closed
    played.awaits, played.place, played.done = loop.awaits, loop.place, loop.done
    return played


def wrong(played: Played, calm: Played, act: Act) -> list[str]:
    """Return what is wrong about *played*, beside which *calm* went without disturbance."""
    found = list(played.left)
    if act is stepping.leave_and_go:  # who does not wait any more closes what runs of others work with
        found = [what for what in found if what != MISUSED]
    # What a stopped run may have spent is booked, so others may run short of money; they end well all the same.
    if act is not stepping.stand_still and not set(played.others) <= {*calm.others, "flagged", "refused"}:
        found.append(f"other runs ended {played.others}")
    if act is stepping.deadline and played.status != "failed":
        found.append(f"a run whose deadline came ended {played.status}")
    if act is stepping.soft_deadline and played.status == "completed":
        found.append("a run whose soft deadline ended a member ended completed")
    if act is stepping.crash and played.status == "completed":
        found.append("a run in which something crashed ended completed")
    return [f"{act.__name__} at {played.place}: {what}" for what in found]


async def _play(piece: Piece, loop: Stepping, played: Played) -> None:
    story = _Story(played.events)
    async with piece.coordinator(story) as coordinator:
        story.invariants = Invariants(coordinator.held)
        loop.coordinator = coordinator
        others = piece.others(coordinator)
        runs = [loop.create_task(other) for other in others[::2]]
        context = contextvars.copy_context()
        context.run(OF_THE_RUN.set, True)
        asked = context.run(piece.ask, coordinator)
        running = asked if isinstance(asked, asyncio.Task) else loop.create_task(asked, context=context)
        loop.running = running
        if loop.at == BEFORE:
            loop.call_off()
        runs += [loop.create_task(other) for other in others[1::2]]
        await asyncio.wait([running])
        played.status = _status(running, played.left)
        played.left += _honest(loop, played.status)
        if runs:
            await asyncio.wait(runs)
        if loop.leaving is not None:
            await asyncio.wait([loop.leaving])
        if coordinator._loop is None:  # it was left
            played.left += piece.left()
        if await coordinator.held.stragglers.drained(3600):
            played.left.append("stragglers that never end")
        await asyncio.sleep(0)
        played.others = tuple(_status(run, played.left) for run in runs)
        played.left += [*_held(coordinator), *story.untold()]
    played.left += [f"a task: {places(task)}" for task in asyncio.all_tasks() - {asyncio.current_task()}]
    played.left += _open(loop)


def _honest(loop: Stepping, status: str) -> Iterator[str]:
    """Return what is wrong about the end of a run that was cancelled, or was not."""
    # Who leaves a coordinator cancels the runs that it started itself.
    if loop.leaving is None and (loop.called_off is not None) != (status == "cancelled"):
        yield f"a run that was {'' if loop.called_off else 'not '}cancelled ended {status}"
    if loop.called_off is not None and loop.time() - loop.called_off > CALLED_OFF_S:
        yield f"a cancelled run took {loop.time() - loop.called_off:.2f} s to end"


def _status(run: asyncio.Future[RunResult], left: list[str]) -> str:
    if run.cancelled():
        return "cancelled"
    error = run.exception()
    if error is None:
        return run.result().status.value
    if not (isinstance(error, Invalid) and error.code == "resources_broken"):
        left.append(f"a run raised {error!r}")
    return "raised"


def _held(coordinator: Coordinator) -> Iterator[str]:
    state = Snapshot.of(coordinator.held)
    if state.admission.running or state.admission.waiting:
        yield f"admission: {state.admission}"
    for account in state.accounts:
        if account.reserved or account.reservations or account.waiting or account.name.startswith("run/"):
            yield f"money: {account}"
    for gate in state.gates:
        if gate.waiting or gate.out:
            yield f"gate: {gate}"
    for breaker in state.breakers:
        if breaker.probing or breaker.under_way:
            yield f"breaker: {breaker}"
    if state.stragglers.working:
        yield f"stragglers: {state.stragglers}"


def _open(loop: Stepping) -> Iterator[str]:
    for timer in loop.pending():
        yield f"timer: {timer}"
    for set_for in loop.timers:
        yield f"timer: set for {set_for.when:.1f} and never cleared"
    for slots, most in loop.slots:
        if slots._free != most or slots._waiting:
            yield f"slots: {slots._free} of {most} are free, {len(slots._waiting)} wait"
    for inbox in loop.inboxes:
        seen = inbox.stream[0].statistics() if inbox.stream else None
        if seen and (seen.open_send_streams or seen.open_receive_streams):
            yield "inbox: open"
    loop.inboxes.clear()


class _Story:
    """An observer that remembers what must come to an end, and checks what must hold after every event."""

    def __init__(self, events: list[Event]) -> None:
        self.invariants: Invariants | None = None
        self._events = events
        self._tools: dict[tuple[str, str], str] = {}
        self._late: set[tuple[str, str]] = set()

    def __call__(self, event: Event) -> None:
        self._events.append(event)
        where = event.run, event.step
        match event.kind:
            case Kind.TOOL_STARTED:
                self._tools[where] = ""
            case Kind.TOOL_ENDED:
                self._tools[where] = str(event.data["outcome"])
            case Kind.TOOL_LATE:
                self._late.add(where)
        if self.invariants is not None:
            self.invariants(event)

    def untold(self) -> Iterator[str]:
        """Return what did not hold, and every tool call whose end is not told."""
        assert self.invariants is not None
        self.invariants.at_end()
        yield from self.invariants.breaches
        for where, outcome in self._tools.items():
            if outcome not in ENDINGS:
                yield f"tool: {where} began and has the outcome {outcome!r}"
            if outcome == "late" and where not in self._late:
                yield f"tool: {where} goes on, and nobody was told how it ended"


@contextmanager
def _witnessed(loop: Stepping, left: list[str]) -> Iterator[None]:
    """Tell *loop* of every timer, set of slots and inbox, and *left* what Python says of things never closed."""
    enter, exit_, slots, inbox = Timer.__enter__, Timer.__exit__, Slots.__init__, Inbox.__init__
    hook = sys.unraisablehook

    def entered(self: Timer) -> Timer:
        loop.timers[self] = asyncio.current_task(loop), OF_THE_RUN.get()
        return enter(self)

    def exited(self: Timer, *error: Any) -> None:
        loop.timers.pop(self, None)
        exit_(self, *error)

    def made(self: Slots, most: int) -> None:
        loop.slots.append((self, most))
        slots(self, most)

    def opened(self: Inbox, *given: Any) -> None:
        loop.inboxes.append(self)
        inbox(self, *given)

    sys.unraisablehook = lambda what: left.append(f"Python: {what.exc_value!r} in {what.object!r}")
    Timer.__enter__, Timer.__exit__ = entered, exited
    Slots.__init__, Inbox.__init__ = made, opened
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        sys.unraisablehook = hook
        Timer.__enter__, Timer.__exit__ = enter, exit_
        Slots.__init__, Inbox.__init__ = slots, inbox
