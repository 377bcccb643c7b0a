"""Timeout: how long one attempt may take."""

import asyncio
import math
from typing import TypeVar

from coordinator.domain.calls import Attempt
from coordinator.domain.effects import Effect
from coordinator.domain.errors import CoordinatorError, Fault, Reached, UnknownOutcome
from coordinator.domain.layer import Handler
from coordinator.domain.result import Issue
from coordinator.domain.timer import Alarms, Timer

A = TypeVar("A", bound=Attempt)
R = TypeVar("R")


class Timeout:
    """Gives up an attempt after the call's timeout.

    When the call's deadline is nearer, no timer is set: that expiry cancels the run and says nothing about the
    dependency's health, which many runs share.

    Args:
        alarms: wakes the timers of all attempts; the loop does, when left out.

    Raises:
        Fault: `timeout`, reached maybe, of a call that reads or may be repeated.
        UnknownOutcome: an effect was sent, and whether it happened is not known.
    """

    __slots__ = ("_alarms",)

    def __init__(self, alarms: Alarms | None = None) -> None:
        self._alarms = alarms

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        loop = call.scope.run.loop
        when = loop.time() + call.timeout
        # Beyond the deadline no timer is needed, and an infinite one sets none.
        timer = Timer(math.inf, loop) if call.deadline <= when else Timer(when, loop, self._alarms)
        try:
            with timer:
                return await then(call)
        except asyncio.CancelledError:
            _note_cut_off(call)
            raise
        except TimeoutError:
            if not timer.expired:
                raise
        raise _lost(call)


def _note_cut_off(call: Attempt) -> None:
    """Keep in the result that an effect was under way when the call was cancelled: nobody knows whether it happened."""
    if call.effect is Effect.READ or call.keyed:
        return
    message = f"{call.dependency} was cut off, and whether its effect ({call.effect.value}) happened is not known"
    issue = Issue(code="unknown_outcome", message=message, part=call.dependency)
    call.scope.run.note(issue, call.scope.agent, call.step)


def _lost(call: Attempt) -> CoordinatorError:
    message = f"{call.dependency} gave no answer in {call.timeout:g} s"
    if call.effect is Effect.READ or call.keyed:
        return Fault(message, reached=Reached.MAYBE, code="timeout")
    return UnknownOutcome(
        f"{message}, and whether its effect ({call.effect.value}) happened is not known",
        hint="a person must look before it is tried again",
    )  # fmt: skip
