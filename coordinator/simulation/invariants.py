"""What must hold at every moment, whatever happens: checked after every event of a simulated world."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from coordinator.domain.events import Event, Kind
from coordinator.domain.money import dollars
from coordinator.simulation.bounds import Bounds, Passages

MOST = 20
"""Breaches that are told; a broken law is broken a thousand times."""

HELD = (
    "money: settled + reserved <= ceiling + overrun, on every account",
    "money: what a run costs is what its calls and its attempts without a reply cost, to the micro-dollar",
    "no counter below zero",
    "gates: no window of a model, tool, user, agent, tenant, provider or of all lets through more than its limit",
    "admission: no more runs and waiters than it allows",
    "breakers: of every model and every tier of a tool, one probe at a time when half open, no call when open",
    "events: numbered without gaps, and all that started ended",
    "nothing left behind: no reservation, place, permit, waiter or task",
    "nothing hung",
)
"""What is checked, in words."""


class Snapshots(Protocol):
    """A holder that tells its state."""

    def snapshot(self) -> Any:
        """Return the state: one value, or one for each thing that is held."""


class Accounts(Snapshots, Protocol):
    """The accounts of money, which are looked at often, and so without a copy of each."""

    def books(self) -> Iterable[Any]:
        """Return every account as it lives."""


class Gates(Snapshots, Protocol):
    """The gates, which are looked at often, and so without a copy of each."""

    def gates(self) -> Iterable[Any]:
        """Return every gate as it lives."""


class Watched(Protocol):
    """The holders of a Coordinator, as far as they are watched."""

    @property
    def ledger(self) -> "Accounts":
        """The accounts of money."""

    @property
    def gates(self) -> Gates:
        """The gates."""

    @property
    def breakers(self) -> Snapshots:
        """The breakers."""

    @property
    def admission(self) -> Snapshots:
        """Admission of runs."""


class Invariants:
    """An observer that checks what must hold after every event.

    Args:
        held: what is watched.
        bounds: of gates and admission, which are looked at after every sixteenth event; not watched when left out.
        touched: yields the accounts that may have changed since it was asked last; by default all are looked at.
    """

    def __init__(
        self, held: Watched, bounds: Bounds | None = None, touched: Callable[[], Iterable[Any]] | None = None
    ) -> None:
        self._held = held
        self._touched = touched or held.ledger.books
        self._passages = Passages(bounds) if bounds else None
        self._runs: dict[str, _Run] = {}
        self.breaches: list[str] = []
        self.events = 0
        """Events seen, and so moments at which everything was checked."""

    def __call__(self, event: Event) -> None:
        """Check what can have changed since the last event."""
        self.events += 1
        if event.run:  # alarms belong to no run
            self._follow(event)
        touched = self._touched()
        if touched:  # three events in four move no money
            self._judge(touched, event)
        if self._passages is not None and self.events % 16 == 0:
            for breach in self._passages.look(self._held.gates.gates(), self._held.admission.snapshot(), event.at):
                self._tell(breach, event)

    def check_money(self) -> None:
        """Check the law of money on every account."""
        self._judge(self._held.ledger.books())

    def check_gates(self, now: float) -> None:
        """Check what gates and admission have let through, as they stand at *now*, seconds of any steady clock."""
        if self._passages is not None:
            for breach in self._passages.look(self._held.gates.gates(), self._held.admission.snapshot(), now):
                self._tell(breach)

    def _judge(self, accounts: Iterable[Any], event: Event | None = None) -> None:
        for account in accounts:
            settled, reserved = account.settled, account.reserved
            beyond = settled + reserved > account.ceiling + account.overrun
            if beyond or settled < 0 or reserved < 0 or account.reservations < 0:
                self.check_account(account, event)

    def check_account(self, account: Any, event: Event | None = None) -> None:
        """Check the law of money on one account."""
        settled, reserved = account.settled, account.reserved
        if settled + reserved > account.ceiling + account.overrun:
            self._tell(_overdrawn(account), event)
        if settled < 0 or reserved < 0 or account.reservations < 0:
            self._tell(f"counter: account {account.name} has a negative amount: {account.state()}", event)

    def at_end(self) -> None:
        """Check that nothing is left, once the last run has ended."""
        self.check_money()
        for account in self._held.ledger.snapshot():
            if account.reserved or account.reservations:
                self._tell(f"left behind: {dollars(account.reserved)} is still held on account {account.name}")
            if account.name.startswith("run/"):
                self._tell(f"left behind: account {account.name} of a run that has ended")
        if self._passages is not None:
            for breach in self._passages.at_end(self._held.gates.gates()):
                self._tell(breach)
        self._check_counters(self._held.gates.snapshot(), "waiting", "out")
        self._check_counters(self._held.breakers.snapshot(), "probing")
        self._check_counters([self._held.admission.snapshot()], "running", "waiting")
        for name, run in self._runs.items():
            if not run.ended:
                self._tell(f"events: run {name} started and never said that it ended")

    def breach(self, what: str) -> None:
        """Add a breach that was found elsewhere."""
        self._tell(what)

    def _follow(self, event: Event) -> None:
        run = self._runs.get(event.run)
        if run is None:
            run = self._runs[event.run] = _Run()
        run.seq += 1
        if event.seq != run.seq:
            self._tell(f"events: {event.seq} follows {run.seq - 1}", event)
            run.seq = event.seq
        if run.ended and event.kind is not Kind.TOOL_LATE:  # work that goes on alone may outlive its run
            self._tell("events: one came after the run had ended", event)
        self._bill(run, event)
        ended = _STARTED_BY.get(event.kind)
        if event.kind in _STARTS:
            run.open.append((event.kind, event.step))
        elif ended is not None:
            if (ended, event.step) not in run.open:
                self._tell(f"events: {event.kind} without its start", event)
            else:
                run.open.remove((ended, event.step))
            if event.kind is Kind.RUN_ENDED:
                run.ended = True
                if run.open:
                    self._tell(f"events: the run ended, and {run.open} have not", event)

    def _bill(self, run: "_Run", event: Event) -> None:
        if event.kind in _BILLED:
            run.told += event.data.get("cost", 0)
        elif event.kind is Kind.RUN_ENDED and event.data["cost"] != run.told:
            self._tell(f"bill: {event.data['cost']} micro-dollars, and its calls tell of {run.told}", event)

    def _check_counters(self, states: Sequence[Any], *idle: str) -> None:
        for state in states:
            for name in idle:
                if getattr(state, name):
                    self._tell(f"left behind: {name} is {getattr(state, name)} in {state}")
            numbers = (getattr(state, name) for name in state.__slots__ if not name.startswith("paused"))
            if any(isinstance(number, int | float) and number < 0 for number in numbers):
                self._tell(f"counter: a negative number in {state}")

    def _tell(self, what: str, event: Event | None = None) -> None:
        if len(self.breaches) < MOST:
            where = f", at event {event.run}#{event.seq} {event.kind} {event.step}" if event else ", at the end"
            self.breaches.append(f"{what}{where}")


class _Run:
    __slots__ = ("ended", "open", "seq", "told")

    def __init__(self) -> None:
        self.seq = self.told = 0
        self.open: list[tuple[Kind, str]] = []
        self.ended = False


_STARTED_BY = {
    Kind.RUN_ENDED: Kind.RUN_STARTED,
    Kind.DELEGATION_ENDED: Kind.DELEGATION_STARTED,
    Kind.MODEL_ENDED: Kind.MODEL_STARTED,
    Kind.TOOL_ENDED: Kind.TOOL_STARTED,
}
_STARTS = frozenset(_STARTED_BY.values())
_BILLED = frozenset({Kind.MODEL_ENDED, Kind.TOOL_ENDED, Kind.CHARGED})
"""What tells of money that is part of the run's bill; `tool.late` repeats what was charged when its caller left."""


def _overdrawn(account: Any) -> str:
    return (
        f"money: account {account.name} has settled {dollars(account.settled)} and reserved "
        f"{dollars(account.reserved)}, above its ceiling of {dollars(account.ceiling)} and an overrun of "
        f"{dollars(account.overrun)}"
    )
