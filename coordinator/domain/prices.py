"""Prices as people write them in settings: dollars per million tokens."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coordinator.domain.money import Price, Rates, micros
from coordinator.domain.surfaces import Count, Usd

# What Anthropic's dearest model adds for tools, 530 tokens, is the most that any provider publishes.
TOOL_TOKENS = 600


class TokenPrices(BaseModel):
    """What tokens cost, in dollars per million; cache prices that are left out are that of input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Usd
    output: Usd
    cached: Usd | None = None
    """Input that is read from the provider's cache."""
    cache_write: Usd | None = None
    """Input that is written into it."""

    def rates(self, above: int) -> Rates:
        """Return the rates of requests with more than *above* input tokens, in integer micro-dollars."""
        return Rates(micros(self.input), micros(self.output), _micros(self.cached), _micros(self.cache_write), above)


class LongContext(TokenPrices):
    """What all tokens of a request cost that has more than *above* input tokens."""

    above: Count


class ModelPrice(TokenPrices):
    """What a model costs."""

    request: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0.0
    """Dollars for each request, beside its tokens."""
    tool_tokens: Annotated[int, Field(ge=0, le=100_000)] = TOOL_TOKENS
    """The most input tokens that the provider adds where tools are offered or typed output is asked for."""
    long_context: list[LongContext] = []
    """Prices of requests with more input than so many tokens."""

    @model_validator(mode="after")
    def _begins_once(self) -> Self:
        begins = [tier.above for tier in self.long_context]
        if len(set(begins)) < len(begins):
            raise ValueError("two entries of long_context have the same `above`; leave one out")
        return self

    def price(self) -> Price:
        """Return the price in integer micro-dollars."""
        longer = tuple(tier.rates(tier.above) for tier in self.long_context)
        own = self.rates(-1)
        return Price(
            own.input, own.output, micros(self.request), own.cached, own.cache_write, longer, self.tool_tokens
        )  # fmt: skip


def _micros(usd: float | None) -> int | None:
    return None if usd is None else micros(usd)
