"""Breakers in one process: pybreaker's state machine behind an adapter that is safe under asyncio.

pybreaker is never on the stack at an await: it would hold a thread lock there, count cancellations as failures and let
every waiting call probe at once. So admission is ours, on the loop's clock, and so is the count of failures, which must
know of the calls that are still under way; pybreaker keeps the state.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

import pybreaker
from pybreaker import STATE_CLOSED, STATE_OPEN

from coordinator.domain.errors import CoordinatorError, Fault, Reached, Refused
from coordinator.domain.limits import BreakerLimits
from coordinator.domain.timer import Clock, clock
from coordinator.domain.value import value
from coordinator.stores.memory.window import Window

# Calls that are let through one after another, and count as begun at one time: to remember each would cost more.
TOGETHER = 20

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
    under_way: int = 0
    """Calls that were let through since the last change of state and have not ended."""

    @property
    def health(self) -> float:
        """Return the share of the window's calls that went well; 0 unless the breaker is closed."""
        if self.state != STATE_CLOSED:
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
        limits, special = default or BreakerLimits(), dict(named or {})
        self._breakers = _Breakers(lambda name: Breaker(name, special.get(name, limits), on_transition))
        self.of = self._breakers.__getitem__
        """Return the breaker of a dependency, made on first use; the dictionary's own method, as every call asks."""

    def snapshot(self) -> tuple[BreakerState, ...]:
        """Return every breaker as it stands."""
        return tuple(breaker.snapshot() for breaker in self._breakers.values())


class _Breakers(dict[str, "Breaker"]):
    def __init__(self, made: Callable[[str], "Breaker"]) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, dependency: str) -> "Breaker":
        breaker = self[dependency] = self._made(dependency)
        return breaker


class Breaker(pybreaker.CircuitBreakerListener):
    """A switch that stops calls to what is down.

    *failures* in a row open it, and so does a share of failures of *rate* among at least *calls* results of the last
    *window_s* seconds, counted from a failure on; a success never opens it. Quick failures overtake slow successes: so
    neither opens it as long as the calls that began before the failing one, and are still under way, could outweigh it
    if they went well. After the cooldown one probe may pass, whose success closes it and whose failure opens it again.
    Results of calls that began before the last change of state are dropped. Needs a running event loop.

    Args:
        dependency: whose switch it is.
        limits: when to open, and for how long.
        on_transition: is told every change of state.
    """

    def __init__(self, dependency: str, limits: BreakerLimits, on_transition: OnTransition | None = None) -> None:
        self._dependency = dependency
        self._limits = limits
        self._on_transition = on_transition
        self._clock: Clock | None = None
        self._opened_at = 0.0
        self._reason = ""
        self._last = ("", "")
        """Code and hint of the last failure; not its words, which may be about another tenant's call."""
        self._trips = self._failures = self._refused = 0
        self._window = Window(limits.window_s)
        self._period: list[Trial] = []
        """The shared trials since the last change of state, in their order, whose calls are under way."""
        self._calm = self._next()
        self._probe: Trial | None = None
        self.state: str = STATE_CLOSED
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
        if self.state == STATE_CLOSED:
            calm = self._calm if self._calm.room else self._next()
            calm.room -= 1
            calm.under_way += 1
            return calm
        left = self._opened_at + self._limits.cooldown_s - self._now()
        if self.state == STATE_OPEN and left <= 0:
            self._machine.half_open()
        if self.state == STATE_OPEN or self._probe is not None:
            self._refused += 1
            raise self._refusal(left if left > 0 else self._limits.cooldown_s)
        self._probe = Trial(self, [])
        return self._probe

    def ended(self, trial: "Trial", *, failed: bool | None) -> None:
        """Take the result of *trial* into account; None when it says nothing about health."""
        if trial is self._probe:
            self._probe = None
        elif trial.period is not self._period:
            return
        if failed is None:
            return
        if failed:
            self._fail(trial)
            return
        if self._window.calls:
            self._window.count(self._now(), failed=False)
        self._failures = 0
        if trial.period is not self._period:
            self._record(_pass)
        self.spotless = self.state == STATE_CLOSED and not self._window.calls

    def blame(self, error: Exception) -> None:
        """Keep what can be told to everybody of *error*, by which a call failed."""
        if isinstance(error, CoordinatorError):
            self._last = (error.code, error.hint)

    def snapshot(self) -> BreakerState:
        """Return the breaker as it stands."""
        if self._clock is not None:
            self._window.forget(self._clock())
        window = self._window
        opens_at = self._opened_at + self._limits.cooldown_s if self.state == STATE_OPEN else 0.0
        return BreakerState(
            self._dependency, self.state, self._failures, self._trips, self._probe is not None,
            window.calls, window.failed, self._refused, opens_at, sum(trial.under_way for trial in self._period),
        )  # fmt: skip

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        """Follow pybreaker into *new_state*; a new period begins, and the trials of the old one no longer count."""
        old, self.state = self.state, new_state.name
        self._period, self._probe = [], None
        self._calm = self._next()
        if self.state == STATE_OPEN:
            self._opened_at = self._now()
            self._trips += 1
        elif self.state == STATE_CLOSED:
            self._failures = 0
        self._window.clear()
        self.spotless = self.state == STATE_CLOSED
        if self._on_transition is not None:
            self._on_transition(self._dependency, old, self.state)

    def _next(self) -> "Trial":
        """Begin the trial that the next calls share."""
        self._period[:] = [trial for trial in self._period if trial.under_way]
        self._calm = Trial(self, self._period)
        self._period.append(self._calm)
        return self._calm

    def _overtaken(self, failing: "Trial") -> int:
        """Return how many calls are under way that began with *failing* or before it."""
        began = self._period.index(failing) + 1
        return sum(trial.under_way for trial in self._period[:began])

    def _fail(self, trial: "Trial") -> None:
        self.spotless = False
        self._failures += 1
        window, limits = self._window, self._limits
        window.count(self._now(), failed=True)
        more = "more than " if self._failures > limits.failures else ""
        self._reason = f"it failed {more}{min(self._failures, limits.failures)} times in a row"
        if self.state != STATE_CLOSED:
            self._record(_fail)
            return
        overtaken = self._overtaken(trial)
        if self._failures >= max(limits.failures, overtaken):
            self._machine.open()
        elif window.calls >= limits.calls and window.failed >= limits.rate * (window.calls + overtaken):
            self._reason = f"{window.failed} of its last {window.calls} calls failed"
            self._machine.open()

    def _record(self, result: Callable[[], None]) -> None:
        with suppress(_FailedError):
            self._machine.call(result)

    def _now(self) -> float:
        # Kept, because asking for the running loop is a system call in Python 3.11.
        if self._clock is None:
            self._clock = clock(asyncio.get_running_loop())
        return self._clock()

    def _refusal(self, retry_after: float) -> Refused:
        # Agents are told message and hint: with the same words every time, a cache can answer what they ask then.
        refusal = Refused(
            f"{self._dependency} is not called: {self._reason}",
            code="breaker_open", hint=f"it is tried again within {math.ceil(self._limits.cooldown_s)} s",
            retry_after=retry_after, passing=True,
        )  # fmt: skip
        code, hint = self._last
        if hint:  # what a person can repair; agents are told the refusal alone
            refusal.__cause__ = Fault(refusal.message, reached=Reached.MAYBE, code=code, hint=hint)
        return refusal


class Trial:
    """Leave to call something; the one of a probe is its permit, so exactly one method must end it."""

    __slots__ = ("_breaker", "period", "room", "under_way")

    def __init__(self, breaker: Breaker, period: list["Trial"]) -> None:
        self._breaker = breaker
        self.period = period
        """All that began since the same change of state; a probe stands alone."""
        self.room = TOGETHER
        """How many calls may still share it: of each it matters only when it began and that it is under way."""
        self.under_way = 0
        """Calls that share it and have not ended; a probe shares its own with nobody, and is not counted."""

    def succeeded(self) -> bool:
        """Say that the call went well, and be told whether that has closed the breaker."""
        self.under_way -= 1
        breaker = self._breaker
        if breaker.spotless:
            return False
        before = breaker.state
        breaker.ended(self, failed=False)
        return breaker.state != before

    def failed(self, error: Exception) -> None:
        """Say that the call failed in a way that counts."""
        self.under_way -= 1
        self._breaker.blame(error)
        self._breaker.ended(self, failed=True)

    def returned(self) -> None:
        """Say nothing about health: the call was cancelled, refused or invalid."""
        self.under_way -= 1
        self._breaker.ended(self, failed=None)


class _FailedError(Exception):
    """Stands for the real error, whose traceback pybreaker would lengthen."""


def _fail() -> None:
    raise _FailedError


def _pass() -> None:
    return None
