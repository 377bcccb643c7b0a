"""Alarms: what somebody should look at, worked out from events and told as events."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from coordinator.domain.alarms import AlarmSetting
from coordinator.domain.events import Event, Kind, Observer
from coordinator.domain.money import dollars
from coordinator.domain.result import Status

MOST_BREAKERS = 1000

JUDGED = frozenset({Status.COMPLETED, Status.FLAGGED, Status.ESCALATED, Status.AWAITING_APPROVAL, Status.FAILED})
"""Statuses of runs that had their chance: neither turned away nor called off."""

Raised = tuple["Alarm", str, dict[str, Any]]
"""An alarm, what it says in a sentence, and its numbers."""


class Alarm(StrEnum):
    """What alarms there are."""

    ACCEPT_RATE = "accept_rate"
    SUCCESS_FALLING = "success_falling"
    BREAKER_FLAPPING = "breaker_flapping"
    BUDGET = "budget"
    BUDGET_OVERRUN = "budget_overrun"


class Watch:
    """An observer that tells other observers of alarms, as events of the kind `alarm`.

    Each is raised once when its condition begins to hold, and again only after it has ceased to. What it tells goes to
    the observers alone and never back into itself, so that no alarm can raise another.

    Args:
        observers: are told the alarms.
        setting: when an alarm is raised.
    """

    __slots__ = ("_breakers", "_hear", "_observers", "_seq", "_setting", "_success", "_verdicts")

    def __init__(self, observers: Sequence[Observer], setting: AlarmSetting | None = None) -> None:
        self._observers = tuple(observers)
        self._setting = setting or AlarmSetting()
        self._seq = 0
        self._verdicts = AcceptRate(self._setting)
        self._success = Success(self._setting)
        self._breakers = Flapping(self._setting)
        self._hear: Mapping[Kind, Callable[[Event], Iterator[Raised]]] = {
            Kind.VERDICT: self._verdicts.hear,
            Kind.RUN_ENDED: self._success.hear,
            Kind.BREAKER: self._breakers.hear,
            Kind.BUDGET_ALERT: _budget,
            Kind.BUDGET_OVERRUN: _overrun,
        }

    @property
    def kinds(self) -> Iterable[Kind]:
        """The kinds of events that it hears."""
        return self._hear

    def __call__(self, event: Event) -> None:
        """Take in what happened, and tell what alarms it raises."""
        hear = self._hear.get(event.kind)
        if hear is None:
            return
        for alarm, message, facts in hear(event):
            self._seq += 1
            data = {"alarm": alarm.value, "message": message, "run": event.run, **facts}
            raised = Event("", self._seq, event.at, Kind.ALARM, "", "", "", data)
            for observer in self._observers:
                observer(raised)


class AcceptRate:
    """The share of the last drafts that their reviewers accepted."""

    __slots__ = ("_alarmed", "_last", "_setting")

    def __init__(self, setting: AlarmSetting) -> None:
        self._setting = setting
        self._last: deque[bool] = deque(maxlen=setting.verdicts)
        self._alarmed = False

    @property
    def rate(self) -> float | None:
        """The share, from 0 to 1; None before the first verdict."""
        return sum(self._last) / len(self._last) if self._last else None

    def hear(self, event: Event) -> Iterator[Raised]:
        """Count a verdict."""
        self._last.append(event.data["decision"] == "accept")
        rate, count, lowest = self.rate or 0.0, len(self._last), self._setting.accept_rate
        before, self._alarmed = self._alarmed, count >= self._setting.fewest_verdicts and rate < lowest
        if self._alarmed and not before:
            message = f"only {rate:.0%} of the last {count} drafts were accepted by their reviewers"
            yield Alarm.ACCEPT_RATE, message, {"rate": rate, "threshold": lowest, "count": count}


class Success:
    """How many of the last runs completed and how many steps they took, against as many runs before them."""

    __slots__ = ("_alarmed", "_last", "_setting")

    def __init__(self, setting: AlarmSetting) -> None:
        self._setting = setting
        self._last: deque[tuple[bool, int]] = deque(maxlen=2 * setting.runs)
        self._alarmed = False

    def hear(self, event: Event) -> Iterator[Raised]:
        """Count a run that has ended."""
        status = event.data["status"]
        if status not in JUDGED:
            return
        self._last.append((status == Status.COMPLETED, event.data["steps"]))
        if len(self._last) < 2 * self._setting.runs:
            return
        runs = list(self._last)
        success_before, steps_before = _means(runs[: self._setting.runs])
        success, steps = _means(runs[self._setting.runs :])
        fallen = success <= success_before - self._setting.success_fall
        before, self._alarmed = self._alarmed, fallen and steps >= steps_before * (1 + self._setting.steps_rise)
        if self._alarmed and not before:
            message = (
                f"{success:.0%} of the last {self._setting.runs} runs completed, after {success_before:.0%} of those "
                f"before, and they took {steps:.1f} steps instead of {steps_before:.1f}"
            )
            facts = {
                "success": success, "success_before": success_before, "steps": steps, "steps_before": steps_before
            }  # fmt: skip
            yield Alarm.SUCCESS_FALLING, message, facts


class Flapping:
    """How often breakers that had closed opened again; one that stays open is down, and does not flap."""

    __slots__ = ("_alarmed", "_opened", "_setting")

    def __init__(self, setting: AlarmSetting) -> None:
        self._setting = setting
        self._opened: dict[str, deque[float]] = {}
        """By dependency: when its breaker opened last, UTC seconds."""
        self._alarmed: set[str] = set()

    def hear(self, event: Event) -> Iterator[Raised]:
        """Count a breaker that opens."""
        data = event.data
        if data["from"] != "closed" or data["to"] != "open":
            return
        dependency = str(data["dependency"])
        if len(self._opened) >= MOST_BREAKERS and dependency not in self._opened:
            return
        times, window = self._setting.flaps, self._setting.flap_window_s
        opened = self._opened.setdefault(dependency, deque(maxlen=times))
        opened.append(event.at)
        if len(opened) < times or event.at - opened[0] > window:
            self._alarmed.discard(dependency)
        elif dependency not in self._alarmed:
            self._alarmed.add(dependency)
            message = f"the breaker of {dependency} opened {times} times in {event.at - opened[0]:.0f} seconds"
            yield Alarm.BREAKER_FLAPPING, message, {"dependency": dependency, "times": times, "window_s": window}


def _budget(event: Event) -> Iterator[Raised]:
    """Pass on that a shared account nears its ceiling; those of one run, or of one delegation, end with it."""
    if _scope(event) not in ("run", "allowance"):
        yield Alarm.BUDGET, f"{_spent(event)} is spent", _money(event)


def _overrun(event: Event) -> Iterator[Raised]:
    """Pass on that more was billed than the worst case that was held, on whichever account."""
    overrun = event.data["overrun"]
    message = f"{dollars(overrun)} more was billed than was held; {_spent(event)} is spent, and it is closed"
    yield Alarm.BUDGET_OVERRUN, message, {**_money(event), "overrun": overrun}


def _scope(event: Event) -> str:
    return str(event.data["account"]).partition("/")[0]


def _spent(event: Event) -> str:
    data = event.data
    return f"{dollars(data['settled'])} of {dollars(data['ceiling'])} of the account {data['account']}"


def _money(event: Event) -> dict[str, Any]:
    return {name: event.data[name] for name in ("account", "settled", "ceiling")}


def _means(runs: Sequence[tuple[bool, int]]) -> tuple[float, float]:
    """Return the share of *runs* that completed, and their mean steps."""
    return sum(done for done, _ in runs) / len(runs), sum(steps for _, steps in runs) / len(runs)
