"""Gates in one process: first in, first out, over leaky buckets of requests and tokens.

Only the head of the line talks to the buckets. Left to themselves they would let small requests starve large ones and
newcomers overtake those who wait.
"""

import asyncio
import math
from collections import OrderedDict

from coordinator.domain.errors import Refused
from coordinator.domain.limits import GateLimits
from coordinator.domain.value import value
from coordinator.stores.memory.bucket import Bucket

# Two ways to the same instant differ in the last bits of a float. A timer that is set for "now" again and again because
# of them would never let time pass.
SHORTEST_WAIT_S = 1e-6


@value
class GateState:
    """One gate: who waits, what was admitted, given back and refused, and until when nobody passes."""

    dependency: str
    waiting: int
    admitted: int
    refunded: int
    refused: int
    request_level: float
    token_level: float
    paused_until: float


class Gates:
    """The gates of a process, one per dependency.

    Args:
        default: the limits of every dependency that has none of its own; none at all when left out.
        named: limits by dependency.
    """

    def __init__(self, default: GateLimits | None = None, named: dict[str, GateLimits] | None = None) -> None:
        self._default = default or GateLimits()
        self._named = dict(named or {})
        self._gates: dict[str, Gate] = {}

    def of(self, dependency: str) -> "Gate":
        """Return the gate of *dependency*, opened on first use."""
        gate = self._gates.get(dependency)
        if gate is None:
            gate = self._gates[dependency] = Gate(dependency, self._named.get(dependency, self._default))
        return gate

    def snapshot(self) -> tuple[GateState, ...]:
        """Return every gate as it stands; needs a running event loop."""
        return tuple(gate.snapshot() for gate in self._gates.values())


class Gate:
    """A limit on the rate of requests and tokens together. Needs a running event loop.

    Args:
        dependency: whose gate it is.
        limits: how much may pass, and how many may wait.
    """

    def __init__(self, dependency: str, limits: GateLimits) -> None:
        self._dependency = dependency
        self._limits = limits
        self._requests = _bucket(limits.requests, limits)
        self._tokens = _bucket(limits.tokens, limits)
        self._waiters: OrderedDict[_Waiter, None] = OrderedDict()
        self._ahead = 0
        """Tokens that those who wait will take."""
        self._paused_until = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._admitted = self._refunded = self._refused = 0

    def try_take(self, tokens: int) -> "Permit | None":
        """Take a place at once, or return None when there is none or others wait for one."""
        if self._waiters or self._delay(tokens) > 0:
            return None
        return self._admit(tokens)

    async def take(self, tokens: int, deadline: float) -> "Permit":
        """Wait for a place, first in, first out.

        Args:
            tokens: estimate of what the call will use.
            deadline: loop time by which the place is needed.

        Raises:
            Refused: `gate_full` or `deadline_out_of_reach`, both in passing and with `retry_after`.
        """
        permit = self.try_take(tokens)
        if permit is not None:
            return permit
        waiter = self._join(tokens, deadline)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def pause(self, seconds: float) -> None:
        """Admit nobody for *seconds*: the provider asked for it. Who cannot wait so long is refused."""
        self._paused_until = max(self._paused_until, self.now() + seconds)
        for waiter in [waiter for waiter in self._waiters if waiter.deadline < self._paused_until]:
            self._expire(waiter)
        self._serve()

    def snapshot(self) -> GateState:
        """Return the gate as it stands."""
        return GateState(
            self._dependency, len(self._waiters), self._admitted, self._refunded, self._refused,
            self._requests.level if self._requests else 0.0, self._tokens.level if self._tokens else 0.0,
            self._paused_until,
        )  # fmt: skip

    def give_back(self, tokens: int, taken_at: float) -> None:
        """Return one request and *tokens* that were taken at loop time *taken_at* and never sent."""
        held_s = self.now() - taken_at
        self._refunded += 1
        if self._requests:
            self._requests.give(1, held_s)
        if self._tokens:
            self._tokens.give(tokens, held_s)
        if self._waiters:
            self._serve()

    def charge(self, tokens: int) -> None:
        """Take *tokens* more than were estimated, or give so many back when negative."""
        if not self._tokens:
            return
        if tokens >= 0:
            self._tokens.take(tokens)
            return
        self._tokens.give(-tokens)
        if self._waiters:
            self._serve()

    def now(self) -> float:
        """Return the loop's time; the loop is kept, because asking for it is a system call in Python 3.11."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def _delay(self, tokens: int, requests_ahead: int = 0, tokens_ahead: int = 0) -> float:
        delay = 0.0
        if self._requests:
            delay = self._requests.delay(1, requests_ahead)
        if self._tokens:
            delay = max(delay, self._tokens.delay(tokens, tokens_ahead))
        if self._paused_until > 0:
            delay = max(delay, self._paused_until - self.now())
        return delay

    def _admit(self, tokens: int) -> "Permit":
        self._admitted += 1
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(tokens)
        return Permit(self, tokens)

    def _join(self, tokens: int, deadline: float) -> "_Waiter":
        delay = self._delay(tokens, len(self._waiters), self._ahead)
        if len(self._waiters) >= self._limits.queue:
            raise self._refusal("gate_full", f"{len(self._waiters)} calls wait already", delay)
        loop = asyncio.get_running_loop()
        if loop.time() + delay > deadline:
            raise self._refusal("deadline_out_of_reach", f"its turn would come {delay:.1f} s from now", delay)
        waiter = _Waiter(tokens, deadline, loop.create_future())
        self._waiters[waiter] = None
        self._ahead += tokens
        if deadline < math.inf:
            waiter.timer = loop.call_at(deadline, self._expire, waiter)
        if len(self._waiters) == 1:
            self._serve()
        return waiter

    def _leave(self, waiter: "_Waiter") -> None:
        if waiter in self._waiters:
            self._drop(waiter)
            self._serve()
        elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
            # Granted and cancelled in the same turn of the loop: nobody else knows of this permit.
            waiter.granted.result().refund()

    def _expire(self, waiter: "_Waiter") -> None:
        if waiter not in self._waiters:
            return
        self._drop(waiter)
        if not waiter.granted.done():
            delay = self._delay(waiter.tokens, len(self._waiters), self._ahead)
            waiter.granted.set_exception(self._refusal("deadline_out_of_reach", "its turn did not come in time", delay))
        self._serve()

    def _drop(self, waiter: "_Waiter") -> None:
        del self._waiters[waiter]
        self._ahead -= waiter.tokens
        if waiter.timer is not None:
            waiter.timer.cancel()

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiters:
            head = next(iter(self._waiters))
            if head.granted.done():
                self._drop(head)
                continue
            delay = self._delay(head.tokens)
            if delay > 0:
                self._timer = asyncio.get_running_loop().call_later(max(delay, SHORTEST_WAIT_S), self._serve)
                return
            self._drop(head)
            head.granted.set_result(self._admit(head.tokens))

    def _refusal(self, code: str, why: str, retry_after: float) -> Refused:
        self._refused += 1
        return Refused(
            f"{self._dependency} is at its rate limit: {why}", code=code,
            hint="raise the rate limit in the settings, or send less at once", retry_after=retry_after, passing=True,
        )  # fmt: skip


class Permit:
    """A place taken in a gate; at most one of `refund` and `correct` follows."""

    __slots__ = ("_gate", "_taken_at", "_tokens")

    def __init__(self, gate: Gate, tokens: int) -> None:
        self._gate = gate
        self._tokens = tokens
        self._taken_at = gate.now()

    def refund(self) -> None:
        """Give requests and tokens back: nothing was sent."""
        self._gate.give_back(self._tokens, self._taken_at)

    def correct(self, tokens: int) -> None:
        """Replace the estimate by the *tokens* that were really used."""
        self._gate.charge(tokens - self._tokens)


class _Waiter:
    __slots__ = ("deadline", "granted", "timer", "tokens")

    def __init__(self, tokens: int, deadline: float, granted: "asyncio.Future[Permit]") -> None:
        self.tokens = tokens
        self.deadline = deadline
        self.granted = granted
        self.timer: asyncio.TimerHandle | None = None


def _bucket(amount: float, limits: GateLimits) -> Bucket | None:
    return None if amount == math.inf else Bucket(amount, limits.window_s, limits.burst)

