"""Timeout: how long one attempt may take."""

import asyncio
import math
from typing import TypeVar

from coordinator.domain.calls import Attempt, ModelCall
from coordinator.domain.effects import Effect
from coordinator.domain.errors import CoordinatorError, Fault, Reached, UnknownOutcome, Unsent, caused
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
        Fault: `timeout`, reached maybe, of a call that reads or may be repeated; not reached, of one that waited for
            the reply to another's request.
        UnknownOutcome: an effect was sent, and whether it happened is not known.
    """

    __slots__ = ("_alarms",)

    def __init__(self, alarms: Alarms | None = None) -> None:
        self._alarms = alarms

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        run = call.scope.run
        loop, when = run.loop, run.now() + call.timeout
        # Beyond the deadline no timer is needed, and an infinite one sets none.
        timer = Timer(math.inf, loop) if call.deadline <= when else Timer(when, loop, self._alarms)
        try:
            with timer:
                return await then(call)
        except asyncio.CancelledError:
            _note_cut_off(call)
            raise
        except TimeoutError as error:
            if not timer.expired:
                raise
            unsent = _unsent(error)
        raise _lost(call, unsent)


def _note_cut_off(call: Attempt) -> None:
    """Keep in the result that an effect was under way when the call was cancelled: nobody knows whether it happened."""
    if call.effect is Effect.READ or call.keyed:
        return
    message = f"{call.dependency} was cut off, and whether its effect ({call.effect.value}) happened is not known"
    issue = Issue(code="unknown_outcome", message=message, part=call.dependency)
    call.scope.run.note(issue, call.scope.agent, call.step)


def _unsent(error: TimeoutError) -> Unsent | None:
    """Return why nothing had been sent when the timer cancelled the call, if so."""
    cut_off = error.__cause__
    cause = cut_off.__cause__ if cut_off is not None else None
    return cause if isinstance(cause, Unsent) else None


def _lost(call: Attempt, unsent: Unsent | None) -> CoordinatorError:
    message = f"{call.dependency} gave no answer in {call.timeout:g} s"
    if unsent is not None:
        return caused(Fault(message, reached=Reached.NO, code="timeout"), unsent)
    if call.effect is Effect.READ or call.keyed:
        hint = "raise model_timeout_s, or choose another model" if isinstance(call, ModelCall) else ""
        return Fault(message, reached=Reached.MAYBE, code="timeout", hint=hint)
    return UnknownOutcome(
        f"{message}, and whether its effect ({call.effect.value}) happened is not known",
        hint="a person must look before it is tried again",
    )  # fmt: skip
