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

    Args:
        limits: of the gates, by their names.
        told: hears of every breach.
    """

    def __init__(self, limits: LimitsOf, told: Callable[[str], None]) -> None:
        self._limits = limits
        self._told = told
        self._arrived: dict[str, deque[float]] = {}

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        now = call.scope.run.loop.time()
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
            self._told(
                f"gate: {len(arrived)} calls arrived through {gate} within {limits.window_s:g} s,"
                f" where {limits.requests:g} may"
            )


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
