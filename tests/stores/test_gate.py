import asyncio
import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from coordinator.domain.errors import Refused
from coordinator.domain.limits import GateLimits
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.bucket import Bucket
from coordinator.stores.memory.gate import Gate
from coordinator.stores.memory.gates import Gates

SOON = 1e-3


def now() -> float:
    return asyncio.get_running_loop().time()


def gate_of(**limits) -> Gate:
    return Gate("m", GateLimits(**limits))


def begin(coroutine) -> asyncio.Task:
    return asyncio.get_running_loop().create_task(coroutine)


async def fill(gate: Gate) -> None:
    while gate.try_take(0) is not None:
        pass


@pytest.mark.parametrize("requests", [1, 2, 3, 7, 60])
async def test_no_window_wherever_it_begins_sees_more_than_its_amount(requests):
    gate = gate_of(requests=requests, window_s=60)
    times = []
    for _ in range(requests * 4):
        await gate.take(0, math.inf)
        times.append(now())
    windows = [sum(begin <= other < begin + 60 - SOON for other in times) for begin in times]
    assert max(windows) <= requests


async def test_most_of_the_amount_can_be_used():
    gate = gate_of(requests=100, window_s=60)
    for _ in range(750):
        await gate.take(0, math.inf)
    assert now() < 600 + 60


async def test_who_came_first_is_served_first_however_large():
    gate = gate_of(tokens=1000, window_s=10)
    order = []

    async def one(number):
        await gate.take(400 if number % 7 == 0 else 1, math.inf)
        order.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(40):
            tasks.create_task(one(number))
    assert order == list(range(40))


async def test_a_newcomer_does_not_overtake_who_waits():
    gate = gate_of(tokens=100, window_s=10, burst=0.5)
    gate.try_take(50)
    waiting = begin(gate.take(40, math.inf))
    await asyncio.sleep(1)
    assert gate.try_take(1) is None
    await waiting


async def test_an_amount_above_the_capacity_takes_all_of_it_and_leaves_a_debt():
    gate = gate_of(tokens=100, window_s=10, burst=0.5)
    assert gate.try_take(80) is not None
    assert gate.snapshot().token_level == pytest.approx(80, abs=SOON)
    await gate.take(10, math.inf)
    assert now() == pytest.approx((80 + 10 - 50) / 5, abs=SOON)


async def test_a_refund_serves_the_next_at_once():
    gate = gate_of(requests=1)
    permit = gate.try_take(0)
    waiting = begin(gate.take(0, math.inf))
    await asyncio.sleep(0)
    permit.refund()
    await waiting
    assert now() < SOON
    assert gate.snapshot().refunded == 1


async def test_a_late_refund_gives_back_only_what_has_not_leaked_out():
    gate = gate_of(requests=100, window_s=10, burst=0.5)
    permit = gate.try_take(0)
    await asyncio.sleep(60)
    await fill(gate)
    permit.refund()
    assert gate.try_take(0) is None


async def test_a_correction_moves_the_tokens_to_what_was_used():
    gate = gate_of(tokens=1000, burst=0.5)
    gate.try_take(300).correct(100)
    assert gate.snapshot().token_level == pytest.approx(100, abs=SOON)
    gate.try_take(100).correct(600)
    assert gate.snapshot().token_level == pytest.approx(700, abs=SOON)


async def test_a_pause_stops_everybody_and_ends():
    gate = gate_of()
    gate.pause(30)
    assert gate.try_take(0) is None
    await gate.take(0, math.inf)
    assert now() == pytest.approx(30, abs=SOON)
    assert gate.try_take(0) is not None


async def test_a_pause_refuses_who_cannot_wait_so_long():
    gate = gate_of(requests=60)
    await fill(gate)
    patient, hurried = begin(gate.take(0, math.inf)), begin(gate.take(0, now() + 20))
    await asyncio.sleep(0)
    gate.pause(40)
    with pytest.raises(Refused) as refused:
        await hurried
    assert refused.value.code == "deadline_out_of_reach"
    assert now() < SOON
    await patient


async def test_a_full_queue_refuses_in_passing_and_says_when_to_come_back():
    gate = gate_of(requests=60, queue=2)
    await fill(gate)
    waiting = [begin(gate.take(0, math.inf)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await gate.take(0, math.inf)
    assert (refused.value.code, refused.value.passing) == ("gate_full", True)
    assert refused.value.retry_after == pytest.approx(4, abs=0.1)
    await asyncio.gather(*waiting)
    assert gate.snapshot().refused == 1


async def test_who_would_be_served_too_late_is_refused_on_arrival():
    gate = gate_of(requests=60)
    await fill(gate)
    waiting = [begin(gate.take(0, math.inf)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await gate.take(0, now() + 7)
    assert (refused.value.code, refused.value.passing) == ("deadline_out_of_reach", True)
    await gate.take(0, now() + 9)
    await asyncio.gather(*waiting)


async def test_a_waiter_whose_deadline_passes_is_dropped_unserved():
    gate = gate_of(tokens=100, window_s=10, burst=0.5)
    permit = gate.try_take(50)
    hurried = begin(gate.take(50, now() + 11))
    await asyncio.sleep(1)
    permit.correct(5000)
    with pytest.raises(Refused):
        await hurried
    assert now() == pytest.approx(11, abs=SOON)
    assert gate.snapshot().admitted == 1
    assert gate.snapshot().waiting == 0


@pytest.mark.parametrize("ticks", range(5))
async def test_a_waiter_cancelled_at_any_point_loses_no_place(ticks):
    """The place comes free while the first waiter is being cancelled: before, with and after its grant."""
    gate = gate_of(requests=1)
    permit = gate.try_take(0)
    first, second = begin(gate.take(0, math.inf)), begin(gate.take(0, math.inf))
    await asyncio.sleep(0)
    if ticks < 3:
        permit.refund()
    for _ in range(ticks % 3):
        await asyncio.sleep(0)
    first.cancel()
    if ticks >= 3:
        permit.refund()
    ends = await asyncio.gather(first, second, return_exceptions=True)
    if not isinstance(ends[0], asyncio.CancelledError):
        return
    assert now() < SOON
    state = gate.snapshot()
    assert state.waiting == 0
    assert state.admitted - state.refunded == 1
    assert state.request_level == pytest.approx(1, abs=SOON)


async def test_a_cancelled_head_lets_the_next_one_pass_as_soon_as_it_fits():
    gate = gate_of(tokens=100, window_s=10, burst=0.5)
    gate.try_take(50)
    large, small = begin(gate.take(50, math.inf)), begin(gate.take(1, math.inf))
    await asyncio.sleep(1)
    large.cancel()
    await small
    assert now() == pytest.approx(1, abs=SOON)


async def test_a_clock_that_does_not_creep_still_lets_everybody_pass(monkeypatch):
    monkeypatch.setattr(VirtualLoop, "time", lambda loop: loop._now)
    gate = gate_of(requests=7, window_s=0.3, tokens=13)
    for _ in range(50):
        await gate.take(3, math.inf)
    assert gate.snapshot().admitted == 50


async def test_gates_are_kept_by_dependency_with_their_own_limits():
    gates = Gates(GateLimits(requests=1), {"free": GateLimits()})
    assert gates.of("a") is gates.of("a")
    assert gates.of("a").try_take(0) is not None
    assert gates.of("a").try_take(0) is None
    assert gates.of("b").try_take(0) is not None
    for _ in range(100):
        assert gates.of("free").try_take(10**9) is not None
    assert [state.name for state in gates.snapshot()] == ["a", "b", "free"]


async def test_what_is_touched_of_aiolimiter_behaves_as_it_is_used():
    bucket = Bucket(100, 10, 0.5, exact=True)
    bucket.take(20, now())
    taken_at = now()
    assert bucket.level == pytest.approx(20, abs=SOON)
    await asyncio.sleep(2)
    assert bucket.level == pytest.approx(10, abs=SOON)
    bucket.give(4, taken_at, now())
    assert bucket.level == pytest.approx(6, abs=SOON)
    assert bucket.delay(44) == 0
    assert bucket.delay(54) == pytest.approx(6 / 5, abs=SOON)


class GateLaws(RuleBasedStateMachine):
    """Any world of arrivals, cancellations, refunds and pauses: in order, in bounds, and nobody lost."""

    limits = GateLimits(requests=8, tokens=400, window_s=10, queue=6)

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.gate = Gate("m", self.limits)
        self.tasks: list[asyncio.Task] = []
        self.granted: list[tuple[int, float]] = []
        self.returned: set[int] = set()

    def turn(self, seconds: float = 0.0) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.loop.run_until_complete(asyncio.sleep(0))

    async def one(self, number: int, tokens: int, patience: float):
        permit = await self.gate.take(tokens, self.loop.time() + patience)
        self.granted.append((number, self.loop.time()))
        return permit

    @rule(tokens=st.integers(0, 150), patience=st.sampled_from([1.0, 20.0, math.inf]))
    def arrive(self, tokens, patience):
        self.tasks.append(self.loop.create_task(self.one(len(self.tasks), tokens, patience)))
        self.turn()

    @rule(seconds=st.floats(0, 5))
    def pass_time(self, seconds):
        self.turn(seconds)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), wait=st.booleans())
    def cancel(self, data, wait):
        self.tasks[data.draw(st.integers(0, len(self.tasks) - 1))].cancel()
        if wait:
            self.turn()

    @precondition(lambda self: len(self.granted) > len(self.returned))
    @rule(data=st.data())
    def refund(self, data):
        number = data.draw(st.sampled_from([n for n, _ in self.granted if n not in self.returned]))
        self.returned.add(number)

        async def give() -> None:
            self.tasks[number].result().refund()

        self.loop.run_until_complete(give())
        self.turn()

    @rule(seconds=st.floats(0, 3))
    def pause(self, seconds):
        async def stop() -> None:
            self.gate.pause(seconds)

        self.loop.run_until_complete(stop())
        self.turn()

    @invariant()
    def first_in_first_out(self):
        numbers = [number for number, _ in self.granted]
        assert numbers == sorted(numbers)

    @invariant()
    def no_window_sees_more_than_its_amount(self):
        sent = [when for number, when in self.granted if number not in self.returned]
        for begin_ in sent:
            window = sum(begin_ <= other < begin_ + self.limits.window_s - SOON for other in sent)
            assert window <= self.limits.requests

    @invariant()
    def nobody_is_lost(self):
        state = self.loop.run_until_complete(_snapshot(self.gate))
        assert state.waiting == sum(not task.done() for task in self.tasks) <= self.limits.queue
        assert state.refunded >= len(self.returned)

    def teardown(self):
        for task in self.tasks:
            task.cancel()
        self.turn()
        state = self.loop.run_until_complete(_snapshot(self.gate))
        assert state.waiting == 0
        for task in self.tasks:
            if not task.cancelled():
                task.exception()
        self.loop.close()


async def _snapshot(gate: Gate):
    return gate.snapshot()


TestGateLaws = GateLaws.TestCase
TestGateLaws.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
