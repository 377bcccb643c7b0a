"""Retry: the same call again, when that is safe, likely to help, in time and within the retry budget."""

import asyncio
from typing import TypeVar

from coordinator.domain import ports
from coordinator.domain.calls import Attempt
from coordinator.domain.errors import Fault, Unsent
from coordinator.domain.events import Kind
from coordinator.domain.layer import Handler
from coordinator.domain.limits import RetryLimits
from coordinator.domain.model import Answered
from coordinator.domain.outcomes import Outcome, consequence, outcome, permits

A = TypeVar("A", bound=Attempt)
R = TypeVar("R")


class Retry:
    """Repeats an attempt that failed for a passing reason, after an exponentially growing wait with full jitter.

    A wait that the outside asked for comes before it, so that those who were turned away together do not come back
    together. No wait reaches beyond the call's deadline: then the failure stands. Every attempt passes what stands
    inside of this layer again: gate, money, breaker and timeout. An attempt for which nothing was sent is none that the
    retry budget counts.

    See "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Args:
        chance: the injected randomness.
        budget: bounds what retries add to the load of a dependency.
        limits: attempts and waits.
    """

    __slots__ = ("_budget", "_chance", "_limits")

    def __init__(self, chance: ports.Chance, budget: ports.RetryBudget, limits: RetryLimits | None = None) -> None:
        self._chance = chance
        self._budget = budget
        self._limits = limits or RetryLimits()

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        first = True
        while True:
            try:
                reply = await then(call)
            except Answered:
                if not first:
                    self._budget.helped(call.dependency)
                raise
            except Unsent:
                continue
            except Fault as fault:
                unsent = outcome(fault) is Outcome.UNSENT
                if first and not unsent:
                    self._budget.request(call.dependency)
                wait = self._wait(call, fault, free=unsent)
                if wait is None:
                    raise
                _tell(call, fault, wait)
            else:
                count = self._budget.request if first else self._budget.helped
                count(call.dependency)
                return reply
            # Outside the handler, so that the wait holds no traceback alive.
            call.scope.run.waited("retries", wait)
            await asyncio.sleep(wait)
            call = call.again()
            first = first and unsent

    def _wait(self, call: Attempt, fault: Fault, *, free: bool) -> float | None:
        limits = self._limits
        if call.attempt >= limits.attempts or not fault.transient:
            return None
        if not permits(consequence(fault).retry, call.effect, keyed=call.keyed):
            return None
        wait = self._chance() * min(limits.longest_s, limits.base_s * 2 ** (call.attempt - 1))
        if fault.retry_after is not None:
            wait += fault.retry_after
        if call.scope.run.now() + wait >= call.deadline:
            return None
        return wait if free or self._budget.retry(call.dependency) else None


def _tell(call: Attempt, fault: Fault, wait: float) -> None:
    attempt = call.attempt + 1
    data = {"attempt": attempt, "wait_s": wait, "code": fault.code, "dependency": call.dependency}
    call.scope.run.emit(Kind.RETRY, call.scope.agent, f"{call.step}#{attempt}", data)
