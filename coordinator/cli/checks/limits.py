"""Checks of what models cost, and of limits that are so narrow or so wide that they cannot be meant."""

import time
from collections.abc import Iterator

from coordinator.app.pricing import prices_of
from coordinator.cli.checks.check import Check, Routes, called, wrong
from coordinator.domain.errors import Invalid
from coordinator.domain.money import MICROS_PER_USD, Price, dollars, micros
from coordinator.domain.surfaces import Surface
from coordinator.domain.team import Team
from coordinator.settings import Settings

FREE = ("offline", "scripted")
"""Providers that nobody sends a bill for."""


def limits(settings: Settings, team: Team, routes: Routes) -> Iterator[Check]:
    """Yield the price of every model of *routes*, and where the limits of *settings* do not go with it."""
    try:
        prices = prices_of(team, settings, routes, time.time())
    except Invalid as error:
        yield wrong("prices", error)
        return
    targets = list(dict.fromkeys(target for found in routes.values() for target in found))
    for target in targets:
        if str(target) not in prices:
            fix = f'set prices."{target}" in the settings; a free model costs 0'
            yield Check("prices", "wrong", f"{target} has no price, and is not called without", fix)
    known = [f"{called(target)} {_price(prices[str(target)])}" for target in targets if str(target) in prices]
    if known:
        yield Check("prices", "ok", f"a million tokens in and out: {'; '.join(known)}")
    narrow = [*_replies(settings, team, routes, prices), *_times(settings, team)]
    yield from narrow
    if not any(check.state == "wrong" for check in narrow):
        yield Check("limits", "ok", _told(settings))
    paid = [target for target in targets if target.provider not in FREE and prices.get(str(target), Price(0, 0)).output]
    if paid and settings.global_usd is None:
        said = f"nothing bounds what all runs of a {settings.global_period} cost together"
        yield Check("limits", "warn", said, "set global_usd, or a ceiling at the provider")


def _replies(settings: Settings, team: Team, routes: Routes, prices: dict[str, Price]) -> Iterator[Check]:
    """Yield where a run could not pay for the replies of an agent, on any surface."""
    surfaces: dict[str, Surface] = {"": Surface(), **settings.surfaces}
    for name, surface in surfaces.items():
        ceiling = micros(settings.run_usd if surface.run_usd is None else surface.run_usd)
        where = f" on the surface {name}" if name else ""
        for agent in team.agents.values():
            for target in routes.get(agent.model, ()):
                price = prices.get(str(target))
                if price is not None:
                    most = price.bound(0, agent.max_output_tokens + target.room)
                    yield from _reply(agent.name, (price.bound(0, settings.min_output_tokens), most), ceiling, where)


def _reply(agent: str, costs: tuple[int, int], ceiling: int, where: str) -> Iterator[Check]:
    (least, most), run = costs, f"a run{where} at most {dollars(ceiling)}"
    if least > ceiling:
        said = f"{agent}: the shortest reply may cost {dollars(least)}, {run}"
        yield Check("limits", "wrong", said, "raise run_usd, or lower min_output_tokens")
    elif most > ceiling:
        said = f"{agent}: its longest reply may cost {dollars(most)}, {run}"
        yield Check("limits", "warn", said, "raise run_usd, or lower max_output_tokens of the agent")


def _times(settings: Settings, team: Team) -> Iterator[Check]:
    deadline = settings.limits().deadline_s
    if settings.model_timeout_s >= deadline:
        said = f"one model call may take {settings.model_timeout_s:g} s, a whole run {deadline:g} s"
        yield Check("limits", "warn", said, "lower model_timeout_s, so that a second attempt is possible")
    for name, tool in team.tools.items():
        if tool.contract.timeout >= deadline:
            said = f"tool {name} may take {tool.contract.timeout:g} s, a whole run {deadline:g} s"
            yield Check("limits", "warn", said, f"lower the timeout of {name}, or raise deadline_s")


def _told(settings: Settings) -> str:
    ceilings = [
        ("run", settings.run_usd), ("session", settings.session_usd), ("user's day", settings.user_day_usd),
        ("tenant's day", settings.tenant_day_usd), (f"{settings.global_period} of all runs", settings.global_usd),
    ]  # fmt: skip
    told = ", ".join(f"a {what} ${usd:.2f}" for what, usd in ceilings if usd is not None)
    return f"at most {told}; {settings.limits().deadline_s:g} s a run"


def _price(price: Price) -> str:
    return f"${price.input / MICROS_PER_USD:.2f} and ${price.output / MICROS_PER_USD:.2f}"
