import asyncio
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import Standing
from coordinator.domain.ports import Account, Claim
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.ledger import Ledger, LedgerLimits

DAY = Account("global/1", 100)


def run(number: int, ceiling: int = 100) -> Account:
    return Account(f"run/{number}", ceiling)


class Line:
    """Calls that wait for money; *served* has their names in the order in which they got it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.served: list[str] = []
        self.held: dict[str, Any] = {}

    async def ask(
        self, name: str, amount: int, *accounts: Account, order: int = 0, deadline: float = math.inf, weight: int = 1
    ) -> asyncio.Task[None]:
        async def wait() -> None:
            standing = Standing(name.partition(".")[0], weight, order)
            held = await self.ledger.hold(Claim(accounts or (DAY,), amount, amount, standing), deadline)
            self.served.append(name)
            self.held[name] = held

        task = asyncio.get_running_loop().create_task(wait())
        await asyncio.sleep(0)
        return task

    async def settle(self, name: str, actual: int = 0) -> None:
        self.held.pop(name).settle(actual)
        await asyncio.sleep(0)


@pytest.fixture
def line() -> Line:
    return Line(Ledger())


async def test_tenants_take_turns_and_of_one_tenant_the_oldest_run_goes_first(line):
    await line.ask("first", 100)
    for name, order in (("a.young", 9), ("a.old", 1), ("a.middle", 5), ("b.only", 7), ("c.only", 8)):
        await line.ask(name, 100, order=order)
    for _ in range(5):
        await line.settle(line.served[-1])
    assert line.served[1:] == ["a.old", "b.only", "c.only", "a.middle", "a.young"]


async def test_a_weight_of_two_gets_two_turns(line):
    await line.ask("first", 100)
    for number in range(4):
        await line.ask(f"a.{number}", 100, weight=2, order=number)
        await line.ask(f"b.{number}", 100, order=number)
    for _ in range(6):
        await line.settle(line.served[-1])
    assert sum(name.startswith("a") for name in line.served[1:]) == 4


async def test_a_large_claim_does_not_starve_behind_small_ones(line):
    await line.ask("first", 60)
    await line.ask("a.large", 100)
    await line.ask("b.small", 10)
    assert line.ledger.try_reserve((DAY,), 10) is None
    assert line.served == ["first"]
    await line.settle("first")
    assert line.served == ["first", "a.large"]
    await line.settle("a.large")
    assert line.served == ["first", "a.large", "b.small"]


async def test_a_run_that_waits_for_itself_stops_nobody_else(line):
    own = run(1, 20)
    await line.ask("a.1", 15, own, DAY)
    await line.ask("a.2", 15, own, DAY)
    await line.ask("a.3", 15, run(2), DAY)
    await line.ask("b.1", 15, run(3), DAY)
    assert line.served == ["a.1", "a.3", "b.1"]
    await line.settle("a.1", 5)
    assert line.served[-1] == "a.2"


async def test_who_has_got_through_a_narrow_queue_is_not_overtaken_at_the_wide_one(line):
    own = run(1, 20)
    await line.ask("z", 85)
    await line.ask("a.1", 15, own, DAY, order=1)
    await line.ask("a.2", 15, own, DAY, order=1)
    await line.ask("b.1", 90, order=3)
    await line.settle("a.1")
    await line.ask("a.3", 5, own, DAY, order=1)
    assert line.served == ["z", "a.1"]
    await line.settle("z")
    assert line.served == ["z", "a.1", "b.1"]
    await line.settle("b.1")
    assert line.served[3:] == ["a.2", "a.3"]


async def test_who_waits_holds_nothing(line):
    await line.ask("first", 100)
    await line.ask("a", 50, run(1), DAY)
    assert [(account.reserved, account.waiting) for account in line.ledger.snapshot()] == [(100, 1), (0, 0)]


async def test_a_wait_that_becomes_hopeless_ends_at_once(line):
    await line.ask("first", 100)
    waiting = await line.ask("a", 50)
    await line.settle("first", 60)
    with pytest.raises(Refused) as no:
        await waiting
    assert no.value.code == "budget_exhausted"


async def test_an_overrun_ends_the_waits_for_the_account(line):
    await line.ask("first", 100)
    waiting = await line.ask("a", 1)
    await line.settle("first", 101)
    with pytest.raises(Refused, match="closed"):
        await waiting


async def test_a_wait_ends_at_its_deadline_and_makes_way(line):
    await line.ask("first", 60)
    waiting = await line.ask("a", 100, deadline=asyncio.get_running_loop().time() + 5)
    await line.ask("b", 40)
    await asyncio.sleep(6)
    with pytest.raises(Refused) as no:
        await waiting
    assert (no.value.code, no.value.passing) == ("deadline_out_of_reach", False)
    assert no.value.retry_after
    assert line.served == ["first", "b"]
    late = await line.ask("c", 100, deadline=asyncio.get_running_loop().time())
    with pytest.raises(Refused, match="until the deadline"):
        await late


async def test_who_is_cancelled_makes_way_at_once(line):
    await line.ask("first", 60)
    waiting = await line.ask("a", 100)
    await line.ask("b", 40)
    waiting.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert line.served == ["first", "b"]
    assert line.ledger.waiting == 0


async def test_money_granted_in_the_moment_of_cancellation_is_given_back(line):
    await line.ask("first", 100)
    waiting = await line.ask("a", 100)
    line.held.pop("first").release()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert line.ledger.snapshot()[0].reserved == 0


@pytest.mark.parametrize("ticks", range(6))
async def test_calls_cancelled_after_any_number_of_turns_of_the_loop_leave_nothing(line, ticks):
    await line.ask("first", 100, run(0), DAY)
    waiting = [await line.ask(f"t{number % 2}.{number}", 40, run(number % 3), DAY) for number in range(1, 7)]
    line.held.pop("first").settle(10)
    for _ in range(ticks):
        await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    for held in line.held.values():
        held.release()
    assert line.ledger.waiting == 0
    assert {(account.reserved, account.waiting) for account in line.ledger.snapshot()} == {(0, 0)}


async def test_a_full_queue_refuses_the_tenant_that_fills_it():
    line = Line(Ledger(LedgerLimits(waiting=2)))
    await line.ask("first", 100)
    await line.ask("a.1", 100)
    last = await line.ask("a.2", 100)
    refused = await line.ask("a.3", 100)
    with pytest.raises(Refused) as no:
        await refused
    assert (no.value.code, no.value.retry_after is not None) == ("budget_queue_full", True)
    await line.ask("b.1", 100)
    with pytest.raises(Refused, match="wait already"):
        await last
    await line.settle("first")
    await line.settle("a.1")
    assert line.served == ["first", "a.1", "b.1"]


async def test_a_ceiling_that_rises_wakes_who_waits(line):
    await line.ask("first", 100)
    await line.ask("a", 50)
    line.ledger.try_reserve((Account(DAY.name, 160),), 1)
    await asyncio.sleep(0)
    assert line.served == ["first", "a"]


async def test_when_the_day_ends_who_waits_is_sent_to_ask_again():
    loop = asyncio.get_running_loop()
    start = loop.time()
    line = Line(Ledger(None, lambda: 50.0 + loop.time() - start))
    monday = Account("global/1", 100, expires=100.0)
    await line.ask("first", 100, monday)
    await line.ask("a", 50, monday)
    await asyncio.sleep(60)
    assert line.held["a"] is None
    tuesday = Account("global/2", 100, expires=200.0)
    assert line.ledger.reserve((tuesday,), 100).amount == 100
    await line.settle("first", 40)
    assert line.ledger.snapshot()[0].settled == 40


def test_whatever_happens_everybody_is_served_or_refused_and_nothing_stays():
    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from("abc"), st.integers(0, 4), st.integers(1, 120), st.floats(0, 5), st.floats(0.1, 5),
                st.sampled_from([math.inf, math.inf, 3.0]), st.booleans(),
            ),
            max_size=30,
        )
    )  # fmt: skip
    def law(calls):
        async def call(ledger, tenant, number, amount, begins, takes, patience, is_cancelled):
            loop = asyncio.get_running_loop()
            await asyncio.sleep(begins)
            if is_cancelled:
                loop.call_later(takes, asyncio.current_task().cancel)
            accounts = (run(number, 60), Account(f"tenant/{tenant}", 90), DAY)
            claim = Claim(accounts, amount, min(amount, 10), Standing(tenant, 1, number))
            try:
                held = ledger.try_reserve(accounts, amount) or await ledger.hold(claim, loop.time() + patience)
            except Refused:
                return
            try:
                await asyncio.sleep(takes)
            finally:
                held.settle(held.amount // 20)
            assert ledger.snapshot()

        async def world():
            ledger = Ledger()
            tasks = [asyncio.get_running_loop().create_task(call(ledger, *one)) for one in calls]
            if tasks:
                await asyncio.wait(tasks)
            assert all(task.cancelled() or task.exception() is None for task in tasks)
            assert ledger.waiting == 0
            for account in ledger.snapshot():
                assert (account.reserved, account.reservations, account.waiting) == (0, 0, 0)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(world())

    law()
