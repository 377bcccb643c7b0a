"""Money in integers: micro-dollars, prices per million tokens, always rounded up."""

from decimal import ROUND_CEILING, Decimal, InvalidOperation

from coordinator.domain.value import value

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
    except InvalidOperation as error:
        raise ValueError(f"{usd!r} is not an amount of dollars") from error
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{usd!r} is not an amount of dollars of at least zero")
    return int((amount * MICROS_PER_USD).to_integral_value(rounding=ROUND_CEILING))


def usd(amount: int) -> float:
    """Return *amount* micro-dollars as dollars, for people and JSON only."""
    return amount / MICROS_PER_USD


def dollars(amount: int) -> str:
    """Return *amount* micro-dollars as people read it, such as `$0.0042`."""
    return f"${amount / MICROS_PER_USD:.4f}"


@value
class Usage:
    """Tokens that one model call used; cached tokens are part of the input, reasoning tokens of the output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@value
class Price:
    """What a model costs, in micro-dollars per million tokens, plus micro-dollars per request."""

    input: int
    output: int
    request: int = 0

    def cost(self, usage: Usage) -> int:
        """Return what *usage* costs in micro-dollars, rounded up once per call."""
        return self.bound(usage.input_tokens, usage.output_tokens)

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """Return the most that so many tokens may cost, in micro-dollars."""
        tokens = input_tokens * self.input + output_tokens * self.output
        return self.request - (-tokens // TOKENS_PER_PRICE)

    def output_within(self, input_tokens: int, amount: int) -> int:
        """Return the most output tokens that fit into *amount* micro-dollars beside the input; at least 0."""
        left = (amount - self.request) * TOKENS_PER_PRICE - input_tokens * self.input
        return max(0, left // self.output) if self.output else TOKENS_PER_PRICE
