import asyncio
from typing import Any

import pytest

from coordinator.domain.errors import Invalid, Refused
from coordinator.domain.money import Price
from coordinator.domain.ports import Account
from coordinator.policies.budget import Budget, ModelPrices, ToolPrices
from coordinator.stores.memory.ledger import Ledger

PRICES = ModelPrices({"fake:m": Price(1_000_000, 2_000_000), "free:m": Price(0, 0)})
BOUND = 318


def accounts(ceiling: int) -> Any:
    return lambda scope: (Account("global", ceiling), Account(f"run/{scope.run.run_id}", 10_000))


async def test_a_call_holds_its_bound_while_it_runs_and_pays_what_it_used(calls, replies):
    ledger = Ledger()
    held = []

    async def then(call: Any) -> Any:
        held.extend(account.reserved for account in ledger.snapshot())
        return replies["model"]

    reply = await Budget(ledger, accounts(1000), PRICES)(calls.of_model(), then)
    assert held == [BOUND, BOUND]
    assert reply.cost == calls.run.cost == 10 + 2 * 5
    assert [(account.settled, account.reserved) for account in ledger.snapshot()] == [(20, 0), (20, 0)]


async def test_a_call_that_does_not_fit_is_never_made(calls):
    asked: list[Any] = []

    async def then(call: Any) -> Any:
        asked.append(call)

    with pytest.raises(Refused) as refused:
        await Budget(Ledger(), accounts(BOUND - 1), PRICES)(calls.of_model(), then)
    assert refused.value.code == "budget_exhausted"
    assert asked == []


async def test_a_hundred_calls_at_once_never_pass_the_ceiling(calls, replies):
    ledger = Ledger()
    budget = Budget(ledger, accounts(BOUND * 10), PRICES)
    peak = 0

    async def then(call: Any) -> Any:
        nonlocal peak
        peak = max(peak, ledger.snapshot()[0].reserved + ledger.snapshot()[0].settled)
        await asyncio.sleep(1)
        return replies["model"]

    done = await asyncio.gather(*(budget(calls.of_model(), then) for _ in range(100)))
    assert len(done) == 100
    assert BOUND * 9 < peak <= BOUND * 10
    assert ledger.snapshot()[0].reservations == 0


async def test_an_unknown_price_is_an_error_that_names_the_setting(calls):
    with pytest.raises(Invalid, match=r"prices\.new:m") as invalid:
        await Budget(Ledger(), accounts(1000), PRICES)(calls.of_model(dependency="new:m"), None)
    assert invalid.value.code == "unknown_price"


async def test_what_costs_nothing_touches_no_account(calls, replies):
    ledger = Ledger()

    async def then(call: Any) -> Any:
        return replies["model"]

    reply = await Budget(ledger, accounts(0), PRICES)(calls.of_model(dependency="free:m"), then)
    assert reply.cost == 0
    assert ledger.snapshot() == ()


async def test_a_tool_costs_what_its_contract_says(calls, replies):
    ledger = Ledger()

    async def then(call: Any) -> Any:
        return replies["tool"]

    reply = await Budget(ledger, accounts(100_000), ToolPrices())(calls.of_tool(), then)
    assert reply.cost == calls.run.cost == 10_000


async def test_a_call_cancelled_on_its_way_is_booked_in_full_as_uncertain(calls):
    ledger = Ledger()

    async def then(call: Any) -> Any:
        await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(Budget(ledger, accounts(1000), PRICES)(calls.of_model(), then))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(a.settled, a.uncertain, a.reserved) for a in ledger.snapshot()] == [(BOUND, BOUND, 0)] * 2
    assert calls.run.cost == BOUND
