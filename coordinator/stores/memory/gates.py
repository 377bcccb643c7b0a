"""The gates of a process: one for each dependency, and those around them."""

from collections.abc import Iterable, Mapping
from typing import Any

from coordinator.domain import ports
from coordinator.domain.limits import GateLimits
from coordinator.domain.scope import Scope
from coordinator.stores.memory.gate import Gate, GateState
from coordinator.stores.memory.scopes import Scopes, own_limits


class Gates:
    """The gates of a process.

    Args:
        default: the limits of every dependency that has none of its own; none at all when left out.
        rates: limits by dependency (`provider:model`, `tool#tier`), by `provider:*` or tool, and by scope.
    """

    def __init__(self, default: GateLimits | None = None, rates: Mapping[str, GateLimits] | None = None) -> None:
        self._default = default or GateLimits()
        self._rates = dict(rates or {})
        self._gates: dict[str, Gate] = {}
        self._scopes = Scopes(self._rates, Gate)
        self._scoped = self._scopes.any

    def of(self, dependency: str) -> Gate:
        """Return the gate of *dependency*, opened on first use."""
        gate = self._gates.get(dependency)
        if gate is None:
            limits = own_limits(self._rates, dependency) or self._default
            gate = self._gates[dependency] = Gate(dependency, limits)
        return gate

    def around(self, scope: Scope, dependency: str) -> ports.Gate:
        """Return what a call in *scope* must pass: the gate of *dependency*, within those of its user, tenant, ..."""
        gate = self._gates.get(dependency) or self.of(dependency)
        return self._scopes.around(gate, scope, dependency) if self._scoped else gate

    def gates(self) -> Iterable[Any]:
        """Return every gate itself, for who looks at all of them often and changes none."""
        return (*self._gates.values(), *self._scopes)

    def snapshot(self) -> tuple[GateState, ...]:
        """Return every gate as it stands; needs a running event loop."""
        return tuple(gate.snapshot() for gate in self.gates())
