"""Breaker: what is down is not called."""

from typing import TypeVar

from coordinator.domain import ports
from coordinator.domain.calls import Attempt
from coordinator.domain.events import Kind
from coordinator.domain.layer import Handler
from coordinator.domain.outcomes import Health, consequence

A = TypeVar("A", bound=Attempt)
R = TypeVar("R")


class Breaker:
    """Asks the dependency's switch for leave, and tells it how the attempt ended by the outcome table.

    Args:
        breakers: the switches of the process.

    Raises:
        Refused: `breaker_open`, in passing, with `retry_after`.
    """

    __slots__ = ("_breakers",)

    def __init__(self, breakers: ports.Breakers) -> None:
        self._breakers = breakers

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        breaker = self._breakers.of(call.dependency)
        before = breaker.state
        trial = breaker.admit()
        if breaker.state != before:
            _tell(call, before, breaker.state)
        try:
            reply = await then(call)
        except BaseException as error:
            before = breaker.state
            if isinstance(error, Exception) and consequence(error).breaker is Health.COUNTS:
                trial.failed(error)
            else:
                trial.returned()
            if breaker.state != before:
                _tell(call, before, breaker.state)
            raise
        if trial.succeeded():
            _tell(call, "half-open", breaker.state)
        return reply


def _tell(call: Attempt, before: str, after: str) -> None:
    data = {"dependency": call.dependency, "from": before, "to": after}
    call.scope.run.emit(Kind.BREAKER, call.scope.agent, f"{call.step}#{call.attempt}", data)
