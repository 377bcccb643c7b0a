"""The ledger of a simulated world names the accounts that may have changed, and no others."""

import math

from coordinator.domain.fair_queue import Standing
from coordinator.domain.ports import Account, Claim
from coordinator.simulation.touched import Touched
from coordinator.stores.memory.ledger import Ledger

RUN, DAY = Account("run/r-1", 100), Account("tenant/acme", 1000)


def names(ledger: Touched) -> list[str]:
    return [book.name for book in ledger.touched()]


def test_accounts_are_named_when_money_is_held_and_when_it_is_settled() -> None:
    ledger = Touched(Ledger())
    held = ledger.try_reserve([RUN, DAY], 40)
    assert held is not None
    assert names(ledger) == ["run/r-1", "tenant/acme"]
    assert names(ledger) == []
    held.settle(30)
    assert names(ledger) == ["run/r-1", "tenant/acme"]
    ledger.reserve([DAY], 7).release()
    assert names(ledger) == ["tenant/acme"]
    assert ledger.most == 40


async def test_who_has_waited_touches_accounts_too() -> None:
    ledger = Touched(Ledger())
    held = await ledger.hold(Claim((RUN,), 50, 50, Standing()), math.inf)
    assert held is not None
    assert names(ledger) == ["run/r-1"]
    held.release()


def test_what_does_not_fit_touches_nothing() -> None:
    ledger = Touched(Ledger())
    assert ledger.try_reserve([RUN], 101) is None
    assert names(ledger) == []


def test_an_account_that_was_closed_meanwhile_is_left_out() -> None:
    ledger = Touched(Ledger())
    ledger.reserve([RUN], 10).settle(10)
    ledger.close("run/r-1")
    assert names(ledger) == []
