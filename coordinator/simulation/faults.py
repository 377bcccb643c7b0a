"""Faults on demand: the innermost layer of the tool pipeline when a scenario names some."""

import asyncio
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from coordinator.domain.calls import ToolCall, ToolReply
from coordinator.domain.effects import Effect
from coordinator.domain.errors import CoordinatorError, Fault, Reached, Throttle, UnknownOutcome
from coordinator.domain.layer import Handler

Failure = Literal["timeout", "error", "unreached", "throttled", "denied", "crash", "slow"]


class FaultRule(BaseModel):
    """One entry of `faults:` in a scenario: which tool fails, how, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str = Field(description="The name of the tool that fails.", min_length=1)
    tier: int = Field(default=0, ge=0, description="Which of its implementations fails, counted from 0.")
    fail: Failure = Field(
        description="timeout: its reply is lost. error: it answers with an error. unreached: it cannot be connected. "
        "throttled: it asks to be called later. denied: it refuses access. crash: its code raises. "
        "slow: it answers after `delay_s` seconds."
    )
    times: int | None = Field(default=None, ge=1, description="How many attempts fail; all, when left out.")
    after: int = Field(default=0, ge=0, description="How many attempts go well before the first failure.")
    delay_s: float = Field(default=1.0, ge=0, description="Seconds by which `slow` delays the answer.")
    retry_after_s: float | None = Field(
        default=None, ge=0, description="Seconds after which `throttled` asks to be called again."
    )


class Faults:
    """Lets attempts fail as the rules say; each instance counts for itself.

    Raises:
        Fault, UnknownOutcome: what the matching rule names, at once and before the tool is called.
    """

    def __init__(self, rules: Sequence[FaultRule]) -> None:
        self._rules = [(rule, _Count()) for rule in rules]

    async def __call__(self, call: ToolCall, then: Handler[ToolCall, ToolReply]) -> ToolReply:
        rule = self._due(call)
        if rule is None:
            return await then(call)
        if rule.fail != "slow":
            raise _failure(rule, call)
        await asyncio.sleep(rule.delay_s)
        return await then(call)

    def _due(self, call: ToolCall) -> FaultRule | None:
        for rule, count in self._rules:
            if rule.tool != call.name or rule.tier != call.tier:
                continue
            count.seen += 1
            failed = count.seen - rule.after
            if failed >= 1 and (rule.times is None or failed <= rule.times):
                return rule
        return None


class _Count:
    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0


def _failure(rule: FaultRule, call: ToolCall) -> CoordinatorError:
    name = call.dependency or call.name
    match rule.fail:
        case "timeout" if call.effect is not Effect.READ and not call.keyed:
            return UnknownOutcome(f"{name} gave no answer (simulated)", hint="a person must look before it is repeated")
        case "timeout":
            return Fault(f"{name} gave no answer (simulated)", reached=Reached.MAYBE, code="timeout")
        case "unreached":
            return Fault(f"{name} could not be reached (simulated)", reached=Reached.NO, code="unreached")
        case "throttled":
            return Fault(
                f"{name} asked to be called later (simulated)", reached=Reached.YES, code="throttled",
                turned_away=Throttle.THROTTLED, retry_after=rule.retry_after_s,
            )  # fmt: skip
        case "denied":
            return Fault(
                f"{name} denied access (simulated)", reached=Reached.YES, transient=False, code="denied",
                turned_away=Throttle.DENIED,
            )  # fmt: skip
        case "crash":
            return Fault(f"{name} crashed (simulated)", reached=Reached.YES, transient=False, code="tool_crashed")
        case _:
            return Fault(f"{name} answered with an error (simulated)", reached=Reached.YES, code="tool_error")
