"""The law of money is checked on every account that changes, at the moment when it does."""

import math

import pytest

from coordinator.domain.fair_queue import Standing
from coordinator.domain.ports import Account, Claim
from coordinator.load import LoadPlan, load_virtual
from coordinator.load.auditing import Audited
from coordinator.stores.memory.ledger import Ledger, Reservation

ACCOUNTS = (Account("run/r-1", 100), Account("global/total", 200))


def audited():
    seen = []
    return Audited(Ledger(), lambda book: seen.append((book.name, book.settled, book.reserved))), seen


async def test_every_state_of_an_account_is_looked_at():
    ledger, seen = audited()
    ledger.try_reserve(ACCOUNTS, 40).settle(30)
    ledger.reserve(ACCOUNTS, 50).release()
    found = await ledger.hold(Claim(ACCOUNTS, 60, 60, Standing()), 1.0)
    found.settle(10)
    ledger.close("run/r-1")
    of_run = [amounts[1:] for amounts in seen if amounts[0] == "run/r-1"]
    assert list(dict.fromkeys(of_run)) == [(0, 40), (30, 50), (30, 60), (40, 0)]
    assert len([name for name, *_ in seen if name == "global/total"]) == 6
    assert ledger.most_held == 60


def test_what_cannot_be_held_is_not_looked_at():
    ledger, seen = audited()
    assert ledger.try_reserve(ACCOUNTS, 101) is None
    assert seen == []


@pytest.mark.real_time  # a virtual load test owns its loop
def test_a_ceiling_that_is_broken_only_while_a_call_is_under_way_is_a_breach(staged, monkeypatch):
    def careless(self, accounts, amount):
        return Reservation(self._room, [self._book(account) for account in accounts], amount)

    monkeypatch.setattr(Ledger, "try_reserve", careless)
    monkeypatch.setattr("coordinator.load.driving.CHECK_EVERY_S", math.inf)
    found = load_virtual(staged(run_usd=0.0001), LoadPlan(5, rate=1))
    assert found.money.dearest_run_usd < 0.0001
    assert not found.ok
    assert found.breaches[0].startswith("money: account run/")
