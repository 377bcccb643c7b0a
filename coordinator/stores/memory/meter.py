"""What has passed a gate, and so how soon the next may: leaky buckets, a pause, and what the provider says is left."""

import asyncio
import math

from coordinator.domain.limits import GateLimits
from coordinator.domain.timer import Clock, clock
from coordinator.stores.memory.bucket import Bucket
from coordinator.stores.memory.quota import Quota, told

# What a whole window's amount costs a tenant; fine enough for a million requests a window.
WHOLE = 10**9


class Meter:
    """Requests and tokens against their limits. Needs a running event loop.

    Args:
        limits: how much may pass.
    """

    __slots__ = ("_clock", "_limits", "_requests", "_tokens", "passed", "paused_until", "quota")

    def __init__(self, limits: GateLimits) -> None:
        self._limits = limits
        self._requests = _bucket(limits.requests, limits, exact=False)  # all that is ever given back is a refund
        self._tokens = _bucket(limits.tokens, limits, exact=True)
        self.quota: Quota | None = None
        """What the provider said last."""
        self._clock: Clock | None = None
        self.paused_until = -math.inf
        """Loop time until which nobody passes."""
        self.passed = 0.0
        """Tokens let through so far, as estimated and without debts, less what was given back; 0 without a limit."""

    @property
    def request_level(self) -> float:
        """Requests that have not leaked out yet."""
        return self._requests.level if self._requests else 0.0

    @property
    def token_level(self) -> float:
        """Tokens that have not leaked out yet."""
        return self._tokens.level if self._tokens else 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing that has passed, and nothing that the provider said, matters any more."""
        now = self.now()
        held = self.paused_until > now or (self.quota is not None and self.quota.until > now)
        return not held and self.request_level <= 0 and self.token_level <= 0

    def now(self) -> float:
        """Return the loop's time; its clock is kept, because asking for the loop is a system call in Python 3.11."""
        if self._clock is None:
            self._clock = clock(asyncio.get_running_loop())
        return self._clock()

    def cost(self, tokens: int) -> int:
        """Return what a request costs its tenant: the larger of its shares of the window's requests and tokens."""
        return max(1, int(WHOLE * max(1 / self._limits.requests, tokens / self._limits.tokens)))

    def delay(self, tokens: int, requests_ahead: float = 0, tokens_ahead: float = 0) -> float:
        """Return the seconds until a request of *tokens* fits when so much passes before it; 0 when it fits now."""
        delay = 0.0
        if self._requests:
            delay = self._requests.delay(1, requests_ahead)
        if self._tokens:
            delay = max(delay, self._tokens.delay(tokens, tokens_ahead))
        if self.paused_until > 0:
            delay = max(delay, self.paused_until - self.now())
        if self.quota is not None:
            delay = max(delay, self.quota.delay(tokens, self.now()))
        return delay

    def pace(self, tokens: int) -> float:
        """Return the seconds between two requests of *tokens* when nobody stops coming."""
        limits = self._limits
        return limits.window_s * max(1 / limits.requests, tokens / limits.tokens)

    def fits(self, tokens: int) -> bool:
        """Say whether one request of *tokens* fits now."""
        if self._requests is not None and not self._requests.fits(1):
            return False
        if self._tokens is not None and not self._tokens.fits(tokens):
            return False
        return not (self.paused_until > 0 or self.quota is not None) or self.delay(tokens) <= 0

    def take(self, tokens: int) -> float:
        """Take one request of *tokens*, whether it fits or not; return the loop time at which it was taken."""
        now = self.now()
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
            self.passed += min(tokens, self._tokens.capacity)
        if self.quota is not None:
            self.quota.take(1, tokens)
        return now

    def give_back(self, tokens: int, taken_at: float, quota: Quota | None) -> None:
        """Return one request and *tokens* that were taken at loop time *taken_at*, and out of *quota*."""
        now = self.now()
        if self._requests:
            self._requests.give(1, taken_at, now)
        if self._tokens:
            self.passed -= min(self._tokens.give(tokens, taken_at, now), self._tokens.capacity)
        if quota is not None and quota is self.quota:
            quota.take(-1, -tokens)

    def correct(self, more: int, taken_at: float, quota: Quota | None) -> None:
        """Take *more* tokens than were taken at loop time *taken_at* out of *quota*; give them back when negative."""
        if self._tokens and more > 0:
            self._tokens.take(more, self.now())
        elif self._tokens and more < 0:
            self.passed -= min(self._tokens.give(-more, taken_at, self.now()), self._tokens.capacity)
        if quota is not None and quota is self.quota:
            quota.take(0, more)

    def pause(self, seconds: float) -> None:
        """Let nobody pass for *seconds*."""
        self.paused_until = max(self.paused_until, self.now() + seconds)

    def remaining(self, requests: float | None, tokens: float | None, reset_s: float) -> None:
        """Let no more pass than the provider says is left for *reset_s* seconds; None where it does not say."""
        now = self.now()
        before = self.quota if self.quota is not None and self.quota.until > now else None
        self.quota = told(before, requests, tokens, now + reset_s)


def _bucket(amount: float, limits: GateLimits, *, exact: bool) -> Bucket | None:
    return None if amount == math.inf else Bucket(amount, limits.window_s, limits.burst, exact=exact)
