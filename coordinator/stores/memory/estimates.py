"""What model calls usually use, learned from their replies; rates go by it, money by the bound."""

from coordinator.domain.money import Usage
from coordinator.domain.value import value

# Typical text is 0.2 to 0.3 tokens a byte; a first guess may be a little high, it is corrected after every reply.
FIRST_TOKENS_PER_BYTE = 0.35
WEIGHT = 0.1


@value
class EstimateState:
    """What was learned about one dependency."""

    dependency: str
    tokens_per_byte: float
    output_tokens: float | None


class Estimates:
    """Running averages per dependency: input tokens per byte, and output tokens per reply."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def expect(self, dependency: str, size: int, most_output: int) -> int:
        """Return how many tokens a request of *size* bytes with at most *most_output* tokens of reply will use."""
        known = self._known.get(dependency)
        if known is None:
            return int(size * FIRST_TOKENS_PER_BYTE) + most_output
        return int(size * known.per_byte + min(known.output, most_output))

    def learn(self, dependency: str, size: int, usage: Usage) -> None:
        """Remember that a request of *size* bytes had this *usage*."""
        if size <= 0:
            return
        known = self._known.get(dependency)
        if known is None:
            known = self._known[dependency] = _Known(usage.output_tokens)
        known.per_byte += WEIGHT * (usage.input_tokens / size - known.per_byte)
        known.output += WEIGHT * (usage.output_tokens - known.output)

    def snapshot(self) -> tuple[EstimateState, ...]:
        """Return what was learned about every dependency."""
        return tuple(EstimateState(name, known.per_byte, known.output) for name, known in self._known.items())


class _Known:
    __slots__ = ("output", "per_byte")

    def __init__(self, output: float) -> None:
        self.per_byte = FIRST_TOKENS_PER_BYTE
        self.output = output
