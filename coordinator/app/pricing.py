"""What each model costs: by the settings, else by what its provider has published."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.app.providers import REMOTE, SETTINGS_OF, needing_extra
from coordinator.domain.errors import Invalid
from coordinator.domain.model import Target
from coordinator.domain.money import Price
from coordinator.domain.team import Team
from coordinator.models.tariffs import kept_prompts, special
from coordinator.settings import Settings

Routes = Mapping[str, Sequence[Target]]


def prices_of(team: Team, settings: Settings, routes: Routes, now: float) -> dict[str, Price]:
    """Return the price of every target of *routes* that has one, resolved once.

    Args:
        team: whose agents' models must have one.
        settings: whose `prices` go first.
        routes: targets by model class.
        now: UTC seconds since the epoch.

    Raises:
        Invalid: `unknown_price`, when an agent's model at a shipped provider has none; `missing_extra`.
    """
    used = {member.model for member in team.agents.values()}
    prices = {}
    for name, targets in sorted(routes.items()):
        for target in targets:
            price = _price(settings, target, now)
            if price is not None:
                prices[str(target)] = price
            elif name in used and target.provider in REMOTE:
                raise _unknown(name, target, special(_options(settings, target)))
    return prices


def _price(settings: Settings, target: Target, now: float) -> Price | None:
    given = settings.prices.get(str(target)) or settings.prices.get(f"{target.provider}:*")
    price = _published(settings, target, now) if given is None else given.price()
    if price is None or target.provider != "anthropic":
        return price
    return kept_prompts(price, _options(settings, target), published=given is None)


def _options(settings: Settings, target: Target) -> Mapping[str, Any]:
    found = settings.providers.get(SETTINGS_OF.get(target.provider, target.provider))
    return found.options if found else {}


def _published(settings: Settings, target: Target, now: float) -> Price | None:
    """Return what the provider has published, if calls of these settings are billed so."""
    if target.provider not in REMOTE or special(_options(settings, target)):
        return None
    with needing_extra(target.provider):
        published: Any = importlib.import_module("coordinator.models.prices")
        found: Price | None = published.published_price(target.provider, target.model, now)
    return found


def _unknown(name: str, target: Target, option: str) -> Invalid:
    free = '\'{"compatible:*": {"input": 0, "output": 0}}\''
    hint = "check its name, or set it in the settings' prices"
    if target.provider == "compatible":
        hint = f'set prices."{target}" in the settings, or, for models of your own, COORDINATOR_PRICES={free}'
    said = f"model {target} has no known price"
    if option:
        said = f"{said} with the option {option}"
        hint = f'set prices."{target}" to what it costs, or leave the option out'
    return Invalid(said, code="unknown_price", hint=hint, details={"class": name})
