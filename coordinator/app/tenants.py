"""Who a tenant is: its surface, its weight and its limits, by the settings or by a resolver given in code."""

from coordinator.domain.errors import Invalid
from coordinator.domain.scope import RunLimits, TenantContext
from coordinator.domain.surfaces import DEFAULT, REFUSE, Resolver, Surface, Tenant, check_tenant
from coordinator.domain.value import value
from coordinator.settings import Settings


@value
class Terms:
    """What holds for a tenant's runs."""

    surface: str
    weight: int
    limits: RunLimits

    def of(self, who: TenantContext) -> tuple[TenantContext, RunLimits]:
        """Return *who* with its surface and weight, and its limits."""
        if who.surface == self.surface and who.weight == self.weight:
            return who, self.limits
        return TenantContext(who.tenant, who.user, who.session, self.surface, self.weight), self.limits


class Tenants:
    """Finds the terms of a tenant; those that settings name are worked out once.

    Args:
        settings: the surfaces, the tenants, and what becomes of those that nobody knows.
        resolver: asked at the start of every run for tenants that the settings do not name.
    """

    def __init__(self, settings: Settings, resolver: Resolver | None = None) -> None:
        self._settings = settings
        self._resolver = resolver
        self._default = settings.limits()
        self._known = {name: self._terms(name, tenant) for name, tenant in settings.tenants.items()}
        unknown = settings.unknown_tenants
        self._unknown = None if unknown == REFUSE else self._terms("", Tenant(surface=unknown))

    def asks_for(self, who: TenantContext) -> bool:
        """Say whether the resolver must be asked for *who*."""
        return self._resolver is not None and who.tenant not in self._known

    def at_once(self, who: TenantContext) -> tuple[TenantContext, RunLimits]:
        """Return *who* and its limits as far as they are known without asking.

        Raises:
            Invalid: `unknown_tenant`, when unknown ones are turned away.
        """
        if self.asks_for(who):
            return who, self._default
        return (self._known.get(who.tenant) or self._otherwise(who.tenant)).of(who)

    async def find(self, who: TenantContext) -> tuple[TenantContext, RunLimits]:
        """Return *who* and its limits, by the resolver.

        Raises:
            Invalid: `unknown_tenant`, when unknown ones are turned away; `unknown_surface`; `bad_tenant_limits`.
        """
        tenant = await self._resolver(who.tenant) if self._resolver is not None else None
        if tenant is None:
            return self._otherwise(who.tenant).of(who)
        terms = self._terms(who.tenant, tenant)
        check_tenant(self._settings, who.tenant, tenant)
        return terms.of(who)

    def _otherwise(self, name: str) -> Terms:
        if self._unknown is None:
            known = ", ".join(sorted(self._known)[:5]) or "none are named in the settings"
            raise Invalid(
                f"there is no tenant {name!r}", code="unknown_tenant",
                hint=f"name it under `tenants` in the settings, or give unknown_tenants a surface; tenants: {known}",
            )  # fmt: skip
        return self._unknown

    def _terms(self, name: str, tenant: Tenant) -> Terms:
        surface = self._settings.surfaces.get(tenant.surface, Surface() if tenant.surface == DEFAULT else None)
        if surface is None:
            raise Invalid(
                f"tenant {name!r} has the surface {tenant.surface!r}, which does not exist", code="unknown_surface",
                hint=f"surfaces: {', '.join((DEFAULT, *self._settings.surfaces))}",
            )  # fmt: skip
        return Terms(tenant.surface, tenant.weight, self._settings.limits(tenant, surface))
