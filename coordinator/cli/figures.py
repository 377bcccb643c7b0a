"""Numbers and texts as people read them in a terminal."""

from coordinator.domain.money import dollars


def duration(seconds: float) -> str:
    """Return *seconds* in the unit that fits, such as `8 ms`, `1.2 s` or `2 min 05 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02} s"


def cost(amount: int) -> str:
    """Return *amount* micro-dollars, or nothing when it is nothing."""
    return dollars(amount) if amount else ""


def counted(number: int, word: str) -> str:
    """Return *number* of *word*, such as `1 turn` or `3 turns`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def printable(text: str) -> str:
    """Return *text* without characters that steer a terminal: replies quote documents that anybody may have written."""
    kept = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in kept)
