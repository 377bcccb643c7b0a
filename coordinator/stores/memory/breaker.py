"""Breakers in one process: pybreaker's state machine behind an adapter that is safe under asyncio.

pybreaker is never on the stack at an await: it would hold a thread lock there, count cancellations as failures and let
every waiting call probe at once. So admission is ours, on the loop's clock; pybreaker counts, and says when to trip.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

import pybreaker

from coordinator.domain.errors import Refused
from coordinator.domain.limits import BreakerLimits
from coordinator.domain.value import value
from coordinator.stores.memory.window import Window

OnTransition = Callable[[str, str, str], None]
"""Is told dependency, old state and new state, at once and synchronously."""


@value
class BreakerState:
    """One breaker: its state, failures in a row, how often it tripped, and what it saw and refused."""

    dependency: str
    state: str
    failures: int
    trips: int
    probing: bool
    calls: int = 0
    """Results in the window; it begins anew with every change of state."""
    failed: int = 0
    """Those of them that were failures."""
    refused: int = 0
    """Calls that were not let through, since the start."""
    opens_at: float = 0.0
    """Loop time from which a probe may pass, while the breaker is open."""

    @property
    def health(self) -> float:
        """Return the share of the window's calls that went well; 0 unless the breaker is closed."""
        if self.state != pybreaker.STATE_CLOSED:
            return 0.0
        return 1 - self.failed / self.calls if self.calls else 1.0


class Breakers:
    """The breakers of a process, one per dependency.

    Args:
        default: the limits of every dependency that has none of its own.
        named: limits by dependency.
        on_transition: is told every change of state.
    """

    def __init__(
        self,
        default: BreakerLimits | None = None,
        named: dict[str, BreakerLimits] | None = None,
        on_transition: OnTransition | None = None,
    ) -> None:
        self._default = default or BreakerLimits()
        self._named = dict(named or {})
        self._on_transition = on_transition
        self._breakers: dict[str, Breaker] = {}

    def of(self, dependency: str) -> "Breaker":
        """Return the breaker of *dependency*, made on first use."""
        breaker = self._breakers.get(dependency)
        if breaker is None:
            limits = self._named.get(dependency, self._default)
            breaker = self._breakers[dependency] = Breaker(dependency, limits, self._on_transition)
        return breaker

    def snapshot(self) -> tuple[BreakerState, ...]:
        """Return every breaker as it stands."""
        return tuple(breaker.snapshot() for breaker in self._breakers.values())


class Breaker(pybreaker.CircuitBreakerListener):
    """A switch that stops calls to what is down.

    *failures* in a row open it, and so does a share of failures of *rate* among at least *calls* results of the last
    *window_s* seconds, counted from a failure on; a success never opens it. After the cooldown one probe may pass,
    whose success closes it and whose failure opens it again. Results of calls that began before the last change of
    state are dropped. Needs a running event loop.

    Args:
        dependency: whose switch it is.
        limits: when to open, and for how long.
        on_transition: is told every change of state.
    """

    def __init__(self, dependency: str, limits: BreakerLimits, on_transition: OnTransition | None = None) -> None:
        self._dependency = dependency
        self._limits = limits
        self._on_transition = on_transition
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened_at = 0.0
        self._reason = ""
        self._trips = self._failures = self._refused = 0
        self._window = Window(limits.window_s)
        self._calm = Trial(self)
        self._probe: Trial | None = None
        self.state: str = pybreaker.STATE_CLOSED
        self.spotless = True
        """Whether it is closed and remembers no failure, so that a success says nothing new."""
        self._machine = pybreaker.CircuitBreaker(
            fail_max=limits.failures, reset_timeout=limits.cooldown_s, listeners=[self], throw_new_error_on_trip=False
        )

    def admit(self) -> "Trial":
        """Let a call through.

        Raises:
            Refused: `breaker_open`, in passing, with `retry_after`.
        """
        if self.state == pybreaker.STATE_CLOSED:
            # All calls of one closed period share one trial: none of them holds anything that could be lost.
            return self._calm
        left = self._opened_at + self._limits.cooldown_s - self._now()
        if self.state == pybreaker.STATE_OPEN and left <= 0:
            self._machine.half_open()
        if self.state == pybreaker.STATE_OPEN or self._probe is not None:
            self._refused += 1
            raise self._refusal(left if left > 0 else self._limits.cooldown_s)
        self._probe = Trial(self)
        return self._probe

    def ended(self, trial: "Trial", *, failed: bool | None) -> None:
        """Take the result of *trial* into account; None when it says nothing about health."""
        if trial is self._probe:
            self._probe = None
        elif trial is not self._calm:
            return
        if failed is None:
            return
        if failed:
            self._fail()
            return
        if self._window.calls:
            self._window.count(self._now(), failed=False)
        if self._failures or trial is not self._calm:
            self._failures = 0
            self._record(_pass)
        self.spotless = self.state == pybreaker.STATE_CLOSED and not self._window.calls

    def snapshot(self) -> BreakerState:
        """Return the breaker as it stands."""
        if self._loop is not None:
            self._window.forget(self._loop.time())
        window = self._window
        opens_at = self._opened_at + self._limits.cooldown_s if self.state == pybreaker.STATE_OPEN else 0.0
        return BreakerState(
            self._dependency, self.state, self._failures, self._trips, self._probe is not None,
            window.calls, window.failed, self._refused, opens_at,
        )  # fmt: skip

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        """Follow pybreaker into *new_state*; a new period begins, and the trials of the old one no longer count."""
        old, self.state = self.state, new_state.name
        self._calm, self._probe = Trial(self), None
        if self.state == pybreaker.STATE_OPEN:
            self._opened_at = self._now()
            self._trips += 1
        elif self.state == pybreaker.STATE_CLOSED:
            self._failures = 0
        self._window.clear()
        self.spotless = self.state == pybreaker.STATE_CLOSED
        if self._on_transition is not None:
            self._on_transition(self._dependency, old, self.state)

    def _fail(self) -> None:
        self.spotless = False
        self._failures += 1
        window, limits = self._window, self._limits
        window.count(self._now(), failed=True)
        more = "more than " if self._failures > limits.failures else ""
        self._reason = f"it failed {more}{min(self._failures, limits.failures)} times in a row"
        if (
            self.state == pybreaker.STATE_CLOSED
            and self._failures < limits.failures
            and window.calls >= limits.calls
            and window.failed >= limits.rate * window.calls
        ):
            self._reason = f"{window.failed} of its last {window.calls} calls failed"
            self._machine.open()
            return
        self._record(_fail)

    def _record(self, result: Callable[[], None]) -> None:
        with suppress(_FailedError):
            self._machine.call(result)

    def _now(self) -> float:
        # Kept, because asking for the running loop is a system call in Python 3.11.
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def _refusal(self, retry_after: float) -> Refused:
        # Agents are told message and hint: with the same words every time, a cache can answer what they ask then.
        return Refused(
            f"{self._dependency} is not called: {self._reason}",
            code="breaker_open", hint=f"it is tried again within {math.ceil(self._limits.cooldown_s)} s",
            retry_after=retry_after, passing=True,
        )  # fmt: skip


class Trial:
    """Leave to call something; the one of a probe is its permit, so exactly one method must end it."""

    __slots__ = ("_breaker",)

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def succeeded(self) -> None:
        """Say that the call went well."""
        if not self._breaker.spotless:
            self._breaker.ended(self, failed=False)

    def failed(self, error: Exception) -> None:
        """Say that the call failed in a way that counts."""
        self._breaker.ended(self, failed=True)

    def returned(self) -> None:
        """Say nothing about health: the call was cancelled, refused or invalid."""
        self._breaker.ended(self, failed=None)


class _FailedError(Exception):
    """Stands for the real error, whose traceback pybreaker would lengthen."""


def _fail() -> None:
    raise _FailedError


def _pass() -> None:
    return None
