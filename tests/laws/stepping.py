"""A loop that counts every await of one run, and does something at one of them.

What counts as an await: a coroutine of a task of the run hands control back to the loop. The loop's task factory wraps
the coroutine of every such task in a driver, through which each of its steps passes. So every await that suspends is
met, whoever wrote it: ours, a tool's, a library's, in tasks that exist for a moment. Wrapping the cores alone (model,
tool, thread, sleep) would miss the waits in between, where places and permits change hands. Counting turns of the loop
would meet several awaits at once, and could raise no error at any of them.

The driver also raises errors: the task wakes with an error in place of what it waited for, which is just how the
failure of a provider, a tool, a thread or a resource arrives. Not where asyncio's own task groups and locks wait: what
they wait for is known to nobody else and cannot fail.
"""

import asyncio
import contextvars
import math
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from coordinator import Coordinator
from coordinator.domain.errors import Fault, Reached
from coordinator.domain.timer import Alarms, Timer
from coordinator.engine.channel import Inbox
from coordinator.engine.slots import Slots
from coordinator.simulation.clock import VirtualLoop
from coordinator.simulation.stacks import places

OF_THE_RUN: contextvars.ContextVar[bool] = contextvars.ContextVar("of the run", default=False)
"""Set in the context of the run that something happens to, and so in those of all its tasks."""

OFTEN = 8
"""Cancellations in a row."""

PATIENCE_S = 2.0
NEAR_S = 1e-6
"""Two times that are nearer than this were meant to be the same."""
"""How long a coordinator is drained."""

_PRIVATE = ("asyncio/taskgroups.py", "asyncio/locks.py")
_LIBRARY = ("python3.", "asyncio/", "anyio/", "lib/", "_backends/")
_OURS = ("coordinator/", "stores/memory/")
_OFFLOADING = "/offload.py"


class Boom(Exception):
    """An error that nobody declared."""


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
    """A loop that counts the awaits of one run, and does *act* at number *at* of them, counted from 1."""

    def __init__(self, seed: int | None = None, at: int = 0, act: "Act | None" = None) -> None:
        super().__init__(seed)
        self.at = at
        self.act = act
        self.awaits = 0
        self.running: asyncio.Future[Any] = self.create_future()
        self.coordinator: Coordinator
        self.leaving: asyncio.Task[Any] | None = None
        """Leaves or drains the coordinator."""
        self.left = False
        """Whether that has begun."""
        self.place = ""
        """Where something was done."""
        self.done = False
        """Whether it could be done there."""
        self.called_off: float | None = None
        """When the run was cancelled for the first time."""
        self.timers: dict[Timer, tuple[asyncio.Task[Any] | None, bool]] = {}
        """Set and not yet cleared, the oldest first, with the task that set it, and whether it is of the run."""
        self.slots: list[tuple[Slots, int]] = []
        self.inboxes: list[Inbox] = []
        self.complaints: list[str] = []
        bear: Any = self.get_task_factory()

        def watched(loop: Any, work: Any, context: contextvars.Context | None = None) -> Any:
            of_the_run = OF_THE_RUN.get() if context is None else context.get(OF_THE_RUN, False)
            return bear(loop, Driver(work, self) if of_the_run else work, context)

        self.set_task_factory(watched)
        self.set_exception_handler(self._complain)

    def waits(self, driver: Driver, waits_for: Any) -> None:
        """Count an await of the run, as long as the run is under way."""
        if self.running.done():
            return
        self.awaits += 1
        if self.awaits == self.at and self.act is not None:
            moment = Moment(self, driver, waits_for)
            self.place = self.place or f"await {self.awaits}: {' < '.join(moment.places)}"
            self.done = self.act(moment)

    def call_off(self) -> bool:
        """Cancel the run."""
        asked = self.running.cancel()
        if asked and self.called_off is None:
            self.called_off = self.time()
        return asked

    def pending(self) -> list[str]:
        """Return what is still to be done at some time; alarms ring in vain once nothing waits for them."""
        left = [handle for handle in self._scheduled if not handle._cancelled]
        owners = [getattr(handle._callback, "__self__", None) for handle in left]
        return [str(handle) for handle, owner in zip(left, owners, strict=True) if not isinstance(owner, Alarms)]

    def _complain(self, _loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
        self.complaints.append(f"{what['message']}: {what.get('exception')!r}")


class Moment:
    """One await of the run: who waits, where and for what."""

    def __init__(self, loop: Stepping, driver: Driver, waits_for: Any) -> None:
        task = asyncio.current_task(loop)
        assert task is not None
        self.loop = loop
        self.driver = driver
        self.waits_for = waits_for
        self.task = task
        self.places = places(task).partition(" waits at ")[2].split(" < ")
        """The innermost first."""

    @property
    def private(self) -> bool:
        """Whether what is waited for is known to asyncio alone."""
        return any(private in self.places[0] for private in _PRIVATE)

    @property
    def outside(self) -> bool:
        """Whether the await is somebody else's: a model's, a tool's, a thread's, a resource's, or an agent's own."""
        for place in self.places:
            if _OFFLOADING in place:
                return True
            if not place.startswith(_LIBRARY):
                return not place.startswith(_OURS)
        return False

    def as_it_comes(self, act: Callable[[], object]) -> None:
        """Do *act* when what is waited for has come, and before the task that waits has learned of it."""
        if self.waits_for is None:
            self.loop.call_soon(act)
        else:
            self.waits_for.add_done_callback(lambda _: act())


Act = Callable[[Moment], bool]
"""Does something at an await; False when that cannot be done there."""


def cancel(moment: Moment) -> bool:
    """The run is cancelled."""
    return moment.loop.call_off()


def cancel_as_it_comes(moment: Moment) -> bool:
    """The run is cancelled when what is waited for has just come."""
    moment.as_it_comes(moment.loop.call_off)
    return True


def cancel_twice(moment: Moment) -> bool:
    """The run is cancelled, and again at its next await, while it cleans up."""
    loop = moment.loop
    loop.at, loop.act = loop.awaits + 1, cancel
    return loop.call_off()


def cancel_often(moment: Moment) -> bool:
    """The run is cancelled at this await and at each of the next ones."""
    loop = moment.loop
    first = loop.awaits

    def again(_: Moment) -> bool:
        loop.at = loop.awaits + 1 if loop.awaits < first + OFTEN else 0
        loop.call_off()
        return True

    loop.act = again
    return again(moment)


def cancel_every_task(moment: Moment) -> bool:
    """Every task of the run is cancelled at once, as when the program ends."""
    for task in asyncio.all_tasks(moment.loop):
        if isinstance(task.get_coro(), Driver):
            task.cancel()
    return moment.loop.call_off()


def lose_task(moment: Moment) -> bool:
    """The task that waits is cancelled alone."""
    return not moment.private and _lose(moment)


def lose_task_as_it_comes(moment: Moment) -> bool:
    """The task that waits is cancelled alone, when what it waits for has just come."""
    if not moment.private:
        moment.as_it_comes(lambda: _lose(moment))
    return not moment.private


def deadline(moment: Moment) -> bool:
    """The run's deadline comes, and nothing else."""
    timer = _deadline(moment)
    if timer is not None:
        timer.expire()
    return timer is not None


def soft_deadline(moment: Moment) -> bool:
    """The run's soft deadline comes, and ends the delegations under way."""
    run, limits = _deadline(moment), moment.loop.coordinator.settings.limits()
    if run is None:
        return False
    when = run.when - limits.deadline_s + limits.soft_deadline_s
    timers = [timer for timer, (_, of_the_run) in moment.loop.timers.items() if of_the_run]
    soft = [timer for timer in timers if abs(timer.when - when) < NEAR_S]
    for timer in soft:
        timer.expire()
    return bool(soft)


def stand_still(moment: Moment) -> bool:
    """The process stands still until the run's deadline: everything that is due by then comes at once."""
    timer = _deadline(moment)
    if timer is not None:
        moment.loop._now = timer.when
    return timer is not None


def timeout(moment: Moment) -> bool:
    """The innermost timer of the task that waits expires: that of an attempt, or of a delegation."""
    run = _deadline(moment)
    timers = [timer for timer, (task, _) in moment.loop.timers.items() if task is moment.task and timer is not run]
    finite = [timer for timer in timers if timer.when < math.inf]
    for timer in finite[-1:]:
        timer.expire()
    return bool(finite)


def crash(moment: Moment) -> bool:
    """What is waited for raises an error that nobody declared."""
    if not moment.private:
        moment.driver.error = Boom("out of the blue")
    return not moment.private


def fault(moment: Moment) -> bool:
    """What is waited for outside fails, in a way that may pass."""
    # What a team's resources raise while they are opened or closed is the team's own word, and goes to the caller.
    able = moment.outside and not any(place.startswith("coordinator/app/resources.py") for place in moment.places)
    if able:
        moment.driver.error = Fault("cut off", reached=Reached.MAYBE, code="cut_off")
    return able


def leave(moment: Moment) -> bool:
    """The coordinator is left."""
    return _leave(moment, moment.loop.coordinator.__aexit__(None, None, None))


def leave_and_go(moment: Moment) -> bool:
    """The coordinator is left, and leaving it is cancelled at the run's next await."""
    _cancel_leaving(moment.loop)
    return leave(moment)


def drain(moment: Moment) -> bool:
    """The coordinator is drained."""
    return _leave(moment, moment.loop.coordinator.drain(PATIENCE_S))


def drain_and_go(moment: Moment) -> bool:
    """The coordinator is drained, and draining it is cancelled at the run's next await."""
    _cancel_leaving(moment.loop)
    return drain(moment)


ACTS: Sequence[Act] = (
    cancel, cancel_as_it_comes, cancel_twice, cancel_often, cancel_every_task, lose_task, lose_task_as_it_comes,
    deadline, soft_deadline, stand_still, timeout, crash, fault,
)  # fmt: skip
LEAVING: Sequence[Act] = (leave, leave_and_go, drain, drain_and_go)


def _leave(moment: Moment, work: Coroutine[Any, Any, Any]) -> bool:
    async def begun() -> None:
        moment.loop.left = True
        await work

    moment.loop.leaving = moment.loop.create_task(begun(), context=contextvars.Context())
    return True


def _cancel_leaving(loop: Stepping) -> None:
    def go(_: Moment) -> bool:
        if loop.leaving is None or not loop.left:
            loop.at += 1  # it has not begun
            return True
        return loop.leaving.cancel()

    loop.at, loop.act = loop.awaits + 1, go


def _lose(moment: Moment) -> bool:
    return moment.loop.call_off() if moment.task is moment.loop.running else moment.task.cancel()


def _deadline(moment: Moment) -> Timer | None:
    """Return the timer of the run's deadline: the first that it sets."""
    timers = (timer for timer, (_, of_the_run) in moment.loop.timers.items() if of_the_run)
    return next((timer for timer in timers if timer.when < math.inf), None)
