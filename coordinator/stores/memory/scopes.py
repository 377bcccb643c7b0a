"""Limits around one dependency's own: those of a user, an agent, a tenant, a provider, and of everybody."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

from coordinator.domain import ports
from coordinator.domain.fair_queue import Standing
from coordinator.domain.limits import EVERYBODY, SCOPES, GateLimits
from coordinator.domain.scope import Scope
from coordinator.stores.memory.kept import Kept

# Gates that nobody uses any more are looked for whenever there are twice as many as then, and at least so many.
SWEEP = 1024
# A gate may be kept for one call for as long as two places take at the gate where it waits, and no longer.
PATIENCE = 2.0
SHORTEST_WAIT_S = 1e-6
SCOPED = (*SCOPES, EVERYBODY)


class ScopeGate(ports.Gate, Protocol):
    """A gate that can be forgotten."""

    @property
    def idle(self) -> bool:
        """Whether forgetting the gate would change nothing."""


def own_limits(rates: Mapping[str, GateLimits], dependency: str) -> GateLimits | None:
    """Return what *rates* say of *dependency* itself, else of its provider (`offline:*`) or its tool."""
    provider = dependency.partition(":")[0]
    return rates.get(dependency) or rates.get(f"{provider}:*") or rates.get(dependency.partition("#")[0])


class Scopes:
    """The gates around those of the dependencies, opened on first use and forgotten when idle.

    Args:
        rates: limits by `user:NAME`, `agent:NAME`, `tenant:NAME`, `provider:NAME` (with `*` for each that is not named;
            each has its own gate) and `global`; other names are not looked at.
        opened: opens a gate.
    """

    __slots__ = ("_gates", "_in_use", "_opened", "_rates", "_sweep_at", "any")

    def __init__(self, rates: Mapping[str, GateLimits], opened: Callable[[str, GateLimits], ScopeGate]) -> None:
        self._rates = {name: rate for name, rate in rates.items() if name.partition(":")[0] in SCOPED}
        self._opened = opened
        self._gates: dict[str, Kept[ScopeGate]] = {}
        self._in_use: WeakValueDictionary[str, Kept[ScopeGate]] = WeakValueDictionary()
        """Also those that were forgotten while somebody on the way to them waited at another."""
        self._sweep_at = SWEEP
        self.any = bool(self._rates)
        """Whether there is any such limit."""

    def __iter__(self) -> Iterator[ScopeGate]:
        return iter([kept.held for kept in self._gates.values()])

    def around(self, own: ports.Gate, scope: Scope, dependency: str) -> ports.Gate:
        """Return the way through all gates of a call, narrow to wide; *own*, its dependency's, stands among them."""
        who = scope.tenant
        # Users belong to their tenant; the same name under another one is somebody else.
        user = self._gate("user", who.user, f"{who.tenant}/{who.user}") if who.user else None
        agent, tenant = self._gate("agent", scope.agent), self._gate("tenant", who.tenant)
        everybody = self._gate(EVERYBODY, "")
        provider, of_model, _ = dependency.partition(":")
        way: tuple[Kept[ScopeGate] | ports.Gate | None, ...] = (user, agent, own, tenant, everybody)
        if of_model:
            way = (user, agent, tenant, own, self._gate("provider", provider), everybody)
        kept = tuple(one for one in way if isinstance(one, Kept))
        if not kept:
            return own
        return Way(tuple(one.held if isinstance(one, Kept) else one for one in way if one is not None), own, kept)

    def _gate(self, kind: str, name: str, key: str = "") -> Kept[ScopeGate] | None:
        rates = self._rates
        limits = rates.get(f"{kind}:{name}" if name else kind) or rates.get(f"{kind}:*")
        if limits is None:
            return None
        key = f"{kind} {key or name}".rstrip()
        gate = self._gates.get(key)
        if gate is None:
            if len(self._gates) >= self._sweep_at:
                self._sweep()
            gate = self._in_use.get(key) or Kept(self._opened(key, limits))
            self._gates[key] = self._in_use[key] = gate
        return gate

    def _sweep(self) -> None:
        self._gates = {key: gate for key, gate in self._gates.items() if not gate.held.idle}
        self._sweep_at = max(SWEEP, 2 * len(self._gates))


class Way:
    """Several gates in a row as one: a place in all of them, or in none.

    Args:
        gates: narrow to wide, so that who must wait for its own limit takes nothing of what others share.
        own: the one among them that belongs to the dependency; what its provider says concerns this one alone.
        kept: keeps the others from being opened anew for somebody else.
    """

    __slots__ = ("_gates", "_kept", "_own")

    def __init__(self, gates: tuple[ports.Gate, ...], own: ports.Gate, kept: tuple[object, ...] = ()) -> None:
        self._gates = gates
        self._own = own
        self._kept = kept

    def fits(self, tokens: int, *, ahead: bool = False, claim: object = None) -> bool:
        """Say whether `try_take` would succeed."""
        return all(gate.fits(tokens, ahead=ahead, claim=claim) for gate in self._gates)

    def try_take(self, tokens: int, *, ahead: bool = False) -> "Permits | None":
        """Take a place in every gate at once, or return None when one of them has none.

        Args:
            tokens: estimate of what the call will use.
            ahead: go before those who wait, because the call has had its turn already.
        """
        if not self.fits(tokens, ahead=ahead):
            return None
        permits = [gate.try_take(tokens, ahead=ahead) for gate in self._gates]
        return Permits([permit for permit in permits if permit is not None])

    async def take(
        self, tokens: int, deadline: float, standing: Standing, along: ports.Along | None = None
    ) -> "Permits | None":
        """Wait for a place in every gate, and take all of them at one time.

        A place that was kept while its call waits elsewhere would be used later than its gate thinks, together with
        many others. So who waits holds no place, and goes ahead at the other gates where it has had its turn.

        Args:
            tokens: estimate of what the call will use.
            deadline: loop time by which the places are needed.
            standing: whose call it is.
            along: takes, when its turn comes, what the call needs beside the places; where it says that this is not to
                be had, no place is taken, and None is returned.

        Raises:
            Refused: `gate_full` or `deadline_out_of_reach`, both in passing, with `retry_after`; what *along* raises.
        """
        wish = _Wish(self._gates, tokens, along)
        try:
            while True:
                lacking = wish.missed or wish.lacking()
                if lacking is None:
                    return Permits(wish.taken) if wish.take() is not None else None
                wish.turns.add(lacking)
                permit = await lacking.take(tokens, deadline, standing, partial(wish.take, lacking))
                if permit is not None:
                    return Permits([permit, *wish.taken])
                if wish.denied:
                    return None
        except BaseException:
            Permits(wish.taken).refund()
            raise
        finally:
            wish.give_up()

    def claim(self, claim: object, tokens: int, longest_s: float) -> float | None:
        """Claim nothing: what a call needs is claimed gate by gate."""
        return None

    def unclaim(self, claim: object) -> None:
        """Give nothing up."""

    def pace(self, tokens: int) -> float:
        """Return the seconds between two places of *tokens* when nobody stops coming."""
        return max(gate.pace(tokens) for gate in self._gates)

    def pause(self, seconds: float) -> None:
        """Admit nobody to the dependency for *seconds*."""
        self._own.pause(seconds)

    def remaining(self, requests: float | None, tokens: float | None, reset_s: float) -> None:
        """Admit no more to the dependency than its provider says is left until it counts anew in *reset_s* seconds."""
        self._own.remaining(requests, tokens, reset_s)


class _Wish:
    """A place in each of several gates at one time, and what is needed beside them."""

    def __init__(self, gates: tuple[ports.Gate, ...], tokens: int, along: ports.Along | None) -> None:
        self._gates = gates
        self._tokens = tokens
        self._along = along
        self.turns: set[ports.Gate] = set()
        """Where it waits or has waited."""
        self.taken: list[ports.Permit] = []
        self._claimed: dict[ports.Gate, None] = {}  # in an order that is the same in every process
        self.missed: ports.Gate | None = None
        """The gate that had no place when it had its turn at another: where it waits next."""
        self.denied = False
        """Whether the places were there, and what is needed beside them was not."""

    def lacking(self, here: ports.Gate | None = None) -> ports.Gate | None:
        """Return the first gate that has no place, *here* apart, whose turn it is."""
        others = (gate for gate in self._gates if gate is not here)
        tokens, turns = self._tokens, self.turns
        return next((gate for gate in others if not gate.fits(tokens, ahead=gate in turns, claim=self)), None)

    def take(self, here: ports.Gate | None = None) -> float | None:
        """Take a place in every gate but *here*, if all have one and what is needed beside them is to be had.

        Where a gate that has had its turn lacks one, and is no slower than this one, its next place is claimed.

        Returns:
            0 when all was taken, None when not, else the seconds until it may be.
        """
        lacking = self.lacking(here)
        if lacking is not None:
            wait_s = None
            if here is not None and lacking in self.turns:
                wait_s = lacking.claim(self, self._tokens, PATIENCE * here.pace(self._tokens))
            if wait_s is None:
                self.missed = lacking
                self.give_up()
            else:
                self._claimed[lacking] = None
                wait_s = max(wait_s, SHORTEST_WAIT_S)
            return wait_s
        self.denied = self._along is not None and self._along() is None
        if self.denied:
            self.give_up()
            return None
        permits = (gate.try_take(self._tokens, ahead=True) for gate in self._gates if gate is not here)
        self.taken = [permit for permit in permits if permit is not None]
        return 0.0

    def give_up(self) -> None:
        """Leave what was claimed to others."""
        for gate in self._claimed:
            gate.unclaim(self)
        self._claimed.clear()


class Permits:
    """Places in several gates; exactly one of `refund`, `correct` and `keep` follows."""

    __slots__ = ("_permits",)

    def __init__(self, permits: list[ports.Permit]) -> None:
        self._permits = permits

    def refund(self) -> None:
        """Give all of them back: nothing was sent."""
        for permit in self._permits:
            permit.refund()

    def correct(self, tokens: int) -> None:
        """Replace the estimate by the *tokens* that were really used, in all of them."""
        for permit in self._permits:
            permit.correct(tokens)

    def keep(self) -> None:
        """Leave all of them as they are."""
        for permit in self._permits:
            permit.keep()
