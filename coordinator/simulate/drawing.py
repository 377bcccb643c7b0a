"""What a seed decides about its world: who asks when, who goes away, what fails, and how tight the limits are."""

from collections.abc import Sequence
from typing import Any

from coordinator.domain.limits import EVERYBODY
from coordinator.domain.ports import Chance
from coordinator.domain.value import value
from coordinator.models.simulated import BAD_DAY, CALM, MishapLaw, Outage
from coordinator.settings import Rate, Settings
from coordinator.simulate.stage import Stage
from coordinator.simulate.tenants import tenant_names
from coordinator.simulation.chance import Dice, pick
from coordinator.simulation.faults import FaultRule, draw_faults

SECONDS_PER_DAY = 86_400
WINDOW_S = 5.0
"""The window of the rates that are drawn."""
FIRST_DAY = 20_000
"""The day on which worlds begin, counted from 1970."""


@value
class Visit:
    """One run of a world: who asks, when, and when the caller goes away. Times are seconds of the world."""

    at: float
    tenant: str
    user: str | None
    session: str
    leaves: tuple[float, ...] = ()


@value
class Measure:
    """What one undisturbed run needs: limits are drawn around it."""

    cost_usd: float
    held_usd: float
    """The most that one call holds."""
    calls: int
    """Of models."""
    tokens: int
    duration_s: float


@value
class Terms:
    """How every seed's world is made."""

    runs: int = 50
    tenants: int = 5
    faults: Sequence[FaultRule] | None = None
    """What fails, in place of what a seed draws."""
    squeeze: bool = True
    """Whether a seed may draw limits that are tighter than those of the settings."""


@value
class Plan:
    """One world, as its seed has drawn it."""

    seed: int
    start: float
    """UTC seconds; some worlds begin a moment before midnight."""
    tenants: tuple[str, ...]
    visits: tuple[Visit, ...]
    faults: tuple[FaultRule, ...]
    mishaps: MishapLaw
    settings: Settings
    outages: tuple[Outage, ...] = ()


def draw(seed: int, stage: Stage, terms: Terms, measure: Measure) -> Plan:
    """Draw the world of *seed*; the same arguments always give the same plan."""
    dice = Dice(seed)
    tenants = tuple(tenant_names(stage, terms.tenants))
    disturbed = terms.faults is None
    visits = _visits(stage, terms.runs, tenants, dice, disturbed=disturbed)
    drawn = draw_faults(stage.tiers, dice.stream("faults")) if terms.faults is None else tuple(terms.faults)
    settings = _squeezed(stage, terms, measure, dice.stream("limits")) if terms.squeeze else stage.settings
    start = _start(dice.stream("start"))
    mishaps = _bad_day(terms.runs) if disturbed else CALM
    outages = _outages(dice.stream("outages")) if disturbed else ()
    return Plan(seed, start, tenants, visits, (*stage.faults, *drawn), mishaps, settings, outages)


def _visits(stage: Stage, runs: int, tenants: Sequence[str], dice: Dice, *, disturbed: bool) -> tuple[Visit, ...]:
    chance, leaving = dice.stream("visits"), dice.stream("leaving")
    window = pick((0.0, 10.0, 30.0), chance) * max(1.0, runs / 500)
    visits = []
    for _ in range(runs):
        at = window * chance()
        tenant, user, session = pick(tenants, chance), _user(stage, chance), f"s-{1 + int(9 * chance())}"
        visits.append(Visit(at, tenant, user, session, _leaves(at, leaving) if disturbed else ()))
    return tuple(visits)


def _user(stage: Stage, chance: Chance) -> str | None:
    """Return the stage's own user in two thirds of the visits: the data of the world is about that one."""
    number = int(6 * chance())
    return stage.user if number < 4 or stage.user is None else f"{stage.user}-{number - 2}"


def _leaves(at: float, chance: Chance) -> tuple[float, ...]:
    if chance() >= 0.06:
        return ()
    first = at + 12 * chance()
    return (first, first + chance()) if chance() < 0.3 else (first,)


def _bad_day(runs: int) -> MishapLaw:
    """Return a world's mishaps; a bill above the bound closes accounts for a day, so one world in five has any."""
    return BAD_DAY.model_copy(update={"overrun": BAD_DAY.overrun * min(1.0, 50 / runs)})


def _outages(chance: Chance) -> tuple[Outage, ...]:
    """Return none in most worlds, and one or two in the others."""
    count = pick((0, 0, 0, 1, 1, 2), chance)
    return tuple(Outage(begins_s=30 * chance(), lasts_s=0.5 + 9.5 * chance()) for _ in range(count))


def _start(chance: Chance) -> float:
    to_midnight = 30 * chance() if chance() < 0.3 else SECONDS_PER_DAY / 2
    return FIRST_DAY * SECONDS_PER_DAY - to_midnight


def _squeezed(stage: Stage, terms: Terms, measure: Measure, chance: Chance) -> Settings:
    """Return the settings, with some limits drawn so that they bind; none is ever wider than before."""
    settings = stage.settings
    all_usd = measure.cost_usd * terms.runs
    some_usd = max(4 * measure.held_usd, 1e-6)  # with less, nothing would ever begin
    changed: dict[str, Any] = {}
    if chance() < 0.35:
        share = all_usd / terms.tenants
        changed["tenant_day_usd"] = _least(settings.tenant_day_usd, max(some_usd, share * _between(0.5, 2.0, chance)))
    if chance() < 0.25:
        changed["global_usd"] = _least(settings.global_usd, max(some_usd, all_usd * _between(0.5, 2.0, chance)))
    if chance() < 0.25:
        changed["run_usd"] = _least(settings.run_usd, max(some_usd, measure.cost_usd * _between(1.0, 6.0, chance)))
    if chance() < 0.4:
        changed["rates"] = {**_rates(stage, terms, measure, chance), **settings.rates}
    if chance() < 0.4:
        admission = settings.admission
        runs, waiting = 4 + int(30 * chance()), int(40 * chance())
        changed["admission"] = admission.model_copy(
            update={"runs": min(admission.runs, runs), "waiting": min(admission.waiting, waiting)}
        )
    if chance() < 0.5:
        breaker = settings.breaker
        failures = min(breaker.failures, 2 + int(3 * chance()))
        changed["breaker"] = breaker.model_copy(
            update={"failures": failures, "cooldown_s": min(breaker.cooldown_s, _between(1, 8, chance))}
        )
    return settings.model_copy(update=changed)


def _rates(stage: Stage, terms: Terms, measure: Measure, chance: Chance) -> dict[str, Rate]:
    """Return rates by which all that the world needs passes in 20 to 120 seconds: of providers, and of some scopes."""
    rates = {f"{name}:*": _rate(terms, measure, chance, requests=True) for name in stage.providers()}
    shares = {"user:*": 1 / terms.tenants, "tenant:*": 1 / terms.tenants, "agent:*": 0.5, EVERYBODY: 1.0}
    for name, share in shares.items():
        if chance() < 0.3:
            rates[name] = _rate(terms, measure, chance, share=share)
    return rates


def _rate(terms: Terms, measure: Measure, chance: Chance, *, share: float = 1.0, requests: bool = False) -> Rate:
    """Return a limit on the requests or the tokens of a *share* of the world, or on both."""
    what = chance()
    seconds = _between(20, 120, chance)
    part = share * terms.runs * WINDOW_S / seconds
    return Rate(
        requests=max(2, int(part * max(1, measure.calls))) if requests or what < 0.7 else None,
        tokens=max(100, int(part * max(1, measure.tokens))) if what > 0.4 else None,
        per_s=WINDOW_S, queue=10 + int(200 * chance()),
    )  # fmt: skip


def _least(own: float | None, drawn: float) -> float:
    return drawn if own is None else min(own, drawn)


def _between(least: float, most: float, chance: Chance) -> float:
    return least + (most - least) * chance()
