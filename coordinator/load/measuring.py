"""What is counted while a load test is under way: from events, from results, and from looking at the holders."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from coordinator.domain.events import Event, Kind
from coordinator.domain.money import micros
from coordinator.domain.result import RunResult, Status
from coordinator.load.fullest import Fullest
from coordinator.load.histogram import Histogram
from coordinator.load.memory import resident
from coordinator.load.timeline import CLOSED, RANKS, Timeline

COUNTED = {
    Kind.MODEL_STARTED: "model_calls",
    Kind.TOOL_STARTED: "tool_calls",
    Kind.DELEGATION_STARTED: "delegations",
    Kind.RETRY: "retries",
    Kind.FALLBACK: "fallbacks",
    Kind.CRASH: "crashes",
    Kind.BUDGET_ALERT: "budget_alerts",
    Kind.BUDGET_OVERRUN: "budget_overruns",
}
"""Events that are only counted, and as what."""
FINE = frozenset({"ok", "degraded"})


class Measured:
    """An observer that counts; its size depends on how long the test takes, never on how many runs there are.

    Moments are seconds since the beginning.
    """

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.latency = Histogram()
        self.lag = Histogram()
        self.late_starts = Histogram()
        self.statuses: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        """Why runs did not complete."""
        self.refusals: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.failed_calls: Counter[str] = Counter()
        """Why model and tool calls had no result, by code."""
        self.waited: dict[str, Histogram] = {}
        """Seconds that runs waited, by cause; runs that did not wait are not counted."""
        self.gates: Counter[str] = Counter()
        """Seconds times callers that waited, by gate."""
        self.gate_states: Sequence[Any] = ()
        """The gates at the last look: they can only be looked at while the loop runs."""
        self.accounts: Counter[str] = Counter()
        """The same, by account."""
        self.trips: Counter[str] = Counter()
        self.started = self.ended = self.cold = 0
        """Runs; *cold* ones belong to the warm-up."""
        self.in_flight = self.most_in_flight = 0
        self.spent = 0
        self.dearest = 0
        """Micro-dollars of all runs that have ended, and of the most expensive one."""
        self.run_seconds = 0.0
        self.memory = self.memory_before = resident()
        self.most_memory = self.memory
        self.events = 0
        self.now = 0.0
        self._fullest = Fullest()

    @property
    def down(self) -> Sequence[str]:
        """The dependencies whose breakers are not closed."""
        return tuple(self.timeline.down)

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        self.events += 1
        kind = event.kind
        counted = COUNTED.get(kind)
        if counted is not None:
            self.calls[counted] += 1
        elif kind is Kind.MODEL_ENDED or kind is Kind.TOOL_ENDED:
            code = event.data["code"]
            if code not in FINE:
                self.failed_calls[code] += 1
        elif kind is Kind.RUN_ENDED:
            for cause, seconds in event.data.get("waited_s", {}).items():
                self.waited.setdefault(cause, Histogram()).add(seconds)
        elif kind is Kind.BREAKER:
            self._switched(str(event.data["dependency"]), str(event.data["to"]))

    def begin(self, at: float, late: float) -> None:
        """Count a run that began *late* seconds after it was meant to."""
        self.now = at
        self.started += 1
        there = self.timeline.at(at)
        self.timeline.in_flight = self.in_flight = self.in_flight + 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.late_starts.add(late)
        there.started += 1
        there.in_flight = max(there.in_flight, self.in_flight)

    def end(self, at: float, latency: float, result: RunResult, *, warm: bool) -> None:
        """Count a run that ended with *result*, *latency* seconds after it was meant to begin."""
        self.now = at
        there = self.timeline.at(at)
        self.timeline.in_flight = self.in_flight = self.in_flight - 1
        self.ended += 1
        self.statuses[result.status.value] += 1
        if result.status is not Status.COMPLETED:
            self.codes[result.code] += 1
        cost = micros(f"{result.cost_usd:.6f}")
        self.spent += cost
        self.dearest = max(self.dearest, cost)
        self.run_seconds += latency
        there.ended += 1
        there.spent += cost
        if result.status is Status.REFUSED:
            self.refusals[result.code] += 1
            there.refused += 1
        elif warm:
            there.latency.add(latency)
            self.latency.add(latency)
        if not warm:
            self.cold += 1

    def gone(self, at: float) -> None:
        """Count a run that was called off."""
        self.now = at
        self.timeline.at(at)
        self.timeline.in_flight = self.in_flight = self.in_flight - 1
        self.ended += 1
        self.statuses[Status.CANCELLED.value] += 1

    def look(self, at: float, since: float, held: Any) -> None:
        """Look at what is held, at the moment *at*, *since* seconds after the last look."""
        self.now = at
        there = self.timeline.at(at)
        there.in_flight = max(there.in_flight, self.in_flight)
        self._fullest.look(at, there, self.timeline.width, held.ledger.books())
        for dependency, rank in self.timeline.down.items():
            there.breakers[dependency] = max(rank, there.breakers.get(dependency, CLOSED))
        self.memory = resident()
        self.most_memory = max(self.most_memory, self.memory)
        self.gate_states = held.gates.snapshot()
        for gate in self.gate_states:
            if gate.waiting:
                self.gates[gate.name] += gate.waiting * since
        for book in held.ledger.books():
            if book.queue is not None:
                self.accounts[book.name] += book.queue.size * since

    def _switched(self, dependency: str, state: str) -> None:
        rank = RANKS[state]
        there = self.timeline.at(self.now)
        there.breakers[dependency] = max(rank, there.breakers.get(dependency, CLOSED))
        if state == "open":
            self.trips[dependency] += 1
        if rank == CLOSED:
            self.timeline.down.pop(dependency, None)
        else:
            self.timeline.down[dependency] = rank
