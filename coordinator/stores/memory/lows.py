"""The lowest level of a bucket since any moment: how much of what was taken then can still be given back."""

import math
from bisect import bisect_right

MOST = 128


class Lows:
    """Remembers the lows of a level that only sinks between two notes.

    Whoever took too much at some moment may have back what has not leaked out for want of it since. Had it taken less,
    the level would have run alongside, lower by the difference, until it touched the floor: so the difference shrinks
    to the lowest level seen since then, and no further.
    """

    __slots__ = ("_levels", "_times")

    def __init__(self) -> None:
        # Both ascend: a level that a later one went below says nothing that the later one does not.
        self._times: list[float] = []
        self._levels: list[float] = []

    def note(self, now: float, level: float) -> None:
        """Remember that the level had sunk to *level* at *now*, before it rises again."""
        times, levels = self._times, self._levels
        if level <= 0:
            times[:], levels[:] = (now,), (0.0,)
            return
        while levels and levels[-1] >= level:
            levels.pop()
            times.pop()
        times.append(now)
        levels.append(level)
        if len(times) > MOST:
            # Of two neighbours the later moment and the lower level: at worst, too little is given back.
            self._times, self._levels = times[1::2] + times[len(times) - len(times) % 2 :], levels[::2]

    def since(self, moment: float) -> float:
        """Return the lowest level noted after *moment*."""
        index = bisect_right(self._times, moment)
        return self._levels[index] if index < len(self._levels) else math.inf
