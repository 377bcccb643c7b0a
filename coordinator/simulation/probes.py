"""What breakers let through, counted where it arrives: a layer inside everything else."""

from collections.abc import Callable
from typing import Any, TypeVar

from coordinator.domain.calls import Attempt
from coordinator.domain.layer import Handler

A = TypeVar("A", bound=Attempt)
R = TypeVar("R")


class Probes:
    """Watches that a breaker lets nobody through while it is open, and one call at a time when it is half open.

    It is the innermost layer of models and of tools, so that every model and every tier of a tool is watched.

    Args:
        breakers: those of the world.
        told: hears of every breach.
    """

    def __init__(self, breakers: Any, told: Callable[[str], None]) -> None:
        self._breakers = breakers
        self._told = told
        self._probing: dict[str, int] = {}

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        dependency = call.dependency
        state = self._breakers.of(dependency).state
        if state == "closed":
            return await then(call)
        if state == "open":
            self._told(f"breaker: {dependency} was called while it is open")
            return await then(call)
        probing = self._probing[dependency] = self._probing.get(dependency, 0) + 1
        if probing > 1:
            self._told(f"breaker: {dependency} is probed by {probing} calls at once")
        try:
            return await then(call)
        finally:
            self._probing[dependency] -= 1
