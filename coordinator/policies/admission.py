"""Admission: so many runs at once, so many waiting, and a clear no to the rest."""

import asyncio
from collections import deque

from coordinator.domain.calls import RunCall, RunReply
from coordinator.domain.errors import Refused
from coordinator.domain.layer import Handler
from coordinator.domain.timer import Timer
from coordinator.domain.value import value

# How much the newest run weighs in the mean duration by which waiting times are foretold.
WEIGHT = 0.2


@value
class AdmissionState:
    """Runs under way, runs that wait, and runs that were refused so far."""

    running: int
    waiting: int
    refused: int


class Admission:
    """Lets at most *at_once* runs work and *waiting* more wait, first in, first out.

    Raises:
        Refused: `admission_full` with `retry_after`; `deadline_exceeded` when the call's own deadline passes in line.
    """

    __slots__ = ("_at_once", "_mean_s", "_refused", "_running", "_waiters", "_waiting")

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._waiting = waiting
        self._running = 0
        self._refused = 0
        self._mean_s = 0.0
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def __call__(self, call: RunCall, then: Handler[RunCall, RunReply]) -> RunReply:
        if self._running < self._at_once:
            self._running += 1
        else:
            await self._wait(call)
        loop = call.scope.run.loop
        began = loop.time()
        try:
            return await then(call)
        finally:
            took = loop.time() - began
            self._mean_s += WEIGHT * (took - self._mean_s) if self._mean_s else took
            self._pass_on()

    def snapshot(self) -> AdmissionState:
        """Return how many runs work, wait and were refused."""
        return AdmissionState(self._running, len(self._waiters), self._refused)

    async def _wait(self, call: RunCall) -> None:
        if len(self._waiters) >= self._waiting:
            self._refused += 1
            raise self._refusal()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            with Timer(call.deadline):
                await turn
        except (asyncio.CancelledError, TimeoutError) as error:
            if not turn.cancelled():
                # The place was handed over in the same turn of the loop in which the run was called off.
                self._pass_on()
            elif turn in self._waiters:
                self._waiters.remove(turn)
            if isinstance(error, TimeoutError):
                self._refused += 1
                raise Refused("the run waited for admission until its deadline", code="deadline_exceeded") from None
            raise

    def _pass_on(self) -> None:
        # A place goes straight to the next in line, so that no newcomer can take it in between.
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._running -= 1

    def _refusal(self) -> Refused:
        after = max(1.0, self._mean_s * (len(self._waiters) + 1) / self._at_once)
        return Refused(
            f"{self._running} runs are at work and {len(self._waiters)} wait", code="admission_full",
            hint="ask again later, or raise the limits of admission in the settings", retry_after=after,
        )  # fmt: skip
