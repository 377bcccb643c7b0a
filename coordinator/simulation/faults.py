"""Faults on demand: the innermost layer of the tool and model pipelines when a scenario names some."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coordinator.domain.calls import ModelCall, ToolCall
from coordinator.domain.effects import Effect
from coordinator.domain.errors import CoordinatorError, Fault, Reached, Throttle, UnknownOutcome
from coordinator.domain.layer import Handler
from coordinator.domain.ports import Chance

A = TypeVar("A", ToolCall, ModelCall)
R = TypeVar("R")

Wait = Annotated[float, Field(ge=0, le=31 * 86_400, allow_inf_nan=False)]

Failure = Literal["timeout", "error", "unreached", "throttled", "denied", "crash", "slow", "lost"]


class FaultRule(BaseModel):
    """One entry of `faults:` in a scenario: which tool or model fails, how, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str | None = Field(default=None, description="The name of the tool that fails.", min_length=1)
    tier: int = Field(default=0, ge=0, description="Which of the tool's implementations fails, counted from 0.")
    model: str | None = Field(
        default=None, min_length=1,
        description="The model that fails, in place of a tool: offline, provider:model, or provider:* for all of one.",
    )  # fmt: skip
    fail: Failure = Field(
        description="timeout: its reply is lost. error: it answers with an error. unreached: it cannot be connected. "
        "throttled: it asks to be called later. denied: it refuses access. crash: the code of a tool raises. "
        "slow: it answers after `delay_s` seconds. lost: it does its work, and then its reply is lost."
    )
    times: int | None = Field(default=None, ge=1, description="How many attempts fail; all, when left out.")
    after: int = Field(default=0, ge=0, description="How many attempts go well before the first failure.")
    chance: float = Field(
        default=1.0, gt=0, le=1, allow_inf_nan=False,
        description="The share of the remaining attempts that fails, at random; all, when left out.",
    )  # fmt: skip
    delay_s: Wait = Field(default=1.0, description="Seconds by which `slow` delays the answer.")
    retry_after_s: Wait | None = Field(
        default=None, description="Seconds after which `throttled` asks to be called again."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.tool is None) is (self.model is None):
            raise ValueError("should name either a tool or a model")
        if self.model is not None and (self.tier or self.fail == "crash"):
            raise ValueError(f"should be about a tool, because a model has no {'tiers' if self.tier else 'code'}")
        return self

    def hits(self, call: ToolCall | ModelCall) -> bool:
        """Say whether *call* is of what the rule names."""
        if isinstance(call, ToolCall):
            return self.tool == call.name and self.tier == call.tier
        return self.model is not None and names_model(self.model, call.dependency)


def names_model(name: str, model: str) -> bool:
    """Say whether *name* (`offline`, `openai:gpt-…` or `openai:*`) means *model*, which is written like the first two.

    A provider that is one model may also be written `offline:offline`, as its gate and breaker are called.
    """
    provider, _, which = name.partition(":")
    theirs, _, its = model.partition(":")
    return provider == theirs and (which == "*" or (which or provider) == (its or theirs))


class Faults(Generic[A, R]):
    """Lets attempts fail as the rules say; each instance counts for itself.

    Args:
        rules: the first that is due decides; each counts the attempts that no rule before it has failed.
        chance: the injected randomness, for rules that fail a share of the attempts.

    Raises:
        Fault, UnknownOutcome: what the matching rule names, at once and before anything is called; `lost` after it.
    """

    def __init__(self, rules: Sequence[FaultRule], chance: Chance = lambda: 0.0) -> None:
        self._rules = [(rule, _Count()) for rule in rules]
        self._chance = chance

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        rule = self._due(call)
        if rule is None:
            return await then(call)
        if rule.fail == "slow":
            await asyncio.sleep(rule.delay_s)
            return await then(call)
        if rule.fail == "lost":
            await then(call)
        raise _failure(rule, call)

    def _due(self, call: ToolCall | ModelCall) -> FaultRule | None:
        for rule, count in self._rules:
            if not rule.hits(call):
                continue
            count.seen += 1
            if count.seen <= rule.after or (rule.times is not None and count.failed >= rule.times):
                continue
            if rule.chance < 1 and self._chance() >= rule.chance:
                continue
            count.failed += 1
            return rule
        return None


class _Count:
    __slots__ = ("failed", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.failed = 0


# How often each failure is drawn: what happens every day more often than what hardly ever does.
_WEIGHTS: Mapping[Failure, int] = {
    "slow": 4, "error": 4, "throttled": 3, "timeout": 3, "lost": 3, "unreached": 2, "denied": 1, "crash": 1,
}  # fmt: skip
FAULTY = 0.4
"""The share of tiers that a drawn plan lets fail."""


def draw_faults(tiers: Mapping[str, int], chance: Chance) -> tuple[FaultRule, ...]:
    """Draw a plan of faults: some tools fail in bursts, some now and then, most work.

    Args:
        tiers: how many implementations each tool has, by its name.
        chance: the injected randomness; the same draws give the same plan.
    """
    named = ((tool, tier) for tool, count in tiers.items() for tier in range(count))
    return tuple(_draw(tool, tier, chance) for tool, tier in named if chance() < FAULTY)


def _draw(tool: str, tier: int, chance: Chance) -> FaultRule:
    names = [name for name, weight in _WEIGHTS.items() for _ in range(weight)]
    burst = chance() < 0.3
    return FaultRule(
        tool=tool,
        tier=tier,
        fail=names[int(chance() * len(names))],
        chance=0.9 if burst else 0.02 + 0.18 * chance(),
        times=5 + int(20 * chance()) if burst else None,
        after=int(30 * chance()),
        delay_s=0.5 + 9.5 * chance(),
        retry_after_s=None if chance() < 0.5 else 0.5 + 4.5 * chance(),
    )


def _failure(rule: FaultRule, call: ToolCall | ModelCall) -> CoordinatorError:
    name = call.dependency or rule.tool
    match rule.fail:
        case "timeout" | "lost" if call.effect is not Effect.READ and not call.keyed:
            return UnknownOutcome(f"{name} gave no answer (simulated)", hint="a person must look before it is repeated")
        case "timeout" | "lost":
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
            code = "tool_error" if rule.tool else "server_error"
            return Fault(f"{name} answered with an error (simulated)", reached=Reached.YES, code=code)
