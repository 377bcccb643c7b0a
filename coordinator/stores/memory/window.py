"""What happened lately: calls and failures of the last seconds, counted in slices of time."""

from collections import deque

SLICES = 10


class Window:
    """Counts the results of the last *seconds*, to a tenth of them; a result costs the same however many there are.

    Successes matter only beside failures. When no failure is left in it the window is empty, so that whoever sees only
    successes need not count them, nor read the clock.

    Args:
        seconds: how far back it looks.
    """

    __slots__ = ("_slices", "_width", "calls", "failed")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / SLICES
        self._slices: deque[_Slice] = deque()
        self.calls = 0
        self.failed = 0

    def count(self, now: float, *, failed: bool) -> None:
        """Add a result that came at loop time *now*."""
        number = int(now / self._width)
        slices = self._slices
        if not slices or slices[-1].number != number:
            self._forget(number)
            slices.append(_Slice(number))
        newest = slices[-1]
        newest.calls += 1
        self.calls += 1
        if failed:
            newest.failed += 1
            self.failed += 1

    def forget(self, now: float) -> None:
        """Drop what is too old at loop time *now*."""
        self._forget(int(now / self._width))

    def clear(self) -> None:
        """Drop everything."""
        self._slices.clear()
        self.calls = self.failed = 0

    def _forget(self, number: int) -> None:
        slices = self._slices
        while slices and slices[0].number <= number - SLICES:
            oldest = slices.popleft()
            self.calls -= oldest.calls
            self.failed -= oldest.failed
        if not self.failed:
            self.clear()


class _Slice:
    __slots__ = ("calls", "failed", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0
        self.failed = 0
