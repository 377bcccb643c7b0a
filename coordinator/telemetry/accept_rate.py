"""How many drafts their reviewers accept; an alarm when it is too few."""

import logging
from collections import deque
from collections.abc import Callable

from coordinator.domain.events import Event, Kind

log = logging.getLogger("coordinator")

Alarm = Callable[[float], None]
"""Is told the rate that has fallen too low, from 0 to 1."""


def warn(rate: float) -> None:
    """Log that too few drafts are accepted."""
    log.warning("only %.0f %% of the drafts were accepted by their reviewers", 100 * rate)


class AcceptRate:
    """An observer that counts verdicts, and raises one alarm each time the share of accepted drafts falls too low.

    Args:
        lowest: the share of accepted drafts, from 0 to 1, below which there is an alarm.
        window: how many of the last verdicts count.
        fewest: verdicts below which no rate is judged.
        alarm: is told the rate; by default it is logged as a warning.
    """

    __slots__ = ("_alarm", "_alarmed", "_fewest", "_last", "_lowest")

    def __init__(self, lowest: float = 0.7, window: int = 50, fewest: int = 10, alarm: Alarm = warn) -> None:
        self._lowest = lowest
        self._fewest = fewest
        self._last: deque[bool] = deque(maxlen=window)
        self._alarm = alarm
        self._alarmed = False

    @property
    def rate(self) -> float | None:
        """The share of the last drafts that were accepted, from 0 to 1; None before the first verdict."""
        return sum(self._last) / len(self._last) if self._last else None

    def __call__(self, event: Event) -> None:
        if event.kind is not Kind.VERDICT:
            return
        self._last.append(event.data["decision"] == "accept")
        rate = sum(self._last) / len(self._last)
        low = len(self._last) >= self._fewest and rate < self._lowest
        if low and not self._alarmed:
            self._alarm(rate)
        self._alarmed = low
