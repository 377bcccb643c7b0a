"""What goes wrong on purpose: the mishaps of simulated models, and those that only a wire can have."""

from collections.abc import Sequence
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coordinator.domain.ports import Chance
from coordinator.models.simulated import Mishap

WireMishap = Literal[
    "timeout", "error", "denied", "slow", "lost", "overloaded", "no_quota", "html", "invalid_json", "stall_midway",
    "error_midway", "no_usage",
]  # fmt: skip
MISHAPS: tuple[str, ...] = get_args(Mishap)
FAILURES: tuple[str, ...] = (*get_args(WireMishap), *MISHAPS)

TOLD = {
    "timeout": "no answer, ever",
    "error": "500",
    "denied": "403",
    "slow": "the answer comes `delay_s` seconds later",
    "lost": "the answer is made, and then the connection is closed in place of it",
    "overloaded": "503, of Anthropic 529",
    "no_quota": "no money is left",
    "html": "502 with the HTML page of a proxy",
    "invalid_json": "an answer that is not JSON",
    "stall_midway": "half of the answer, and then nothing more",
    "error_midway": "half of the answer, and then an error",
    "no_usage": "an answer that does not say what was used",
    "throttled": "429",
    "throttled_until": "429 with the time to wait",
    "server_error": "500",
    "unreached": "the connection is closed at once",
    "cut": "half of the answer, and then the connection is closed",
    "stall": "no answer, ever",
    "wrong_usage": "a bill of any amount up to the bound of the call",
    "overrun": "a bill above the bound of the call",
    "unknown_tool": "a call of a tool that nobody offered",
    "endless_loop": "the same call again and again",
    "huge_text": "40 kB of text that fits no schema",
}
"""What each failure is."""


class WireFault(BaseModel):
    """One entry of a faults file, as the provider's side carries it out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(default="*", min_length=1, description="The model: NAME, provider:NAME, provider:* or *.")
    fail: WireMishap | Mishap
    times: int | None = Field(default=None, ge=1, description="How many requests fail; all, when left out.")
    after: int = Field(default=0, ge=0, description="How many requests go well before the first failure.")
    chance: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False, description="The share that fails.")
    delay_s: float = Field(default=1.0, ge=0, allow_inf_nan=False, description="Seconds by which `slow` delays.")
    retry_after_s: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Seconds after which `throttled` asks to be called again."
    )

    @model_validator(mode="after")
    def _waits_where_it_says_so(self) -> Self:
        if self.retry_after_s is not None and self.fail not in ("throttled", "throttled_until", "overloaded"):
            raise ValueError("retry_after_s belongs to throttled and overloaded")
        return self

    def hits(self, model: str, providers: Sequence[str]) -> bool:
        """Say whether the rule is about *model*, of a provider that has one of the names in *providers*."""
        if self.model in ("*", model):
            return True
        provider, colon, name = self.model.partition(":")
        return bool(colon) and provider in providers and name in ("*", model)


class WireFaults:
    """Says which requests fail; the first rule that is due decides.

    Args:
        rules: each counts the requests that no rule before it has failed.
        providers: the names of the provider in the rules.
        chance: the injected randomness.
    """

    def __init__(self, rules: Sequence[WireFault], providers: Sequence[str], chance: Chance) -> None:
        self._rules = tuple(rules)
        self._providers = tuple(providers)
        self._chance = chance
        self._seen = [0] * len(self._rules)
        self._failed = [0] * len(self._rules)

    def due(self, model: str) -> WireFault | None:
        """Return how a request to *model* fails; None: it does not."""
        for index, rule in enumerate(self._rules):
            if not rule.hits(model, self._providers):
                continue
            self._seen[index] += 1
            if self._seen[index] <= rule.after or (rule.times is not None and self._failed[index] >= rule.times):
                continue
            if rule.chance < 1 and self._chance() >= rule.chance:
                continue
            self._failed[index] += 1
            return rule
        return None
