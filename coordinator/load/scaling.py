"""A sample that stands for many more runs: what they share is made smaller alike, what each has stays as it is."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from coordinator.settings import Rate, Settings
from coordinator.simulation.faults import FaultRule

DAYS = ("user_day_usd", "tenant_day_usd", "global_usd")
"""Ceilings that many runs share. A session has as many runs in a sample as in the whole."""
TELLING_CALLS = 20
"""Of a ceiling that holds fewer calls at once, what the last call does not fit into is a large part."""
TELLING_PLACES = 5
# A gate of a handful of requests would refuse what the whole would let wait: then its window grows instead.
FEWEST_REQUESTS = 10
FEWEST_TOKENS = 100_000


def scaled(settings: Settings, share: float) -> Settings:
    """Return *settings* in which *share* (0 to 1) of the runs meet the limits that all of them would have met.

    Ceilings of days, of tenants and surfaces too, rates, and places in admission, in queues and for stragglers are
    multiplied by *share*: loads and limits keep their ratio, and the day its length. What one run or one session may
    do stays.
    """
    if share >= 1:
        return settings
    changed: dict[str, Any] = {name: _part(getattr(settings, name), share) for name in DAYS}
    changed["surfaces"] = {name: _narrowed(one, share) for name, one in settings.surfaces.items()}
    changed["tenants"] = {name: _narrowed(one, share) for name, one in settings.tenants.items()}
    changed["rates"] = {name: _slower(rate, share) for name, rate in settings.rates.items()}
    admission = settings.admission
    changed["admission"] = admission.model_copy(
        update={"runs": _count(admission.runs, share), "waiting": math.ceil(admission.waiting * share)}
    )
    changed["money_queue"] = _count(settings.money_queue, share)
    changed["stragglers"] = _count(settings.stragglers, share)
    return settings.model_copy(update=changed)


def scaled_faults(rules: Sequence[FaultRule], share: float) -> tuple[FaultRule, ...]:
    """Return *rules* that let *share* of the attempts fail, where they count them."""
    if share >= 1:
        return tuple(rules)
    return tuple(
        rule.model_copy(
            update={
                "times": None if rule.times is None else _count(rule.times, share),
                "after": round(rule.after * share),
            }
        )
        for rule in rules
    )


def coarse(settings: Settings, call_usd: float) -> Iterator[str]:
    """Yield the limits of which a sample has so little that it says hardly anything about the whole.

    Args:
        settings: as they hold for the sample.
        call_usd: the worst case of a call, which is held before it.
    """
    places: list[tuple[str, Any]] = [("", settings)]
    places += [(f"surfaces.{name}.", one) for name, one in settings.surfaces.items()]
    places += [(f"tenants.{name}.", one) for name, one in settings.tenants.items()]
    for place, limits in places:
        for name in DAYS:
            ceiling = getattr(limits, name, None)
            if ceiling is not None and ceiling < TELLING_CALLS * call_usd:
                yield f"{place}{name} holds {ceiling / call_usd:.1f} calls"
    if settings.admission.runs < TELLING_PLACES:
        yield f"admission.runs is {settings.admission.runs}"


def _narrowed(limits: Any, share: float) -> Any:
    days = {name: _part(getattr(limits, name), share) for name in DAYS if getattr(limits, name, None) is not None}
    return limits.model_copy(update=days)


def _part(usd: float | None, share: float) -> float | None:
    return None if usd is None else usd * share


def _slower(rate: Rate, share: float) -> Rate:
    """Return *rate* of *share* as much in its window, or in a longer one when hardly anything would be left."""
    stretch = 1.0
    for amount, fewest in ((rate.requests, FEWEST_REQUESTS), (rate.tokens, FEWEST_TOKENS)):
        if amount is not None:
            stretch = max(stretch, min(amount, fewest) / (amount * share))
    changed = {
        "requests": None if rate.requests is None else _count(rate.requests, share * stretch),
        "tokens": None if rate.tokens is None else _count(rate.tokens, share * stretch),
        "per_s": rate.per_s * stretch,
        "queue": _count(rate.queue, share),
    }
    return rate.model_copy(update=changed)


def _count(number: int, share: float) -> int:
    return max(1, round(number * share))
