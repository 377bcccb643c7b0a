"""Who asks in a load test: tenants, and their users and sessions."""

from collections.abc import Iterator, Sequence

from coordinator.domain.ports import Chance
from coordinator.domain.scope import TenantContext
from coordinator.simulate import Stage
from coordinator.simulation.chance import pick

USERS = 10
"""Users of each tenant. The scenario's own, whom its data is about, asks two times in three."""
SESSION_RUNS = 3
"""Runs in which about one session is over."""


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
