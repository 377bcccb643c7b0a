"""Numbers and texts as people read them in a terminal."""

from coordinator.domain.money import MICROS_PER_USD, dollars

SMALLEST = 100
"""Micro-dollars below which four decimals would show nothing."""


def duration(seconds: float) -> str:
    """Return *seconds* in the unit that fits, such as `<1 ms`, `8 ms`, `1.2 s`, `30 s` or `2 min 05 s`."""
    if seconds < 0.0005:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


def money(amount: int) -> str:
    """Return *amount* micro-dollars, with as many decimals as it takes to see that it is not nothing."""
    return f"${amount / MICROS_PER_USD:.6f}" if 0 < amount < SMALLEST else dollars(amount)


def model_name(name: str) -> str:
    """Return `provider:model` as people say it; a provider with one model is called by its name."""
    provider, _, model = name.partition(":")
    return provider if provider == model else name


def counted(number: int, word: str) -> str:
    """Return *number* of *word*, such as `1 turn` or `3 turns`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def printable(text: str) -> str:
    """Return *text* without characters that steer a terminal: replies quote documents that anybody may have written."""
    kept = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in kept)
