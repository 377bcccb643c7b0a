"""Who asks in a load test: tenants, and their users and sessions."""

from collections.abc import Iterator, Sequence

from coordinator.domain.errors import Invalid
from coordinator.domain.ports import Chance
from coordinator.domain.scope import TenantContext
from coordinator.domain.surfaces import REFUSE
from coordinator.settings import Settings
from coordinator.simulate import Stage
from coordinator.simulation.chance import pick

USERS = 10
"""Users of each tenant. The scenario's own, whom its data is about, asks two times in three."""
SESSION_RUNS = 3
"""Runs in which about one session is over."""


def tenant_names(stage: Stage, settings: Settings, count: int) -> list[str]:
    """Return *count* tenants: the scenario's own, then those that the settings name, then invented ones.

    Raises:
        Invalid: `unknown_tenant`, when the settings turn away tenants that they do not name, and name too few.
    """
    named = [stage.tenant, *(name for name in settings.tenants if name != stage.tenant)]
    invented = (f"{stage.tenant}-{number}" for number in range(2, count + 1))
    names = list(dict.fromkeys([*named, *invented]))[:count]
    if settings.unknown_tenants == REFUSE:
        unknown = [name for name in names if name not in settings.tenants]
        if unknown:
            raise Invalid(
                f"the settings do not know the tenant {unknown[0]!r}, and turn unknown ones away",
                code="unknown_tenant",
                hint=f"name it under `tenants`, or ask for no more than {len(settings.tenants)} tenants",
            )  # fmt: skip
    return names


def callers(stage: Stage, tenants: Sequence[str], chance: Chance) -> Iterator[TenantContext]:
    """Yield who makes each run, one after another and without an end."""
    number = 0
    while True:
        tenant = pick(tenants, chance)
        session = f"s-{1 + number // (SESSION_RUNS * USERS * len(tenants))}"
        yield TenantContext(tenant, _user(stage, chance), session)
        number += 1


def _user(stage: Stage, chance: Chance) -> str | None:
    if stage.user is None or chance() < 2 / 3:
        return stage.user
    return f"{stage.user}-{2 + int((USERS - 1) * chance())}"
