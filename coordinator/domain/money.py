"""Money in integers: micro-dollars, prices per million tokens, always rounded up."""

from dataclasses import field
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

from coordinator.domain.value import assign, value

MICROS_PER_USD = 1_000_000
TOKENS_PER_PRICE = 1_000_000
# A chat template wraps every message in a few tokens that its bytes do not show; 16 is above every template known.
TOKENS_PER_MESSAGE = 16


def micros(usd: float | str | Decimal) -> int:
    """Return *usd* dollars as whole micro-dollars, rounded up.

    Raises:
        ValueError: when *usd* is not a finite number of at least zero.
    """
    try:
        amount = Decimal(str(usd))
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{usd!r} is not an amount of dollars of at least zero")
    return int((amount * MICROS_PER_USD).to_integral_value(rounding=ROUND_CEILING))


def usd(amount: int) -> float:
    """Return *amount* micro-dollars as dollars, for people and JSON only."""
    return amount / MICROS_PER_USD


def dollars(amount: int) -> str:
    """Return *amount* micro-dollars as people read it, such as `$0.0042`; of very little, every digit."""
    digits = 6 if 0 < amount < 100 else 4
    return f"${amount / MICROS_PER_USD:.{digits}f}"


@value
class Usage:
    """Tokens that one model call used.

    Tokens read from the provider's cache (*cached*) and written into it (*cache_write*) are part of the input,
    reasoning tokens of the output.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def plausible(self) -> bool:
        """Whether all of it are whole numbers of at least zero, so that it can be billed."""
        used: Any = self  # whatever an adapter has put there
        counts = (
            used.input_tokens, used.output_tokens, used.cached_tokens, used.reasoning_tokens, used.cache_write_tokens
        )  # fmt: skip
        return type(sum(counts)) is int and min(counts) >= 0  # one float among them makes the sum one


@value
class Rates:
    """What the tokens of a request with more than *above* input tokens cost, in micro-dollars per million.

    All its tokens cost that, not only those above. Without a price of their own, tokens read from the provider's cache
    (*cached*) and written into it (*cache_write*) cost what other input does.
    """

    input: int
    output: int
    cached: int | None = None
    cache_write: int | None = None
    above: int = -1

    @property
    def dearest_input(self) -> int:
        """The most that an input token may cost."""
        return max(self.input, self.cached or 0, self.cache_write or 0)

    def of(self, usage: Usage) -> int:
        """Return what *usage* costs, in millionths of a micro-dollar; counts that contradict one another are cut."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - cached)
        plain = usage.input_tokens - cached - written
        read_rate = self.input if self.cached is None else self.cached
        write_rate = self.input if self.cache_write is None else self.cache_write
        return plain * self.input + cached * read_rate + written * write_rate + usage.output_tokens * self.output


@value
class Price:
    """What a model costs, in micro-dollars per million tokens, plus micro-dollars per *request*.

    *longer* are the rates of requests with a long context. *tool_tokens* are the most input tokens that the provider
    adds to a request that offers tools or asks for typed output; they are billed, and no bytes of ours show them.
    """

    input: int
    output: int
    request: int = 0
    cached: int | None = None
    cache_write: int | None = None
    longer: tuple[Rates, ...] = ()
    tool_tokens: int = 0
    _tiers: tuple[Rates, ...] = field(default=(), init=False, repr=False, compare=False)
    """All rates, those of the longest context first."""
    _dearest: int = field(default=0, init=False, repr=False, compare=False)
    _flat: bool = field(default=False, init=False, repr=False, compare=False)
    """Whether an input token costs the same wherever it comes from and however many there are."""

    def __post_init__(self) -> None:
        own = Rates(self.input, self.output, self.cached, self.cache_write)
        longer = sorted(self.longer, key=lambda rates: -rates.above)
        assign(self, "_tiers", (*longer, own))
        assign(self, "_dearest", own.dearest_input)
        assign(self, "_flat", not longer and self.cached is None and self.cache_write is None)

    def cost(self, usage: Usage) -> int:
        """Return what *usage* costs in micro-dollars, rounded up once per call."""
        if self._flat:
            return self.bound(usage.input_tokens, usage.output_tokens)
        rates = next(rates for rates in self._tiers if usage.input_tokens > rates.above)
        return self.request - (-rates.of(usage) // TOKENS_PER_PRICE)

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """Return the most that so many tokens, or fewer, may cost, in micro-dollars: at the dearest rates in reach."""
        of_input, of_output = (self._dearest, self.output) if not self.longer else self._within(input_tokens)
        return self.request - (-(input_tokens * of_input + output_tokens * of_output) // TOKENS_PER_PRICE)

    def output_within(self, input_tokens: int, amount: int) -> int:
        """Return the most output tokens that fit into *amount* micro-dollars beside the input; at least 0."""
        of_input, of_output = self._within(input_tokens)
        left = (amount - self.request) * TOKENS_PER_PRICE - input_tokens * of_input
        return max(0, left // of_output) if of_output else TOKENS_PER_PRICE

    def _within(self, input_tokens: int) -> tuple[int, int]:
        """Return the dearest rates of input and output that a request of at most so many input tokens may meet."""
        reached = [rates for rates in self._tiers if input_tokens > rates.above]
        return max(rates.dearest_input for rates in reached), max(rates.output for rates in reached)
