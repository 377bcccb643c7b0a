"""A run that is stopped at one of its awaits: the loop that counts them, what can happen there, and what may be left.

What is counted: every time a coroutine of a task of the run hands control back to the loop. The loop's task factory wraps
the coroutine of every such task in a driver, through which each of its steps passes. So every await is met that really
suspends, whoever wrote it: of ours, of a tool, of a library, of tasks that only exist for a moment. Wrapping the cores
alone (model, tool, thread, sleep) would miss the waits in between, which is where places are handed over; counting turns
of the loop would meet several awaits at once, and could not raise an error at one of them.

A driver also raises errors: the task wakes with an error in place of what it waited for, which is just how the failure of
a provider, a tool, a thread or a resource arrives. Not so inside asyncio's own locks and task groups: what those wait for
is known to nobody else and cannot fail.
"""

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
from coordinator.domain.errors import Fault, Reached
from coordinator.domain.events import Event, Kind, Observer
from coordinator.domain.timer import Alarms, Timer
from coordinator.engine.channel import Inbox
from coordinator.engine.slots import Slots
from coordinator.simulation.clock import Deadlock, VirtualLoop
from coordinator.simulation.invariants import Invariants
from coordinator.simulation.stacks import places

CALLED_OFF_S = 1.0
"""A cancelled run is over within so many seconds."""
OFTEN = 8
"""Cancellations in a row."""
ENDINGS = {"done", "failed", "cancelled", "late", "unknown"}
"""What may be recorded of a tool call that has begun."""

_OF_THE_RUN: contextvars.ContextVar[bool] = contextvars.ContextVar("of the run", default=False)
_INNER = ("asyncio/taskgroups.py", "asyncio/locks.py")
_OURS = tuple(f"coordinator/{room}/" for room in ("app", "domain", "engine", "policies", "stores"))
_OFFLOADING = "/offload.py"


class Boom(Exception):  # noqa: N818 - it stands for any error
    """An error that nobody declared."""


@dataclass
class Moment:
    """One await of the run: who waits, for what, and what can be done about it."""

    stage: "Stepping"
    driver: "Driver"
    waits_for: Any

    @property
    def task(self) -> asyncio.Task[Any]:
        """The task that waits."""
        task = asyncio.current_task(self.stage)
        assert task is not None
        return task

    @property
    def place(self) -> str:
        """Where it waits, the innermost place first."""
        return places(self.task).partition(" waits at ")[2]

    @property
    def private(self) -> bool:
        """Whether it waits for something that asyncio keeps to itself."""
        return any(inner in self.place.partition(" < ")[0] for inner in _INNER)

    @property
    def outside(self) -> bool:
        """Whether what it waits for is somebody else's: a model, a tool, a thread, a resource, an agent's own."""
        for place in self.place.split(" < "):
            if _OFFLOADING in place:
                return True
            if "asyncio/" not in place and "anyio/" not in place and "_asyncio.py" not in place:
                return not place.startswith(_OURS)
        return False

    def as_it_comes(self, act: Callable[[], object]) -> None:
        """Do *act* when what is waited for has come, and before the task that waits has learned of it."""
        if self.waits_for is None:
            self.stage.call_soon(act)
        else:
            self.waits_for.add_done_callback(lambda _: act())


Act = Callable[[Moment], bool]
"""Does something at an await; False when there is nothing that could be done there."""


class Driver(Coroutine[Any, Any, Any]):
    """A task's coroutine, whose every step is seen; *error* is raised in it instead of its next step."""

    def __init__(self, work: Coroutine[Any, Any, Any], loop: "Stepping") -> None:
        self._work = work
        self._loop = loop
        self.error: Exception | None = None

    def send(self, value: Any) -> Any:
        error, self.error = self.error, None
        return self._waiting(self._work.send(value) if error is None else self._work.throw(error))

    def throw(self, *error: Any) -> Any:
        self.error = None
        return self._waiting(self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:  # cr_frame, cr_await, ...: for those who ask where a task waits
        return getattr(self._work, name)

    def _waiting(self, waits_for: Any) -> Any:
        self._loop.waits(self, waits_for)
        return waits_for


class Stepping(VirtualLoop):
    """A loop that counts the awaits of one run and does something at one of them."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed)
        self.awaits = 0
        self.at = 0
        self.act: Act | None = None
        self.running: asyncio.Future[Any] = self.create_future()
        self.done: tuple[str, bool] | None = None
        """Where something was done, and whether it could be."""
        self.again = 0
        self.called_off: float | None = None
        """When the run was cancelled for the first time."""
        self.complaints: list[str] = []
        self.timers: dict[Timer, asyncio.Task[Any] | None] = {}
        """Set and not yet cleared, the oldest first."""
        self.slots: list[tuple[Slots, int]] = []
        self.inboxes: list[Inbox] = []
        bear: Any = self.get_task_factory()

        def watched(loop: Any, work: Any, context: contextvars.Context | None = None) -> Any:
            of_the_run = _OF_THE_RUN.get() if context is None else context.get(_OF_THE_RUN, False)
            return bear(loop, Driver(work, self) if of_the_run else work, context)

        self.set_task_factory(watched)
        self.set_exception_handler(lambda _, what: self.complaints.append(f"{what['message']}: {what.get('exception')!r}"))

    def waits(self, driver: Driver, waits_for: Any) -> None:
        """Count an await of the run, as long as the run is under way."""
        if self.running.done():
            return
        self.awaits += 1
        if self.awaits == self.at and self.act is not None:
            moment = Moment(self, driver, waits_for)
            place = self.done[0] if self.done else f"await {self.awaits} at {moment.place}"
            self.done = (place, self.act(moment))

    def call_off(self) -> bool:
        """Cancel the run."""
        asked = self.running.cancel()
        if asked and self.called_off is None:
            self.called_off = self.time()
        return asked

    def pending_timers(self) -> list[str]:
        """Return what the loop is still to do at some time; alarms that nothing waits for ring in vain."""
        left = [handle for handle in self._scheduled if not handle._cancelled]
        owners = [getattr(handle._callback, "__self__", None) for handle in left]
        return [str(handle) for handle, owner in zip(left, owners, strict=True) if not isinstance(owner, Alarms)]


def cancel(moment: Moment) -> bool:
    """The run is cancelled."""
    return moment.stage.call_off()


def cancel_as_it_comes(moment: Moment) -> bool:
    """The run is cancelled when what is waited for has just come."""
    moment.as_it_comes(moment.stage.call_off)
    return True


def cancel_twice(moment: Moment) -> bool:
    """The run is cancelled, and again at its next await, while it cleans up."""
    stage = moment.stage
    stage.at, stage.act = stage.awaits + 1, cancel
    return stage.call_off()


def cancel_again_and_again(moment: Moment) -> bool:
    """The run is cancelled at this await and at the next ones."""
    stage = moment.stage
    stage.again += 1
    if stage.again < OFTEN:
        stage.at = stage.awaits + 1
    return stage.call_off()


def lose_task(moment: Moment) -> bool:
    """The task that waits is cancelled alone, as a sibling's error would."""
    return not moment.private and moment.task.cancel()


def lose_task_as_it_comes(moment: Moment) -> bool:
    """The task that waits is cancelled alone, when what it waits for has just come."""
    if not moment.private:
        moment.as_it_comes(moment.task.cancel)
    return not moment.private


def deadline(moment: Moment) -> bool:
    """The run's deadline comes."""
    timers = _timers(moment, moment.stage.running)
    for timer in timers[:1]:
        timer.expire()
    return bool(timers)


def deadline_with_all(moment: Moment) -> bool:
    """The process stood still until the run's deadline: everything that is due by then comes at once."""
    timers = _timers(moment, moment.stage.running)
    for timer in timers[:1]:
        moment.stage._now = timer.when
    return bool(timers)


def timeout(moment: Moment) -> bool:
    """The nearest timer of the task that waits expires: that of an attempt, or of a delegation."""
    timers = _timers(moment, moment.task)
    if moment.task is moment.stage.running:
        timers = timers[1:]
    for timer in timers[-1:]:
        timer.expire()
    return bool(timers)


def crash(moment: Moment) -> bool:
    """What is waited for raises an error that nobody declared."""
    if moment.private:
        return False
    moment.driver.error = Boom("out of the blue")
    return True


def fault(moment: Moment) -> bool:
    """What is waited for fails outside, in a way that may pass."""
    if not moment.outside:
        return False
    moment.driver.error = Fault("cut off", reached=Reached.MAYBE, code="cut_off")
    return True


CANCELLING: Sequence[Act] = (cancel, cancel_as_it_comes, cancel_twice, cancel_again_and_again)
ACTS: Sequence[Act] = (*CANCELLING, lose_task, lose_task_as_it_comes, deadline, deadline_with_all, timeout, crash, fault)


def _timers(moment: Moment, task: Any) -> list[Timer]:
    return [timer for timer, owner in moment.stage.timers.items() if owner is task and timer.when < float("inf")]


@dataclass
class Piece:
    """What is played: a coordinator, the run that something happens to, and others that nothing may happen to."""

    name: str
    coordinator: Callable[[Observer], Coordinator]
    ask: Callable[[Coordinator], Coroutine[Any, Any, RunResult]]
    others: Callable[[Coordinator], Sequence[Coroutine[Any, Any, RunResult]]] = lambda _: ()
    """Half of them ask before the run, half of them after it."""


@dataclass
class Played:
    """How it went."""

    awaits: int = 0
    place: str = ""
    done: bool = False
    status: str = ""
    statuses: tuple[str, ...] = ()
    """Of the others."""
    left: list[str] = field(default_factory=list)
    """What should not be there."""


def play(piece: Piece, at: int = 0, act: Act | None = None, seed: int | None = None) -> Played:
    """Play *piece* once; do *act* at await number *at*, counted from 1."""
    played = Played()
    with _witness(played.left):
        loop = Stepping(seed)
        loop.at, loop.act = at, act
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(_play(piece, loop, played))
        except Deadlock as deadlock:
            played.left.append(f"hung: {deadlock}")
        played.left += loop.complaints
        played.awaits = loop.awaits
        if loop.done is not None:
            played.place, played.done = loop.done
        del loop, runner
        gc.collect()
    return played


async def _play(piece: Piece, loop: Stepping, played: Played) -> None:
    story = Story()
    async with piece.coordinator(story) as coordinator:
        story.invariants = Invariants(coordinator.held)
        works = piece.others(coordinator)
        context = contextvars.copy_context()
        context.run(_OF_THE_RUN.set, True)
        others = [loop.create_task(work) for work in works[: len(works) // 2]]
        loop.running = running = loop.create_task(piece.ask(coordinator), context=context)
        others += [loop.create_task(work) for work in works[len(works) // 2 :]]
        await asyncio.wait([running])
        if loop.called_off is not None:
            late = loop.time() - loop.called_off
            if late > CALLED_OFF_S:
                played.left.append(f"a cancelled run took {late:.2f} s to end")
            if not running.cancelled():
                played.left.append("a cancelled run did not end cancelled")
        if others:
            await asyncio.wait(others)
        left = await coordinator.held.stragglers.drained(3600)
        if left:
            played.left.append(f"{left} stragglers never ended")
        await asyncio.sleep(0)
        played.status = _status(running, played.left)
        played.statuses = tuple(_status(other, played.left) for other in others)
        played.left += [*_held(coordinator), *story.untold()]
    played.left += [f"a task: {places(task)}" for task in asyncio.all_tasks() - {asyncio.current_task()}]
    played.left += [f"a timer: {timer}" for timer in loop.pending_timers()]
    played.left += [f"a timer that was set and never cleared, for {timer.when:.1f}" for timer in loop.timers]
    for slots, places_ in loop.slots:
        if slots._free != places_ or slots._waiting:
            played.left.append(f"slots: {slots._free} of {places_} are free, {len(slots._waiting)} wait")
    for inbox in loop.inboxes:
        seen = inbox.incoming.statistics()
        if seen.open_send_streams or seen.open_receive_streams:
            played.left.append("an inbox is open")
    loop.slots.clear(), loop.inboxes.clear(), loop.timers.clear()


def _status(task: asyncio.Task[RunResult], left: list[str]) -> str:
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    if error is not None:
        left.append(f"a run raised {error!r}")
        return "raised"
    return task.result().status.value


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
        if breaker.probing:
            yield f"breaker: {breaker}"
    if state.stragglers.working:
        yield f"stragglers: {state.stragglers}"


class Story:
    """An observer that remembers what must come to an end, and checks what must hold after every event."""

    def __init__(self) -> None:
        self.invariants: Invariants | None = None
        self._tools: dict[tuple[str, str], str] = {}
        self._late: set[tuple[str, str]] = set()

    def __call__(self, event: Event) -> None:
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
        """Return what was broken, and every tool call whose end is not told."""
        assert self.invariants is not None
        self.invariants.at_end()
        yield from self.invariants.breaches
        for where, outcome in self._tools.items():
            if outcome not in ENDINGS:
                yield f"tool call {where} began and has the outcome {outcome!r}"
            if outcome == "late" and where not in self._late:
                yield f"tool call {where} goes on, and nobody was told how it ended"


@contextmanager
def _witness(left: list[str]) -> Iterator[None]:
    """Note every timer, slot and inbox that is made, and what Python says about things that were not closed."""
    enter, leave, places_, inbox = Timer.__enter__, Timer.__exit__, Slots.__init__, Inbox.__init__
    hook = sys.unraisablehook

    def entered(self: Timer) -> Timer:
        loop = asyncio.get_running_loop()
        if isinstance(loop, Stepping):
            loop.timers[self] = asyncio.current_task()
        return enter(self)

    def left_(self: Timer, *error: Any) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, Stepping):
            loop.timers.pop(self, None)
        leave(self, *error)

    def made(self: Slots, places: int) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, Stepping):
            loop.slots.append((self, places))
        places_(self, places)

    def opened(self: Inbox, *given: Any) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, Stepping):
            loop.inboxes.append(self)
        inbox(self, *given)

    sys.unraisablehook = lambda what: left.append(f"Python: {what.exc_value!r} in {what.object!r}")
    Timer.__enter__, Timer.__exit__, Slots.__init__, Inbox.__init__ = entered, left_, made, opened
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        sys.unraisablehook = hook
        Timer.__enter__, Timer.__exit__, Slots.__init__, Inbox.__init__ = enter, leave, places_, inbox
