"""What holders hold at this moment, as levels with few names: those of tenants and users are added up."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from coordinator.domain.money import usd
from coordinator.domain.value import value

GLOBAL = "global"
STATES = ("closed", "half-open", "open")
ADDED_UP = frozenset({"tenant", "user"})
"""What gates begin their names with, when the rest names somebody, such as `tenant acme`."""


@value
class Level:
    """Something that goes up and down. *labels* are its labels by name."""

    name: str
    labels: dict[str, str]
    value: float


TELLS = {
    "runs_running": "Runs at work.",
    "runs_waiting": "Runs that wait to be admitted.",
    "draining": "Whether no more runs are admitted.",
    "budget_ceiling_usd": "Ceiling of the account of all runs, in its period.",
    "budget_spent_usd": "Dollars spent of it.",
    "budget_held_usd": "Dollars held for calls under way.",
    "budget_waiting": "Calls that wait for money, on any account.",
    "gate_waiting": "Calls that wait at a gate; those of all tenants, and of all users, together.",
    "breaker_state": "1 for the state that a breaker is in.",
    "retry_budget": "Retries that are left for a dependency.",
    "stragglers": "Abandoned tool calls that go on alone.",
    "replies_cached": "Replies of models that are kept for the same request.",
}


def levels(state: Any) -> Iterator[Level]:
    """Yield every level of *state*, the snapshot of a Coordinator."""
    yield Level("runs_running", {}, state.admission.running)
    yield Level("runs_waiting", {}, state.admission.waiting)
    yield Level("draining", {}, state.admission.draining)
    yield from _money(state.accounts)
    yield from _gates(state.gates)
    for breaker in state.breakers:
        for name in STATES:
            labels = {"dependency": breaker.dependency, "state": name}
            yield Level("breaker_state", labels, breaker.state == name)
    for tally in state.retries:
        yield Level("retry_budget", {"dependency": tally.dependency}, tally.left)
    yield Level("stragglers", {}, len(state.stragglers.working))
    if state.replies is not None:
        yield Level("replies_cached", {}, state.replies.kept)


def _money(accounts: Any) -> Iterator[Level]:
    # Of several periods, the youngest is the last: an account of the one before is kept until nothing is held on it.
    everybody = next((one for one in reversed(accounts) if one.name.partition("/")[0] == GLOBAL), None)
    if everybody is not None:
        yield Level("budget_ceiling_usd", {}, usd(everybody.ceiling))
        yield Level("budget_spent_usd", {}, usd(everybody.settled))
        yield Level("budget_held_usd", {}, usd(everybody.reserved))
    yield Level("budget_waiting", {}, sum(one.waiting for one in accounts))


def _gates(gates: Any) -> Iterator[Level]:
    waiting: Counter[str] = Counter()
    for gate in gates:
        scope, named, _ = gate.name.partition(" ")
        waiting[f"{scope}:*" if named and scope in ADDED_UP else gate.name] += gate.waiting
    for name, calls in waiting.items():
        yield Level("gate_waiting", {"gate": name}, calls)
