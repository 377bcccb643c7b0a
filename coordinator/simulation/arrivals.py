"""What gates let through, counted where it arrives: a layer inside everything else."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from coordinator.domain.calls import Attempt
from coordinator.domain.layer import Handler
from coordinator.domain.limits import EVERYBODY, GateLimits
from coordinator.domain.outcomes import Slot, consequence
from coordinator.simulation.bounds import LimitsOf

A = TypeVar("A", bound=Attempt)
R = TypeVar("R")

# The turn of the loop between a place and the call that it is for.
LATE_S = 1e-3


class Arrivals:
    """Watches that no window sees more calls arrive than the limits of their gates allow.

    Gates count what they let through; a place that is used later than it was given is only seen here.

    Where turns of the loop take time, calls may arrive late, and so closer together than they were let through. Then
    what looks like a breach waits for `judge`, which is told how late they may have been.

    Args:
        limits: of the gates, by their names.
        told: hears of every breach.
        at_once: whether turns of the loop take no time to speak of, as in virtual time.
    """

    def __init__(self, limits: LimitsOf, told: Callable[[str], None], *, at_once: bool = True) -> None:
        self._limits = limits
        self._told = told
        self._at_once = at_once
        self._arrived: dict[str, deque[float]] = {}
        self._suspects: dict[str, tuple[float, str]] = {}
        """By gate: how late a call must have been for it to have been let through in time, and what is told if not."""

    def judge(self, late_s: float) -> None:
        """Tell of what is a breach even if calls arrived up to *late_s* seconds after they were let through."""
        suspects, self._suspects = self._suspects, {}
        for needed_s, what in suspects.values():
            if needed_s > late_s:
                self._told(what)

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        now = call.scope.run.now()
        limited = [(gate, limits) for gate in _gates(call) if (limits := self._limits(gate)) is not None]
        for gate, limits in limited:
            self._count(gate, limits, now)
        try:
            return await then(call)
        except BaseException as error:
            if consequence(error).gate is Slot.REFUND:  # it was never there, and another may come in its place
                for gate, _ in limited:
                    with suppress(ValueError):  # its window has passed
                        self._arrived[gate].remove(now)
            raise

    def _count(self, gate: str, limits: GateLimits, now: float) -> None:
        arrived = self._arrived.setdefault(gate, deque())
        arrived.append(now)
        while arrived[0] <= now - limits.window_s + LATE_S:
            arrived.popleft()
        if len(arrived) > limits.requests:
            needed_s = arrived[-1 - int(limits.requests)] - (now - limits.window_s)
            if needed_s > self._suspects.get(gate, (0.0,))[0]:
                within = f"within {limits.window_s:g} s, where {limits.requests:g} may"
                self._suspects[gate] = needed_s, f"gate: {len(arrived)} calls arrived through {gate} {within}"
            if self._at_once:
                self.judge(LATE_S)


def _gates(call: Attempt) -> Iterator[str]:
    """Name the gates that a call must have passed."""
    who = call.scope.tenant
    provider, of_model, _ = call.dependency.partition(":")
    yield call.dependency
    yield f"agent {call.scope.agent}"
    yield f"tenant {who.tenant}"
    yield EVERYBODY
    if who.user:
        yield f"user {who.tenant}/{who.user}"
    if of_model:
        yield f"provider {provider}"
