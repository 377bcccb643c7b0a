"""Which limit holds most runs back."""

from collections.abc import Mapping, Sequence

from coordinator.load.histogram import Percentiles
from coordinator.load.report import AccountUse, Bottleneck, BreakerUse, GateUse, Waiting

NOTICEABLE = 0.01
"""Less than this share of runs refused, or of time waited, is no bottleneck."""

CAUSES = {
    "admission_full": "admission",
    "draining": "admission",
    "gate_full": "gates",
    "budget_exhausted": "money",
    "budget_held": "money",
    "budget_queue_full": "money",
    "accounts_full": "money",
    "breaker_open": "breakers",
    "tool_unavailable": "breakers",
    "deadline_exceeded": "deadlines",
    "soft_deadline": "deadlines",
}
"""The limit behind a code."""
LATE = ("deadline_exceeded", "soft_deadline")
LATE_LOOP_S = 0.25
TELLING = 0.1
"""Where runs wait for so much of their time, it is the wait that makes them late."""

QUEUES = frozenset({"admission", "gates", "money"})
"""What foretells how long it would take; who could not wait so long says only that."""

ADVICE = {
    "admission": "raise admission.runs",
    "gates": "raise the rate, or ask for a larger quota",
    "money": "raise the ceiling",
    "breakers": "look at the dependency: it fails",
    "deadlines": "raise deadline_s",
    "retries": "look at what fails and is tried again",
}
NOTHING = Bottleneck(cause="nothing", where="", why="no limit holds runs back: their time is that of models and tools")


def bottleneck(
    runs: int,
    codes: Mapping[str, int],
    waiting: Sequence[Waiting],
    accounts: Sequence[AccountUse],
    gates: Sequence[GateUse],
    breakers: Sequence[BreakerUse],
) -> Bottleneck:
    """Return the limit that most runs did not get past; when hardly any was stopped, the one most waited for.

    Args:
        runs: that ended.
        codes: why runs did not complete, with how many.
        waiting: what was waited for, the longest first.
        accounts: those that runs share, the fullest first.
        gates: all of them.
        breakers: all of them.
    """
    most = waiting[0] if waiting else None
    queues = [one for one in waiting if one.cause in QUEUES]
    causes = {**CAUSES, "deadline_out_of_reach": queues[0].cause if queues else "gates"}
    if most is not None and most.share >= TELLING:
        causes |= dict.fromkeys(LATE, most.cause)
    stopped: dict[str, int] = {}
    for code, count in codes.items():
        if code in causes:
            stopped[causes[code]] = stopped.get(causes[code], 0) + count
    cause, count = max(stopped.items(), key=lambda pair: pair[1], default=("", 0))
    if runs and count >= NOTICEABLE * runs:
        why = f"it stopped {count} of {runs} runs ({count / runs:.0%})"
    elif most is not None and most.share >= NOTICEABLE:
        cause, why = most.cause, f"runs spent {most.share:.0%} of their time waiting for it"
    else:
        return NOTHING
    where = _where(cause, accounts, gates, breakers)
    return Bottleneck(cause=cause, where=where, why=f"{why}; {ADVICE[cause]}")


def overloaded(lag: Percentiles) -> Bottleneck | None:
    """Return that the process itself is the bottleneck, when its event loop was late more often than now and then."""
    if lag.p90 < LATE_LOOP_S:
        return None
    why = f"in one moment of ten its event loop was {lag.p90:.2g} s late or more; ask for less, or take a free machine"
    return Bottleneck(cause="process", where="", why=why)


def _where(cause: str, accounts: Sequence[AccountUse], gates: Sequence[GateUse], breakers: Sequence[BreakerUse]) -> str:
    """Return the name of the one gate, account or breaker behind *cause*, as far as there is one."""
    if cause == "gates" and gates:
        return max(gates, key=lambda gate: (gate.waited_s, gate.refused)).gate
    if cause == "money":
        return accounts[0].account if accounts else "run"
    if cause == "breakers" and breakers:
        return max(breakers, key=lambda breaker: (breaker.trips, breaker.refused)).dependency
    return ""
