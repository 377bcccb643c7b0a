"""Admission: so many runs at once, so many waiting, fair between tenants, and a clear no to the rest."""

import asyncio
import math
from contextvars import ContextVar

from coordinator.domain.calls import RunCall, RunReply
from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import FairQueue, FlowState, Standing, Waiting
from coordinator.domain.layer import Handler
from coordinator.domain.result import Issue
from coordinator.domain.scope import RunState
from coordinator.domain.timer import Timer
from coordinator.domain.value import value

# How much the newest run weighs in the mean duration by which waiting times are foretold.
WEIGHT = 0.2
# Another process should answer by then, or this one again.
DRAIN_RETRY_S = 5.0
APART = "start it apart, if nobody waits for it inside: contextvars.Context().run(coordinator.start, task)"

_INSIDE: ContextVar[tuple[tuple["Admission", RunState], ...]] = ContextVar("_INSIDE", default=())
"""The runs that the current code is part of, and who admitted them."""


@value
class AdmissionState:
    """Runs under way, runs that wait, runs that were refused so far, and whether no more are admitted."""

    running: int
    waiting: int
    refused: int
    draining: bool = False
    tenants: tuple[FlowState, ...] = ()


class Admission:
    """Lets at most *at_once* runs work and *waiting* more wait; tenants take turns, each by its weight.

    When the queue is full, the last of the tenant with the most waiting for its weight gives way to a tenant with less.
    A run that is asked for inside another does not wait: the place that it waits for could be that one's own. So it is
    with one that is only started there, because nobody knows whether it will be awaited; started in a context of its
    own it waits in line as any other.

    Raises:
        Refused: `admission_full`, `deadline_out_of_reach` or `draining`, with `retry_after`; `deadline_exceeded` when
            the call's own deadline passes in line.
    """

    __slots__ = ("_at_once", "_draining", "_empty", "_mean_s", "_order", "_queue", "_refused", "_running", "_waiting")

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._waiting = waiting
        self._running = 0
        self._refused = 0
        self._order = 0
        """Runs admitted so far."""
        self._mean_s = 0.0
        self._draining = False
        self._queue: FairQueue[_Turn] = FairQueue()
        self._empty: set[asyncio.Future[None]] = set()
        """Of those who wait until nothing runs any more."""

    async def __call__(self, call: RunCall, then: Handler[RunCall, RunReply]) -> RunReply:
        if self._draining:
            raise self._refusal("draining", "no more runs are admitted here", DRAIN_RETRY_S)
        if self._running < self._at_once:
            self._running += 1
        else:
            await self._wait(call)
        self._order += 1
        run = call.scope.run
        run.order = self._order
        began, around = run.now(), _INSIDE.get()
        _INSIDE.set((*around, (self, run)))
        try:
            return await then(call)
        finally:
            _INSIDE.set(around)
            took = run.now() - began
            self._mean_s += WEIGHT * (took - self._mean_s) if self._mean_s else took
            self._pass_on()

    def snapshot(self) -> AdmissionState:
        """Return how many runs work, wait and were refused."""
        return AdmissionState(
            self._running, self._queue.size, self._refused, self._draining, self._queue.snapshot()
        )  # fmt: skip

    def stop(self) -> None:
        """Admit no more runs; those that wait are refused, those that work go on."""
        self._draining = True
        for turn in list(self._queue):
            self._turn_away(turn, "draining", "no more runs are admitted here", DRAIN_RETRY_S)

    async def drained(self, patience_s: float) -> int:
        """Wait until no run works any more, and return how many still do after *patience_s* seconds."""
        if not self._running:
            return 0
        loop = asyncio.get_running_loop()
        empty: asyncio.Future[None] = loop.create_future()
        self._empty.add(empty)
        timer = loop.call_later(patience_s, _resolve, empty) if patience_s < math.inf else None
        try:
            await empty
        finally:
            self._empty.discard(empty)
            if timer is not None:
                timer.cancel()
        return self._running

    async def _wait(self, call: RunCall) -> None:
        if any(door is self and not run.ended for door, run in _INSIDE.get()):
            why = f"{self._running} runs are at work, and it was asked for inside one of them, which may wait for it"
            raise self._refusal("admission_full", why, max(1.0, self._expected_s(self._queue.size)), APART)
        turn = self._join(call)
        run = call.scope.run
        began = run.now()
        try:
            with Timer(call.deadline):
                await turn.granted
        except BaseException as error:
            self._leave(turn)
            if isinstance(error, TimeoutError):
                self._refused += 1
                raise Refused("the run waited for admission until its deadline", code="deadline_exceeded") from None
            self._tell_outer(run.now() - began)
            raise
        finally:
            run.waited("admission", run.now() - began, call.scope.agent, call.step)

    def _tell_outer(self, waited_s: float) -> None:
        """Let the run inside of which another was asked for, in vain, say so: it may have ended because of that."""
        for _, run in _INSIDE.get()[-1:]:
            if not run.ended:
                why = f"a run that it asked for waited {waited_s:.1f} s in vain to be admitted by another coordinator"
                run.note(Issue(code="admission_full", message=why))

    def _join(self, call: RunCall) -> "_Turn":
        who = call.scope.tenant
        standing = Standing(who.tenant, who.weight)
        queue, loop = self._queue, call.scope.run.loop
        full = queue.size >= self._waiting
        if full or loop.time() + self._expected_s(queue.size) > call.deadline:
            delay = self._expected_s(queue.ahead_of(standing, 1)[0])
            if loop.time() + delay > call.deadline:
                raise self._refusal("deadline_out_of_reach", f"its turn would come {delay:.1f} s from now", delay)
            if full:
                self._make_room(standing, delay)
        turn = _Turn(loop.create_future())
        queue.join(turn, standing)
        return turn

    def _make_room(self, standing: Standing, delay: float) -> None:
        victim = self._queue.victim(standing)
        why = f"{self._running} runs are at work and {self._queue.size} wait"
        if victim is None:
            raise self._refusal("admission_full", why, max(1.0, delay))
        self._turn_away(victim, "admission_full", f"{why}, of its tenant more than its share", max(1.0, delay))

    def _leave(self, turn: "_Turn") -> None:
        if turn.waits:
            self._drop(turn)
        elif not turn.granted.cancelled() and turn.granted.exception() is None:
            # The place was handed over in the same turn of the loop in which the run was called off.
            self._pass_on()

    def _turn_away(self, turn: "_Turn", code: str, why: str, retry_after: float) -> None:
        self._drop(turn)
        if not turn.granted.done():
            turn.granted.set_exception(self._refusal(code, why, retry_after))

    def _drop(self, turn: "_Turn") -> None:
        self._queue.leave(turn)
        turn.waits = False

    def _pass_on(self) -> None:
        # A place goes straight to the next in line, so that no newcomer can take it in between.
        while (turn := self._queue.head()) is not None:
            if turn.granted.done():
                self._drop(turn)
                continue
            self._queue.serve(turn)
            turn.waits = False
            turn.granted.set_result(None)
            return
        self._running -= 1
        if not self._running and self._empty:
            for empty in self._empty:
                _resolve(empty)

    def _expected_s(self, ahead: float) -> float:
        return self._mean_s * (ahead + 1) / self._at_once

    def _refusal(self, code: str, why: str, retry_after: float, hint: str = "ask again later") -> Refused:
        self._refused += 1
        return Refused(
            f"the run was not admitted: {why}", code=code,
            hint=f"{hint}, or raise the limits of admission in the settings", retry_after=retry_after,
        )  # fmt: skip


class _Turn(Waiting):
    __slots__ = ("granted", "waits")

    def __init__(self, granted: "asyncio.Future[None]") -> None:
        super().__init__(1)
        self.granted = granted
        self.waits = True


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
