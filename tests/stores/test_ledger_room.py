"""When there is no place for another account, those go whose loss hurts the least."""

import asyncio

import pytest

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import Standing
from coordinator.domain.ports import Account, Claim
from coordinator.stores.memory.ledger import Ledger, LedgerLimits

DAY = 86_400.0


def session(tenant: str, name: str, day: int = 0) -> Account:
    return Account(f"session/{tenant}/u/{name}", 100, expires=(day + 2) * DAY)


def of_day(tenant: str) -> Account:
    return Account(f"tenant-day/{tenant}/2026-11-20", 100, expires=DAY, renews=True)


def spend(ledger: Ledger, *accounts: Account, amount: int = 1) -> None:
    ledger.reserve(accounts, amount).settle(amount)


def names(ledger: Ledger) -> set[str]:
    return {account.name for account in ledger.snapshot()}


def full(most: int) -> Ledger:
    return Ledger(LedgerLimits(accounts=most), lambda: 0.0)


def test_a_tenant_with_many_sessions_locks_nobody_out_and_loses_its_own_oldest() -> None:
    ledger = full(10)
    spend(ledger, session("good", "first"))
    for number in range(30):
        spend(ledger, session("flood", f"s{number}"), of_day("flood"))
    spend(ledger, session("good", "second"), of_day("good"))
    kept = {session("flood", f"s{number}").name for number in range(24, 30)}
    good = {session("good", "first").name, session("good", "second").name, of_day("good").name}
    assert names(ledger) == {*kept, *good, of_day("flood").name}


def test_of_one_tenant_the_session_goes_that_was_used_on_the_earliest_day() -> None:
    ledger = full(2)
    spend(ledger, session("a", "today", day=1))
    spend(ledger, session("a", "yesterday", day=0))
    spend(ledger, session("a", "new", day=1))
    assert names(ledger) == {session("a", "today").name, session("a", "new").name}


def test_accounts_on_which_nothing_is_settled_go_before_sessions() -> None:
    ledger = full(3)
    spend(ledger, session("a", "spent"))
    ledger.reserve((session("a", "unspent"),), 1).release()
    ledger.reserve((of_day("unspent"),), 1).release()
    spend(ledger, session("a", "new"))
    assert names(ledger) == {session("a", "spent").name, session("a", "new").name}


def test_what_is_spent_of_a_day_or_a_run_is_never_forgotten() -> None:
    ledger = full(3)
    for account in (of_day("a"), of_day("b"), Account("run/r-1", 100)):
        spend(ledger, account)
    before = names(ledger)
    with pytest.raises(Refused) as refused:
        spend(ledger, session("a", "new"))
    assert refused.value.code == "accounts_full"
    assert names(ledger) == before


def test_where_there_is_little_to_forget_it_is_looked_for_once_a_minute() -> None:
    now = 0.0
    ledger = Ledger(LedgerLimits(accounts=100), lambda: now)
    for number in range(99):
        spend(ledger, of_day(f"t{number}"))
    spend(ledger, session("a", "s0"))
    spend(ledger, session("a", "s1"))
    with pytest.raises(Refused):
        spend(ledger, session("a", "s2"))
    now = 60.0
    spend(ledger, session("a", "s2"))


def test_a_session_on_which_money_is_held_is_never_forgotten() -> None:
    ledger = full(2)
    spend(ledger, session("a", "working"))
    held = ledger.reserve((session("a", "working"),), 5)
    for number in range(3):
        spend(ledger, session("b", f"s{number}"))
    held.settle(5)
    assert next(one.settled for one in ledger.snapshot() if one.name == session("a", "working").name) == 6


@pytest.mark.parametrize("way", ["try_reserve", "reserve"])
def test_a_call_does_not_lose_the_one_account_while_it_opens_the_other(way: str) -> None:
    ledger = full(2)
    spend(ledger, session("a", "mine"), amount=40)
    spend(ledger, session("b", "other"))
    spend(ledger, session("b", "other"))
    held = getattr(ledger, way)((session("a", "mine"), of_day("a")), 30)
    held.settle(30)
    assert {one.name: one.settled for one in ledger.snapshot()} == {session("a", "mine").name: 70, of_day("a").name: 30}


async def test_a_call_that_waits_at_one_account_does_not_lose_its_session() -> None:
    ledger = full(3)
    spend(ledger, session("a", "mine"), amount=40)
    first = ledger.reserve((of_day("a"),), 100)
    claim = Claim((session("a", "mine"), of_day("a")), 30, 30, Standing("a"))
    waiting = asyncio.ensure_future(ledger.hold(claim, 10.0))
    await asyncio.sleep(0)
    for number in range(3):
        spend(ledger, session("b", f"s{number}"))
    first.settle(10)
    held = await waiting
    assert held is not None
    held.settle(30)
    assert next(one.settled for one in ledger.snapshot() if one.name == session("a", "mine").name) == 70
