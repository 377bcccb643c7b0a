"""A call cancelled at any of its awaits, in a crowd, leaves no place, money, permit or waiter behind."""

import asyncio
import contextlib
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.errors import CoordinatorError, Fault, Reached, Throttle
from coordinator.domain.layer import onion
from coordinator.domain.limits import BreakerLimits, GateLimits, RetryLimits
from coordinator.domain.model import Target
from coordinator.domain.money import Price
from coordinator.domain.ports import Account
from coordinator.policies.admission import Admission
from coordinator.policies.breaker import Breaker
from coordinator.policies.budget import Budget
from coordinator.policies.deadline import Deadline
from coordinator.policies.pricing import ModelPrices
from coordinator.policies.rate_limit import RateLimit
from coordinator.policies.retry import Retry
from coordinator.policies.route import Route
from coordinator.policies.timeout import Timeout
from coordinator.policies.trace import OfModels, OfRuns, Trace
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.breaker import Breakers
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gates import Gates
from coordinator.stores.memory.ledger import Ledger
from coordinator.stores.memory.retries import RetryBudget

FAULTS = [
    Fault("no way", reached=Reached.NO),
    Fault("5xx", reached=Reached.YES),
    Fault("429", reached=Reached.YES, turned_away=Throttle.THROTTLED, retry_after=2.0),
    Fault("lost", reached=Reached.MAYBE),
]


class House:
    """Every layer that holds something, over small holders that are always short."""

    def __init__(self, seed: int, make: Any, replies: dict[str, Any]) -> None:
        self.make = make
        self.replies = replies
        self.calls: dict[Any, Any] = {}
        self.chance = random.Random(seed)
        self.ledger = Ledger()
        self.gates = Gates(GateLimits(requests=20, window_s=10, queue=8))
        self.breakers = Breakers(BreakerLimits(failures=3, cooldown_s=5))
        self.admission = Admission(6, 6)
        prices = ModelPrices({"fake:m": Price(1_000_000, 2_000_000), "fake:n": Price(1_000_000, 2_000_000)})
        self.model = onion(
            self.answer,
            Trace(OfModels()),
            Route({"small": [Target("fake", "m"), Target("fake", "n")]}),
            Retry(self.chance.random, RetryBudget(), RetryLimits()),
            RateLimit(self.gates, Estimates()),
            Budget(self.ledger, self.accounts, prices),
            Breaker(self.breakers),
            Timeout(),
        )
        self.run = onion(self.work, Trace(OfRuns()), self.admission, Deadline())

    def begin(self) -> asyncio.Task[Any]:
        calls = self.make(deadline_s=12.0)
        self.calls[calls.run] = calls
        return asyncio.get_running_loop().create_task(self.run(calls.of_run()))

    @staticmethod
    def accounts(scope: Any) -> tuple[Account, ...]:
        return (Account("global", 6000), Account(f"run/{scope.run.run_id}", 2000))

    async def answer(self, call: Any) -> Any:
        await asyncio.sleep(self.chance.random() * 3)
        if self.chance.random() < 0.3:
            raise self.chance.choice(FAULTS)
        return self.replies["model"]

    async def work(self, call: Any) -> Any:
        run = call.scope.run
        for _ in range(3):
            await self.model(self.calls[run].of_model(timeout=2.0, deadline=run.deadline))
        return self.replies["run"]

    def left_behind(self) -> list[Any]:
        accounts = self.ledger.snapshot()
        return [
            sum(account.reserved for account in accounts),
            sum(account.reservations for account in accounts),
            sum(gate.waiting for gate in self.gates.snapshot()),
            sum(breaker.probing for breaker in self.breakers.snapshot()),
            self.admission.snapshot().running,
            self.admission.snapshot().waiting,
        ]


async def crowd(house: House, when: list[float]) -> None:
    async def one(delay: float) -> None:
        task = house.begin()
        await asyncio.sleep(delay)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, CoordinatorError):
            await task

    await asyncio.gather(*(one(delay) for delay in when))
    assert house.left_behind() == [0] * 6
    for account in house.ledger.snapshot():
        assert account.settled <= account.ceiling + account.overrun


def test_a_crowd_cancelled_at_any_time_leaves_nothing_behind(make, replies):
    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 10**6), when=st.lists(st.floats(0, 15), min_size=1, max_size=16))
    def law(seed: int, when: list[float]) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(crowd(House(seed, make, replies), when))

    law()


@pytest.mark.parametrize("ticks", range(12))
async def test_a_call_cancelled_after_any_number_of_turns_of_the_loop_leaves_nothing_behind(make, replies, ticks):
    house = House(1, make, replies)
    tasks = [house.begin() for _ in range(14)]
    for _ in range(ticks):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert house.left_behind() == [0] * 6
