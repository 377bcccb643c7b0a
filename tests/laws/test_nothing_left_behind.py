"""Law 2: every reservation, permit, slot, place and stream is returned, wherever and however a run is stopped.

A run is stopped at each of its awaits in turn (`stepping`): cancelled once, twice, often, or just when something was
handed to it; its deadline or an attempt's timeout comes there; an error is raised there; one of its tasks is lost; the
coordinator is left. Afterwards nothing may be held, open, alive or untold, and the run's end is honest (`playing`).
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coordinator import Coordinator, Team
from coordinator.domain.events import Event, Kind
from coordinator.domain.scope import RunState
from coordinator.domain.timer import Timer
from coordinator.engine import run as engine_run
from coordinator.engine.apart import Apart
from coordinator.engine.channel import Channels
from coordinator.engine.context import Context
from coordinator.engine.slots import Slots
from coordinator.policies import rate_limit
from coordinator.policies.admission import Admission
from coordinator.policies.budget import Budget
from coordinator.stores.memory.breaker import Trial
from coordinator.stores.memory.gate import Gate
from coordinator.stores.memory.waiting import WaitingRoom
from tests.laws import stepping
from tests.laws.playing import BEFORE, Piece, play, wrong
from tests.laws.stepping import ACTS, LEAVING, Act, Boom, soft_deadline
from tests.laws.workshop import asks, scenarios, smith, workplace, workshop

pytestmark = pytest.mark.real_time  # every run is played in a loop of its own

WORKSHOP = {piece.name: piece for piece in workshop()}
SCENARIOS = {piece.name: piece for piece in scenarios()}
EVERY = {**WORKSHOP, **SCENARIOS}
LEFT = {name: WORKSHOP[name] for name in ("own world", "threads", "started", "torn", "crowd")}
FAST = {"crowd": 12, "cache": 12}
"""Every so many awaits of pieces in which several runs are played at once are enough where time is short."""
SEEDS = (None, 1, 2, 3)
"""Orders in which tasks that are ready at once take their steps; None is asyncio's own."""


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Keep the collector from what lives already, so that it can look at the rest after every run; log no crash."""
    log = logging.getLogger("coordinator")
    gc.collect()
    gc.freeze()
    log.disabled = True
    yield
    log.disabled = False
    gc.unfreeze()


def stopped(piece: Piece, act: Act, stride: int = 1, seed: int | None = None) -> Iterator[str]:
    """Stop *piece* by *act* at every *stride*-th of its awaits, and yield what is wrong afterwards."""
    calm = play(piece, seed=seed)
    assert calm.left == []
    start = 1 + ACTS.index(act) % stride if act in ACTS else 1  # each begins elsewhere: together they meet every await
    for at in range(start, calm.awaits + 1, stride):
        played = play(piece, at, act, seed)
        if played.done:
            yield from wrong(played, calm, act)


@pytest.mark.parametrize("piece", WORKSHOP.values(), ids=WORKSHOP)
def test_a_run_that_is_stopped_at_any_await_leaves_nothing(piece: Piece) -> None:
    assert [what for act in ACTS for what in stopped(piece, act, stride=FAST.get(piece.name, 4))] == []


@pytest.mark.parametrize("piece", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_that_is_stopped_at_any_await_leaves_nothing(piece: Piece) -> None:
    assert [what for act in ACTS for what in stopped(piece, act, stride=12)] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("piece", EVERY.values(), ids=EVERY)
def test_a_run_that_is_stopped_at_every_await_in_any_order_leaves_nothing(piece: Piece, seed: int | None) -> None:
    assert [what for act in ACTS for what in stopped(piece, act, seed=seed)] == []


@pytest.mark.parametrize("act", LEAVING, ids=lambda act: act.__name__)
@pytest.mark.parametrize("piece", LEFT.values(), ids=LEFT)
def test_a_coordinator_that_is_left_at_any_await_of_a_run_leaves_nothing(piece: Piece, act: Act) -> None:
    assert list(stopped(piece, act, stride=FAST.get(piece.name, 3))) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("piece", [*LEFT.values(), *SCENARIOS.values()], ids=[*LEFT, *SCENARIOS])
def test_a_coordinator_that_is_left_at_every_await_of_a_run_leaves_nothing(piece: Piece, seed: int | None) -> None:
    assert [what for act in LEAVING for what in stopped(piece, act, seed=seed)] == []


def test_a_run_that_is_cancelled_before_its_first_step_leaves_nothing() -> None:
    for piece in WORKSHOP.values():
        played = play(piece, BEFORE)
        assert (played.left, played.status) == ([], "cancelled")


def raising_at(number: int) -> Callable[[Event], None]:
    def observer(event: Event) -> None:
        if event.seq == number:
            raise Boom

    return observer


def watched_by(*observers: Callable[[Event], None]) -> Piece:
    return Piece("watched", workplace(Team(smith), observers=observers), asks())


def test_an_observer_that_raises_at_any_event_changes_nothing() -> None:
    calm = play(watched_by())
    for number in range(1, len(calm.events) + 1, 3):
        played = play(watched_by(raising_at(number)))
        assert (played.left, played.status, played.awaits) == ([], calm.status, calm.awaits)


def test_the_workshop_meets_with_everything_that_can_be_waited_for_or_held() -> None:
    """A law that is played where nothing happens proves nothing."""
    told = [event for piece in WORKSHOP.values() for event in play(piece).events]
    assert {Kind.RETRY, Kind.FALLBACK, Kind.BREAKER, Kind.TOOL_LATE} <= {event.kind for event in told}
    assert {"open", "half-open", "closed"} <= {event.data["to"] for event in told if event.kind is Kind.BREAKER}
    waited = {cause for event in told if event.kind is Kind.RUN_ENDED for cause in event.data.get("waited_s", ())}
    assert {"admission", "gates", "money", "retries"} <= waited


@pytest.mark.plants
def test_every_way_of_stopping_a_run_is_possible_somewhere() -> None:
    for act in (*ACTS, *LEAVING):
        piece = WORKSHOP["delegations" if act is soft_deadline else "tools"]
        assert any(play(piece, at, act).done for at in range(1, 20)), act.__name__


# What follows are defects, each of which must be found by the act that stands beside it.


def nothing(*_: object) -> None:
    """Forget it."""


def charges_unless_cancelled(self: Budget, call: Any, held: Any, error: BaseException) -> None:
    if not isinstance(error, asyncio.CancelledError):
        charge(self, call, held, error)


def accounts_for_cancellations_alone(gate: Any, permit: Any, error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        account(gate, permit, error)


async def dawdles_before_it_passes_on(self: Admission, call: Any, then: Any) -> Any:
    async def slowly(call: Any) -> Any:
        try:
            return await then(call)
        finally:
            self._running += 1  # what admission gives back at once, this one gives back after a pause
            await asyncio.sleep(0)
            self._running -= 1

    return await admit(self, call, slowly)


async def takes_without_a_thought_of_leaving(self: Slots, *, returning: bool = False) -> None:
    if not self.try_take():
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter


def leaves_only_while_it_waits(self: Gate, waiter: Any) -> None:
    if waiter.waits:
        leave_gate(self, waiter)


def deserts_only_while_it_waits(self: WaitingRoom, ask: Any) -> None:
    if not ask.answer.done() or ask.answer.cancelled():
        desert(self, ask)


def forgets_the_alarm(self: Timer, *error: Any) -> None:
    self._handle = None
    exit_timer(self, *error)


def leaves_the_streams_open(self: Channels) -> bool:
    self.call_off()
    return bool(self._working)


async def waits_until_it_has_ended(task: asyncio.Task[Any], *_: object) -> None:
    await asyncio.wait([task])


def never_says_how_a_tool_ended(self: RunState, kind: Kind, *given: Any) -> None:
    if kind is not Kind.TOOL_ENDED:
        emit(self, kind, *given)


async def waits_for_all_before_it_closes(self: Coordinator, *error: Any) -> None:
    self._loop = None
    await self._started.close()
    while self._at_work:
        await asyncio.wait(self._at_work)
    await self._stack.__aexit__(*error)


charge, account, admit, emit = Budget._charge, rate_limit._account, Admission.__call__, RunState.emit
leave_gate, desert, exit_timer = Gate._leave, WaitingRoom._desert, Timer.__exit__

DEFECTS: list[tuple[Any, str, Any, str, Act, str]] = [
    (Budget, "_charge", charges_unless_cancelled, "delegations", stepping.cancel, "money"),
    (Admission, "_pass_on", nothing, "delegations", stepping.crash, "admission"),
    (Admission, "__call__", dawdles_before_it_passes_on, "delegations", stepping.cancel_twice, "admission"),
    (Trial, "returned", nothing, "tools", stepping.cancel, "breaker"),
    (rate_limit, "_account", accounts_for_cancellations_alone, "tools", stepping.fault, "gate"),
    (Gate, "_leave", leaves_only_while_it_waits, "tools", stepping.lose_task_as_it_comes, "gate"),
    (WaitingRoom, "_desert", deserts_only_while_it_waits, "crowd", stepping.lose_task_as_it_comes, "money"),
    (Slots, "take", takes_without_a_thought_of_leaving, "plan", stepping.crash, "slots"),
    (Timer, "__exit__", forgets_the_alarm, "delegations", stepping.cancel, "timer"),
    (Channels, "close", leaves_the_streams_open, "delegations", stepping.deadline, "inbox"),
    (Context, "flag", nothing, "delegations", stepping.soft_deadline, "a run whose soft deadline"),
    (Apart, "_account", nothing, "own world", stepping.cancel, "a task"),
    (RunState, "emit", never_says_how_a_tool_ended, "tools", stepping.timeout, "tool"),
    (Coordinator, "__aexit__", waits_for_all_before_it_closes, "threads", stepping.leave_and_go, "bench: open"),
    (engine_run, "grace", waits_until_it_has_ended, "deaf", stepping.cancel, "a cancelled run took"),
    (Channels, "_leave", nothing, "deaf", stepping.cancel, "a cancelled run took"),
]


@pytest.mark.plants
@pytest.mark.parametrize(("owner", "name", "defect", "where", "act", "what"), DEFECTS)
def test_the_law_finds_its_planted_defect(
    owner: Any, name: str, defect: Any, where: str, act: Act, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, defect)
    calm = play(WORKSHOP[where])
    found = (left for at in range(1, calm.awaits + 1) for left in wrong(play(WORKSHOP[where], at, act), calm, act))
    assert any(f": {what}" in left for left in found)
