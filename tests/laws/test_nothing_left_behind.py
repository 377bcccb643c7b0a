"""Law 2: every reservation, permit, slot, place and stream is returned, wherever and however a run is stopped.

A run is stopped at each of its awaits in turn (`stepping`): cancelled once, twice, often, or just when something was handed
to it; its deadline or an attempt's timeout comes there; an error is raised there; one of its tasks is lost; the coordinator
is left. Afterwards nothing may be held, open, alive or untold, and the run's end is an honest one (`playing`).
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coordinator.domain.events import Event, Kind
from coordinator.domain.timer import Timer
from coordinator.engine.apart import Apart
from coordinator.engine.channel import Channels
from coordinator.engine.slots import Place, Slots
from coordinator.policies import rate_limit
from coordinator.policies.admission import Admission
from coordinator.policies.budget import Budget
from coordinator.stores.memory.breaker import Trial
from coordinator.stores.memory.gate import Gate
from coordinator.stores.memory.waiting import WaitingRoom
from coordinator.telemetry.guard import Guarded
from tests.laws import stepping
from tests.laws.playing import Piece, Played, play, wrong
from tests.laws.stepping import ACTS, LEAVING, Act
from tests.laws.workshop import scenarios, workshop

pytestmark = pytest.mark.real_time  # every run is played in a loop of its own

WORKSHOP = {piece.name: piece for piece in workshop()}
SCENARIOS = {piece.name: piece for piece in scenarios()}
LEFT = {name: WORKSHOP[name] for name in ("own world", "threads", "started", "plan")}
SEEDS = (None, 1, 2, 3)
"""Orders in which tasks that are ready at once take their steps; None is asyncio's own."""


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Keep the collector from what lives already, so that it can look at the rest after every run; log no crashes."""
    log = logging.getLogger("coordinator")
    gc.collect()
    gc.freeze()
    log.disabled = True
    yield
    log.disabled = False
    gc.unfreeze()


def stopped(piece: Piece, act: Act, stride: int = 1, seed: int | None = None) -> Iterator[tuple[Played, list[str]]]:
    """Play *piece* once for every await at which *act* can be done, or for every *stride*-th of them."""
    calm = play(piece, seed=seed)
    assert calm.left == []
    first = 1 + ACTS.index(act) % stride if act in ACTS else 1  # each act begins elsewhere: together they meet them all
    for at in range(first, calm.awaits + 1, stride):
        played = play(piece, at, act, seed)
        if played.done:
            yield played, wrong(played, calm, act)


def assert_nothing_left(piece: Piece, stride: int = 1, seed: int | None = None) -> None:
    assert [what for act in ACTS for _, found in stopped(piece, act, stride, seed) for what in found] == []


@pytest.mark.parametrize("piece", WORKSHOP.values(), ids=WORKSHOP)
def test_a_run_that_is_stopped_at_any_await_leaves_nothing(piece: Piece) -> None:
    assert_nothing_left(piece, stride=2)


@pytest.mark.parametrize("piece", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_that_is_stopped_at_any_await_leaves_nothing(piece: Piece) -> None:
    assert_nothing_left(piece, stride=5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("piece", [*WORKSHOP.values(), *SCENARIOS.values()], ids=[*WORKSHOP, *SCENARIOS])
def test_a_run_that_is_stopped_at_every_await_in_any_order_leaves_nothing(piece: Piece, seed: int | None) -> None:
    assert_nothing_left(piece, seed=seed)


@pytest.mark.parametrize("act", LEAVING, ids=lambda act: act.__name__)
@pytest.mark.parametrize("piece", LEFT.values(), ids=LEFT)
def test_a_coordinator_that_is_left_at_any_await_of_a_run_leaves_nothing(piece: Piece, act: Act) -> None:
    assert [what for _, found in stopped(piece, act) for what in found] == []


def test_an_observer_that_raises_at_any_event_changes_nothing() -> None:
    piece = WORKSHOP["tools"]
    calm = play(piece)
    for at in range(1, len(calm.events) + 1, 5):
        played = play(Piece(piece.name, lambda told, at=at: piece.coordinator(raising(told, at)), piece.ask))
        assert (played.status, played.awaits) == (calm.status, calm.awaits)
        assert [left for left in played.left if not left.startswith("events")] == []


def raising(told: Callable[[Event], None], at: int) -> Callable[[Event], None]:
    def observer(event: Event) -> None:
        told(event)
        if event.seq == at:
            raise stepping.Boom

    return observer


def test_the_workshop_meets_with_everything_that_can_be_waited_for_or_held() -> None:
    """A law that is played where nothing happens proves nothing."""
    told = [event for piece in WORKSHOP.values() for event in play(piece).events]
    kinds = {event.kind for event in told}
    assert {Kind.RETRY, Kind.FALLBACK, Kind.BREAKER} <= kinds
    assert {"open", "half-open", "closed"} <= {event.data["to"] for event in told if event.kind is Kind.BREAKER}
    waited = {cause for event in told if event.kind is Kind.RUN_ENDED for cause in event.data.get("waited_s", ())}
    assert {"admission", "gates", "money", "retries"} <= waited
    called_off = play(WORKSHOP["tools"], 13, stepping.cancel)
    assert any(event.kind is Kind.TOOL_LATE for event in called_off.events)
