"""What the settings allow gates and admission to let through."""

from coordinator.domain.limits import EVERYBODY, SCOPES, GateLimits
from coordinator.settings import Settings
from coordinator.simulation.bounds import Bounds
from coordinator.stores.memory.scopes import own_limits


def bounds_of(settings: Settings) -> Bounds:
    """Return the bounds that hold by *settings*, for every gate by the name that it gives itself."""
    rates = settings.gate_limits()

    def limits(name: str) -> GateLimits | None:
        kind, _, who = name.partition(" ")
        if kind not in (*SCOPES, EVERYBODY):
            return own_limits(rates, name)
        # Users belong to their tenant: the gate of one is called `user tenant/user`.
        who = who.partition("/")[2] if kind == "user" else who
        return rates.get(f"{kind}:{who}" if who else kind) or rates.get(f"{kind}:*")

    everywhere = tuple(scope for scope in ("agent", "tenant") if f"{scope}:*" in rates)
    everywhere += (EVERYBODY,) if EVERYBODY in rates else ()
    return Bounds(limits, settings.admission.runs, settings.admission.waiting, everywhere)
