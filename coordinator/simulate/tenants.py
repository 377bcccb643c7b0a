"""Which tenants take part where one scenario is run many times."""

from coordinator.domain.errors import Invalid
from coordinator.domain.surfaces import REFUSE
from coordinator.settings import Settings
from coordinator.simulate.stage import Stage

USUALLY = 5
"""Tenants in a world."""


def most_tenants(settings: Settings) -> int:
    """Return the usual number of tenants, or as many as *settings* know when those turn others away."""
    return min(USUALLY, len(settings.tenants) or 1) if settings.unknown_tenants == REFUSE else USUALLY


def tenant_names(stage: Stage, count: int) -> list[str]:
    """Return *count* tenants: the stage's own, then those that its settings name, then invented ones.

    Raises:
        Invalid: `unknown_tenant`, when the settings turn away tenants that they do not name, and name too few.
    """
    settings = stage.settings
    named = [stage.tenant, *(name for name in settings.tenants if name != stage.tenant)]
    invented = (f"{stage.tenant}-{number}" for number in range(2, count + 1))
    names = list(dict.fromkeys([*named, *invented]))[:count]
    unknown = [name for name in names if name not in settings.tenants]
    if settings.unknown_tenants == REFUSE and unknown:
        less = f", or ask for at most {len(settings.tenants)}" if stage.tenant in settings.tenants else ""
        raise Invalid(
            f"the settings do not know the tenant {unknown[0]!r}, and turn unknown ones away", code="unknown_tenant",
            hint=f"name it under `tenants`{less}",
        )  # fmt: skip
    return names
