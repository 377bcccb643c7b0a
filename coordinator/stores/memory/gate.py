"""One gate: a meter of what has passed, and a queue that is fair between tenants.

Only the head of the queue talks to the meter. Left to themselves its buckets would let small requests starve large ones
and newcomers overtake those who wait.
"""

import asyncio
import math

from coordinator.domain import ports
from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import FairQueue, FlowState, Standing
from coordinator.domain.limits import GateLimits
from coordinator.domain.value import value
from coordinator.stores.memory.meter import Meter
from coordinator.stores.memory.permit import Permit, Waiter

# Two ways to the same instant differ in the last bits of a float. A timer that is set for "now" again and again because
# of them would never let time pass.
SHORTEST_WAIT_S = 1e-6
ANYBODY = Standing()


@value
class GateState:
    """One gate: who waits, what was admitted, given back and refused, and until when nobody passes."""

    name: str
    waiting: int
    out: int
    """Admitted, and neither refunded, corrected nor kept yet."""
    admitted: int
    refunded: int
    refused: int
    request_level: float
    token_level: float
    paused_until: float
    tenants: tuple[FlowState, ...] = ()


class Gate:
    """A limit on the rate of requests and tokens together. Needs a running event loop.

    Args:
        name: whose gate it is.
        limits: how much may pass, and how many may wait.
    """

    __slots__ = (
        "_admitted", "_claim", "_ended", "_head", "_meter", "_name", "_queue", "_refunded", "_refused", "_room",
        "_timer",
    )  # fmt: skip

    def __init__(self, name: str, limits: GateLimits) -> None:
        self._name = name
        self._room = limits.queue
        self._meter = Meter(limits)
        self._queue: FairQueue[Waiter] = FairQueue()
        self._claim: object = None
        """Who has the next place, and waits for one at another gate."""
        self._head: Waiter | None = None
        """For whom the timer is set."""
        self._timer: asyncio.TimerHandle | None = None
        self._admitted = self._refunded = self._refused = self._ended = 0

    def try_take(self, tokens: int, *, ahead: bool = False) -> "Permit | None":
        """Take a place at once, *ahead* of those who wait or behind them; None when there is none."""
        if (self._queue.size or self._claim is not None) and not ahead:
            return None
        meter = self._meter
        if not meter.fits(tokens):
            return None
        self._admitted += 1
        return Permit(self, tokens, meter.take(tokens), None, meter.quota)

    def fits(self, tokens: int, *, ahead: bool = False, claim: object = None) -> bool:
        """Say whether `try_take` would succeed, for who has claimed the next place by *claim*."""
        if self._claim is not None and self._claim is not claim:
            return False
        return (ahead or not self._queue.size) and self._meter.fits(tokens)

    def claim(self, claim: object, tokens: int, longest_s: float) -> float | None:
        """Let nobody pass before who claims the next place; return the seconds until it fits.

        Who needs places in two busy gates at one time would never get both: what comes free is taken by others.

        Args:
            claim: who claims it, until `unclaim`.
            tokens: estimate of what the call will use.
            longest_s: seconds; a place that comes later is not claimed, and None is returned, as when another has.
        """
        delay = self._meter.delay(tokens)
        if self._claim not in (None, claim) or delay > longest_s:
            return None
        self._claim = claim
        return delay

    def unclaim(self, claim: object) -> None:
        """Give the claim up; those who wait are served in the next turn of the loop."""
        if self._claim is claim:
            self._claim = None
            if self._queue.size:
                asyncio.get_running_loop().call_soon(self._serve)

    def pace(self, tokens: int) -> float:
        """Return the seconds between two places of *tokens* when nobody stops coming."""
        return self._meter.pace(tokens)

    async def take(
        self, tokens: int, deadline: float, standing: Standing = ANYBODY, along: ports.Along | None = None
    ) -> "Permit | None":
        """Wait for a place, fairly between tenants and, inside a tenant, behind its older runs.

        Args:
            tokens: estimate of what the call will use.
            deadline: loop time by which the place is needed.
            standing: whose call it is.
            along: takes, when its turn comes, what the call needs beside the place; where it says that this is not to
                be had, no place is taken, and None is returned.

        Raises:
            Refused: `gate_full` or `deadline_out_of_reach`, both in passing, with `retry_after`; what *along* raises.
        """
        permit = None if along else self.try_take(tokens)
        if permit is not None:
            return permit
        waiter = self._join(tokens, deadline, standing, along)
        try:
            return await waiter.granted
        except BaseException:
            self._leave(waiter)
            raise

    def pause(self, seconds: float) -> None:
        """Admit nobody for *seconds*: the provider asked for it. Who cannot wait so long is refused."""
        self._meter.pause(seconds)
        for waiter in [waiter for waiter in self._queue if waiter.deadline < self._meter.paused_until]:
            self._refuse(waiter, "deadline_out_of_reach", "the provider asked for a pause beyond its deadline")
        self._serve()

    def remaining(self, requests: float | None, tokens: float | None, reset_s: float) -> None:
        """Admit no more than the provider says is left until it counts anew.

        Args:
            requests: left; None when it does not say.
            tokens: left; None when it does not say.
            reset_s: seconds until it counts anew.
        """
        self._meter.remaining(requests, tokens, reset_s)
        if self._queue.size:
            self._serve()

    def snapshot(self) -> GateState:
        """Return the gate as it stands."""
        meter = self._meter
        return GateState(
            self._name, self._queue.size, self._admitted - self._ended, self._admitted, self._refunded, self._refused,
            meter.request_level, meter.token_level, meter.paused_until, self._queue.snapshot(),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """Whose gate it is."""
        return self._name

    @property
    def passed(self) -> tuple[int, float, int]:
        """Requests and tokens let through so far, less what was given back, and how many calls wait."""
        return self._admitted - self._refunded, self._meter.passed, self._queue.size

    @property
    def idle(self) -> bool:
        """Whether forgetting the gate would change nothing."""
        return not self._queue.size and self._admitted == self._ended and self._meter.empty

    def give_back(self, permit: "Permit") -> None:
        """Return the request and the tokens of *permit*, which were never sent."""
        self._ended += 1
        self._refunded += 1
        self._meter.give_back(permit.tokens, permit.taken_at, permit.quota)
        if permit.flow is not None:
            permit.flow.deficit += self._meter.cost(permit.tokens)
        if self._queue.size:
            self._serve()

    def correct(self, permit: "Permit", tokens: int) -> None:
        """Replace the estimate of *permit* by the *tokens* that were used: the rest is given back, or owed."""
        self._ended += 1
        self._meter.correct(tokens - permit.tokens, permit.taken_at, permit.quota)
        if permit.flow is not None:
            permit.flow.deficit += self._meter.cost(permit.tokens) - self._meter.cost(tokens)
        if self._queue.size:
            self._serve()

    def keep(self) -> None:
        """Leave what a permit took as it is."""
        self._ended += 1

    def _join(self, tokens: int, deadline: float, standing: Standing, along: ports.Along | None) -> "Waiter":
        queue = self._queue
        loop = asyncio.get_running_loop()
        waiter = Waiter(self._meter.cost(tokens), tokens, deadline, loop.create_future())
        waiter.along = along
        full = queue.size >= self._room
        # The whole queue is an upper bound, and known without looking at every tenant.
        if full or loop.time() + self._meter.delay(tokens, queue.size, queue.tokens) > deadline:
            delay = self._meter.delay(tokens, *queue.ahead_of(standing, waiter.cost))
            if loop.time() + delay > deadline:
                raise self._refusal("deadline_out_of_reach", f"its turn would come {delay:.1f} s from now", delay)
            if full:
                self._make_room(standing, delay)
        queue.join(waiter, standing)
        if deadline < math.inf:
            waiter.timer = loop.call_at(deadline, self._expire, waiter)
        if queue.head() is not self._head:
            self._serve()
        return waiter

    def _make_room(self, standing: Standing, delay: float) -> None:
        victim = self._queue.victim(standing)
        if victim is None:
            raise self._refusal("gate_full", f"{self._queue.size} calls wait already", delay)
        self._refuse(victim, "gate_full", "its tenant has more than its share of those who wait")

    def _leave(self, waiter: "Waiter") -> None:
        if waiter.waits:
            self._drop(waiter)
            self._serve()
        elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
            # Granted and cancelled in the same turn of the loop: nobody else knows of this permit.
            permit = waiter.granted.result()
            if permit is not None:
                permit.refund()

    def _expire(self, waiter: "Waiter") -> None:
        if waiter.waits:
            self._refuse(waiter, "deadline_out_of_reach", "its turn did not come in time")
            self._serve()

    def _refuse(self, waiter: "Waiter", code: str, why: str) -> None:
        self._drop(waiter)
        if not waiter.granted.done():
            delay = self._meter.delay(waiter.tokens, self._queue.size, self._queue.tokens)
            waiter.granted.set_exception(self._refusal(code, why, delay))

    def _drop(self, waiter: "Waiter") -> None:
        self._queue.leave(waiter)
        waiter.stop()

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._claim is not None:  # whoever has it gives it up soon
            self._head = None
            return
        while (head := self._queue.head()) is not None:
            if head.granted.done():
                self._drop(head)
                continue
            delay = self._meter.delay(head.tokens)
            if delay <= 0 and head.along is not None:
                wait_s = head.take_along(head.along)
                if wait_s is None:
                    self._drop(head)
                    continue
                delay = wait_s
            if delay > 0:
                self._timer = asyncio.get_running_loop().call_later(max(delay, SHORTEST_WAIT_S), self._serve)
                break
            self._queue.serve(head)
            head.stop()
            self._admitted += 1
            taken_at = self._meter.take(head.tokens)
            head.granted.set_result(Permit(self, head.tokens, taken_at, head.flow, self._meter.quota))
        self._head = head

    def _refusal(self, code: str, why: str, retry_after: float) -> Refused:
        self._refused += 1
        return Refused(
            f"{self._name} is at its rate limit: {why}", code=code,
            hint="raise the rate limit in the settings, or send less at once", retry_after=retry_after, passing=True,
        )  # fmt: skip
