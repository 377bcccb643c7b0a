"""One gate: leaky buckets of requests and tokens, and a queue that is fair between tenants.

Only the head of the queue talks to the buckets. Left to themselves they would let small requests starve large ones and
newcomers overtake those who wait.
"""

import asyncio
import math

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import FairQueue, Flow, FlowState, Standing, Waiting
from coordinator.domain.limits import GateLimits
from coordinator.domain.value import value
from coordinator.stores.memory.bucket import Bucket
from coordinator.stores.memory.quota import Quota, told

# Two ways to the same instant differ in the last bits of a float. A timer that is set for "now" again and again because
# of them would never let time pass.
SHORTEST_WAIT_S = 1e-6
# What a whole window's amount costs a tenant; fine enough for a million requests a window.
WHOLE = 10**9
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

    What a request costs its tenant is the larger of its shares of the window's requests and of its tokens.

    Args:
        name: whose gate it is.
        limits: how much may pass, and how many may wait.
    """

    def __init__(self, name: str, limits: GateLimits) -> None:
        self._name = name
        self._limits = limits
        self._requests = _bucket(limits.requests, limits)
        self._tokens = _bucket(limits.tokens, limits)
        self._queue: FairQueue[_Waiter] = FairQueue()
        self._head: _Waiter | None = None
        """For whom the timer is set."""
        self._paused_until = -math.inf
        self._quota: Quota | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._admitted = self._refunded = self._refused = self._ended = 0

    def try_take(self, tokens: int) -> "Permit | None":
        """Take a place at once, or return None when there is none or others wait for one."""
        if self._queue.size or self._delay(tokens) > 0:
            return None
        return self._admit(tokens, None)

    def fits(self, tokens: int) -> bool:
        """Say whether `try_take` would succeed."""
        return not self._queue.size and self._delay(tokens) <= 0

    async def take(self, tokens: int, deadline: float, standing: Standing = ANYBODY) -> "Permit":
        """Wait for a place, fairly between tenants and, inside a tenant, behind its older runs.

        Args:
            tokens: estimate of what the call will use.
            deadline: loop time by which the place is needed.
            standing: whose call it is.

        Raises:
            Refused: `gate_full` or `deadline_out_of_reach`, both in passing and with `retry_after`.
        """
        permit = self.try_take(tokens)
        if permit is not None:
            return permit
        waiter = self._join(tokens, deadline, standing)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def pause(self, seconds: float) -> None:
        """Admit nobody for *seconds*: the provider asked for it. Who cannot wait so long is refused."""
        self._paused_until = max(self._paused_until, self.now() + seconds)
        for waiter in [waiter for waiter in self._queue if waiter.deadline < self._paused_until]:
            self._refuse(waiter, "deadline_out_of_reach", "it was paused by the provider")
        self._serve()

    def remaining(self, requests: float | None, tokens: float | None, reset_s: float) -> None:
        """Admit no more than the provider says is left, until it counts anew in *reset_s* seconds; None: not said."""
        self._quota = told(self._quota, requests, tokens, self.now() + reset_s)
        if self._queue.size:
            self._serve()

    def snapshot(self) -> GateState:
        """Return the gate as it stands."""
        return GateState(
            self._name, self._queue.size, self._admitted - self._ended, self._admitted, self._refunded, self._refused,
            self._requests.level if self._requests else 0.0, self._tokens.level if self._tokens else 0.0,
            self._paused_until, self._queue.snapshot(),
        )  # fmt: skip

    @property
    def idle(self) -> bool:
        """Whether forgetting the gate would change nothing."""
        if self._queue.size or self._admitted > self._ended or self._quota or self._paused_until > self.now():
            return False
        return not (self._requests and self._requests.level > 0) and not (self._tokens and self._tokens.level > 0)

    def give_back(self, tokens: int, taken_at: float, flow: Flow | None) -> None:
        """Return one request and *tokens* that were taken at loop time *taken_at* and never sent."""
        now = self.now()
        self._ended += 1
        self._refunded += 1
        if self._requests:
            self._requests.give(1, taken_at, now)
        if self._tokens:
            self._tokens.give(tokens, taken_at, now)
        if self._quota is not None:
            self._quota.take(-1, -tokens)
        if flow is not None:
            flow.deficit += self._cost(tokens)
        if self._queue.size:
            self._serve()

    def correct(self, permit: "Permit", tokens: int) -> None:
        """Replace the estimate of *permit* by the *tokens* that were used: the rest is given back, or owed."""
        self._ended += 1
        over = tokens - permit.tokens
        if self._tokens and over:
            if over > 0:
                self._tokens.take(over, self.now())
            else:
                self._tokens.give(-over, permit.taken_at, self.now())
        if self._quota is not None:
            self._quota.take(0, over)
        if permit.flow is not None:
            permit.flow.deficit += self._cost(permit.tokens) - self._cost(tokens)
        if self._queue.size:
            self._serve()

    def keep(self) -> None:
        """Leave what was taken as it is: it was used, or may have been."""
        self._ended += 1

    def now(self) -> float:
        """Return the loop's time; the loop is kept, because asking for it is a system call in Python 3.11."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def _delay(self, tokens: int, requests_ahead: float = 0, tokens_ahead: float = 0) -> float:
        delay = 0.0
        if self._requests:
            delay = self._requests.delay(1, requests_ahead)
        if self._tokens:
            delay = max(delay, self._tokens.delay(tokens, tokens_ahead))
        if self._paused_until > 0:
            delay = max(delay, self._paused_until - self.now())
        if self._quota is not None:
            now = self.now()
            if now >= self._quota.until:
                self._quota = None
            else:
                delay = max(delay, self._quota.delay(tokens, now))
        return delay

    def _cost(self, tokens: int) -> int:
        return max(1, int(WHOLE * max(1 / self._limits.requests, tokens / self._limits.tokens)))

    def _admit(self, tokens: int, flow: Flow | None) -> "Permit":
        now = self.now()
        self._admitted += 1
        if self._requests:
            self._requests.take(1, now)
        if self._tokens:
            self._tokens.take(tokens, now)
        if self._quota is not None:
            self._quota.take(1, tokens)
        return Permit(self, tokens, now, flow)

    def _join(self, tokens: int, deadline: float, standing: Standing) -> "_Waiter":
        queue = self._queue
        loop = asyncio.get_running_loop()
        waiter = _Waiter(self._cost(tokens), tokens, deadline, loop.create_future())
        full = queue.size >= self._limits.queue
        # The whole queue is an upper bound, and known without looking at every tenant.
        if full or loop.time() + self._delay(tokens, queue.size, queue.tokens) > deadline:
            delay = self._delay(tokens, *queue.ahead_of(standing, waiter.cost))
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
        self._refuse(victim, "gate_full", "its tenant has more calls waiting than its share of the queue")

    def _leave(self, waiter: "_Waiter") -> None:
        if waiter.waits:
            self._drop(waiter)
            self._serve()
        elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
            # Granted and cancelled in the same turn of the loop: nobody else knows of this permit.
            waiter.granted.result().refund()

    def _expire(self, waiter: "_Waiter") -> None:
        if waiter.waits:
            self._refuse(waiter, "deadline_out_of_reach", "its turn did not come in time")
            self._serve()

    def _refuse(self, waiter: "_Waiter", code: str, why: str) -> None:
        self._drop(waiter)
        if not waiter.granted.done():
            delay = self._delay(waiter.tokens, self._queue.size, self._queue.tokens)
            waiter.granted.set_exception(self._refusal(code, why, delay))

    def _drop(self, waiter: "_Waiter") -> None:
        self._queue.leave(waiter)
        waiter.stop()

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (head := self._queue.head()) is not None:
            if head.granted.done():
                self._drop(head)
                continue
            delay = self._delay(head.tokens)
            if delay > 0:
                self._timer = asyncio.get_running_loop().call_later(max(delay, SHORTEST_WAIT_S), self._serve)
                break
            self._queue.serve(head)
            head.stop()
            head.granted.set_result(self._admit(head.tokens, head.flow))
        self._head = head

    def _refusal(self, code: str, why: str, retry_after: float) -> Refused:
        self._refused += 1
        return Refused(
            f"{self._name} is at its rate limit: {why}", code=code,
            hint="raise the rate limit in the settings, or send less at once", retry_after=retry_after, passing=True,
        )  # fmt: skip


class Permit:
    """A place taken in a gate; exactly one of `refund`, `correct` and `keep` follows."""

    __slots__ = ("_gate", "flow", "taken_at", "tokens")

    def __init__(self, gate: Gate, tokens: int, taken_at: float, flow: Flow | None) -> None:
        self._gate = gate
        self.tokens = tokens
        self.taken_at = taken_at
        self.flow = flow

    def refund(self) -> None:
        """Give requests and tokens back: nothing was sent."""
        self._gate.give_back(self.tokens, self.taken_at, self.flow)

    def correct(self, tokens: int) -> None:
        """Replace the estimate by the *tokens* that were really used."""
        self._gate.correct(self, tokens)

    def keep(self) -> None:
        """Leave it as it is: the estimate is all that will ever be known."""
        self._gate.keep()


class _Waiter(Waiting):
    __slots__ = ("deadline", "granted", "timer", "waits")

    def __init__(self, cost: int, tokens: int, deadline: float, granted: "asyncio.Future[Permit]") -> None:
        super().__init__(cost, tokens)
        self.deadline = deadline
        self.granted = granted
        self.timer: asyncio.TimerHandle | None = None
        self.waits = True

    def stop(self) -> None:
        """End its waiting."""
        self.waits = False
        if self.timer is not None:
            self.timer.cancel()


def _bucket(amount: float, limits: GateLimits) -> Bucket | None:
    return None if amount == math.inf else Bucket(amount, limits.window_s, limits.burst)
