"""The shared state of one Coordinator, built from its settings: the only place that builds mutable holders."""

from collections.abc import Sequence
from typing import Any

from coordinator.app.ports import Ports
from coordinator.app.pricing import prices_of
from coordinator.app.providers import Adapters
from coordinator.app.routes import routes_of
from coordinator.domain.surfaces import shared
from coordinator.domain.team import Team
from coordinator.domain.timer import Alarms
from coordinator.pipelines import Holders
from coordinator.policies.accounts import Accounts
from coordinator.policies.admission import Admission
from coordinator.policies.pricing import ModelPrices
from coordinator.policies.rate_names import check_rates
from coordinator.settings import Settings
from coordinator.simulation.faults import FaultRule, Faults
from coordinator.stores.memory.breaker import Breakers
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gates import Gates
from coordinator.stores.memory.ledger import Ledger, LedgerLimits
from coordinator.stores.memory.replies import Replies
from coordinator.stores.memory.retries import RetryBudget
from coordinator.stores.memory.stragglers import Stragglers


def build(team: Team, settings: Settings, ports: Ports, adapters: Adapters, faults: Sequence[FaultRule]) -> Holders:
    """Build every holder that *settings* call for.

    Raises:
        Invalid: the settings or the team name a provider that does not exist or lacks its key, a model without a price,
            or a rate of nothing that the team has.
    """
    rates = settings.gate_limits()
    check_rates(rates, team)
    routes = routes_of(team, settings, adapters)
    return Holders(
        admission=Admission(settings.admission.runs, settings.admission.waiting),
        ledger=Ledger(LedgerLimits(settings.money_queue, alert_share=settings.alert_share), ports.stamp),
        accounts=Accounts(ports.stamp, shared(settings.global_usd, settings.share), settings.global_period),
        gates=Gates(rates=rates),
        estimates=Estimates(),
        breakers=Breakers(settings.breaker.limits()),
        retries=RetryBudget(),
        chance=ports.chance,
        retry=settings.retry.limits(),
        routes=routes,
        prices=ModelPrices(prices_of(team, settings, routes, ports.stamp()), settings.min_output_tokens),
        alarms=Alarms(),
        stragglers=Stragglers(settings.stragglers),
        replies=Replies(settings.cache.for_s, settings.cache.entries, ports.stamp) if settings.cache else None,
        faults=_faults([rule for rule in faults if rule.tool], ports),
        model_faults=_faults([rule for rule in faults if rule.model], ports),
        content=settings.content,
    )


def _faults(rules: Sequence[FaultRule], ports: Ports) -> tuple[Faults[Any, Any], ...]:
    return (Faults(rules, ports.chance),) if rules else ()
