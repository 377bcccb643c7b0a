"""The bounds of gates and admission, counted from outside: by what they say that they have let through."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from coordinator.domain.limits import GateLimits
from coordinator.domain.value import value

LimitsOf = Callable[[str], GateLimits | None]
"""The limits of a gate by its name; None when it has none, or they are not watched."""


@value
class Bounds:
    """What gates and admission may let through: the limits of each gate, and how many runs may work and wait."""

    limits: LimitsOf
    runs: int
    waiting: int


class Passages:
    """Watches that no window of a gate lets more requests through than its limit, and that no queue is too long.

    Args:
        bounds: what is allowed.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._passed: dict[str, deque[tuple[float, int]]] = {}

    def look(self, gates: Iterable[Any], admission: Any, now: float) -> Iterator[str]:
        """Look at *gates* and *admission* as they stand at *now* seconds, and yield what is beyond its bounds."""
        if admission.running > self._bounds.runs or admission.waiting > self._bounds.waiting:
            yield f"admission: {admission.running} runs work and {admission.waiting} wait"
        for gate in gates:
            limits = self._bounds.limits(gate.name)
            if limits is not None:
                yield from self._judge(gate, limits, now)

    def _judge(self, gate: Any, limits: GateLimits, now: float) -> Iterator[str]:
        if gate.waiting > limits.queue:
            yield f"gate: {gate.waiting} calls wait for {gate.name}, where {limits.queue} may"
        looks = self._passed.setdefault(gate.name, deque())
        passed = gate.admitted - gate.refunded
        looks.append((now, passed))
        # What came between two looks may have come before the window: only what surely came in it counts.
        while looks[0][0] < now - limits.window_s:
            looks.popleft()
        within = passed - looks[0][1]
        if within > limits.requests:
            allowed = f"where {limits.requests:g} may"
            yield f"gate: {within} requests passed {gate.name} within {limits.window_s:g} s, {allowed}"
