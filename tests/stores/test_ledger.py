import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from coordinator.domain.errors import Refused
from coordinator.domain.ports import Account
from coordinator.stores.memory.ledger import Ledger, LedgerLimits

DAY, RUN = Account("global/2026-11-20", 100), Account("run/r-1", 40)


def state(ledger: Ledger, name: str):
    return next(account for account in ledger.snapshot() if account.name == name)


def refusal(ledger: Ledger, *args) -> Refused:
    with pytest.raises(Refused) as refused:
        ledger.reserve(*args)
    return refused.value


def test_money_is_held_on_all_accounts_or_on_none():
    ledger = Ledger()
    ledger.reserve((DAY, RUN), 30)
    assert refusal(ledger, (DAY, RUN), 20).details["account"] == RUN.name
    assert [state(ledger, account.name).reserved for account in (DAY, RUN)] == [30, 30]


def test_what_fits_once_others_settle_is_held_and_what_never_fits_is_exhausted():
    ledger = Ledger()
    ledger.reserve((RUN,), 30).settle(10)
    held = ledger.reserve((RUN,), 25)
    no = refusal(ledger, (RUN,), 20)
    assert (no.code, no.passing) == ("budget_held", False)
    assert no.retry_after > 0
    no = refusal(ledger, (RUN,), 31)
    assert (no.code, no.retry_after) == ("budget_exhausted", None)
    held.release()
    ledger.reserve((RUN,), 30)


def test_an_exhausted_account_speaks_before_a_held_one():
    ledger = Ledger()
    ledger.reserve((DAY,), 90)
    ledger.reserve((RUN,), 40).settle(40)
    assert refusal(ledger, (DAY, RUN), 20).code == "budget_exhausted"


def test_what_is_spent_shrinks_a_call_down_to_its_minimum_and_what_is_held_does_not():
    ledger = Ledger()
    ledger.reserve((RUN,), 40).settle(30)
    assert refusal(ledger, (RUN,), 20, 11).code == "budget_exhausted"
    held = ledger.reserve((RUN,), 20, 5)
    assert held.amount == 10
    assert refusal(ledger, (RUN,), 20, 5).code == "budget_held"
    assert ledger.try_reserve((RUN,), 1) is None


def test_what_is_kept_for_others_is_closed_to_the_call_and_open_to_them():
    ledger = Ledger()
    ledger.reserve((RUN,), 30).settle(30)
    delegate = Account(RUN.name, RUN.ceiling, kept=10)
    no = refusal(ledger, (delegate,), 1)
    assert no.code == "budget_exhausted"
    assert "kept for the manager" in no.message
    assert ledger.reserve((RUN,), 10).amount == 10


def test_an_alert_is_told_once_when_its_share_of_the_ceiling_is_spent():
    ledger = Ledger(LedgerLimits(alert_share=0.5))
    told = [ledger.reserve((RUN, DAY), 10).settle(10) for _ in range(4)]
    assert [[(notice.account, notice.settled) for notice in notices] for notices in told] == [
        [], [(RUN.name, 20)], [], []
    ]  # fmt: skip


def test_a_ceiling_that_rises_lets_calls_in_again_and_one_that_falls_refuses():
    ledger = Ledger()
    ledger.reserve((RUN,), 40).settle(40)
    assert ledger.reserve((Account(RUN.name, 50),), 10).amount == 10
    assert refusal(ledger, (Account(RUN.name, 45),), 6).code == "budget_exhausted"


def test_days_and_idle_sessions_are_forgotten_once_they_have_expired_and_nothing_is_held():
    now = 0.0
    ledger = Ledger(None, lambda: now)
    session, monday = Account("session/a/u/s", 100, expires=200.0), Account("tenant-day/a/1", 100, expires=100.0)
    held = ledger.reserve((session, monday), 10)
    now = 150.0
    ledger.reserve((Account("tenant-day/a/2", 100, expires=200.0),), 1).settle(1)
    assert [account.name for account in ledger.snapshot()] == ["session/a/u/s", "tenant-day/a/1", "tenant-day/a/2"]
    held.settle(7)
    assert state(ledger, "tenant-day/a/1").settled == 7
    now = 250.0
    ledger.reserve((Account("tenant-day/a/3", 100, expires=300.0),), 1).settle(1)
    assert [account.name for account in ledger.snapshot()] == ["tenant-day/a/3"]


def test_the_number_of_accounts_is_bounded():
    ledger = Ledger(LedgerLimits(accounts=2))
    for name in "ab":
        ledger.reserve((Account(name, 10),), 1)
    no = refusal(ledger, (Account("c", 10),), 1)
    assert (no.code, no.retry_after is not None) == ("accounts_full", True)
    assert ledger.reserve((Account("a", 10),), 1).amount == 1


@pytest.mark.parametrize("end", [lambda held: held.settle(1), lambda held: held.release()])
@pytest.mark.parametrize("again", [lambda held: held.settle(1), lambda held: held.release()])
def test_a_reservation_ends_exactly_once(end, again):
    ledger = Ledger()
    held = ledger.reserve((DAY, RUN), 10)
    end(held)
    before = ledger.snapshot()
    with pytest.raises(RuntimeError, match="exactly once"):
        again(held)
    assert ledger.snapshot() == before


def test_an_overrun_is_booked_counted_and_closes_the_account():
    ledger = Ledger()
    ledger.reserve((RUN,), 10).settle(15)
    account = state(ledger, RUN.name)
    assert (account.settled, account.overrun, account.overruns, account.closed) == (15, 5, 1, True)
    no = refusal(ledger, (RUN,), 1)
    assert no.code == "budget_exhausted"
    assert "closed" in no.message


def test_uncertain_money_is_booked_and_counted():
    ledger = Ledger()
    ledger.reserve((RUN,), 10).settle(10, uncertain=True)
    assert (state(ledger, RUN.name).settled, state(ledger, RUN.name).uncertain) == (10, 10)


def test_an_account_is_forgotten_when_it_is_closed():
    ledger = Ledger()
    ledger.reserve((DAY, RUN), 10).release()
    ledger.close(RUN.name)
    ledger.close(RUN.name)
    assert [account.name for account in ledger.snapshot()] == [DAY.name]


def test_an_account_that_is_closed_while_something_is_held_on_it_is_forgotten_afterwards():
    ledger = Ledger()
    held = ledger.reserve((DAY, RUN), 10)
    ledger.close(RUN.name)
    assert {account.name: account.reserved for account in ledger.snapshot()} == {DAY.name: 10, RUN.name: 10}
    held.settle(7)
    ledger.reserve((DAY, Account("run/next", 100)), 1)
    assert [account.name for account in ledger.snapshot()] == [DAY.name, "run/next"]


def test_negative_amounts_are_wrong():
    ledger = Ledger()
    with pytest.raises(ValueError, match="negative"):
        ledger.reserve((RUN,), -1)
    held = ledger.reserve((RUN,), 1)
    with pytest.raises(ValueError, match="negative"):
        held.settle(-1)
    held.release()


class LedgerLaws(RuleBasedStateMachine):
    """Any interleaving of calls keeps settled + reserved within ceiling + overrun, on every account."""

    accounts = (Account("a", 50), Account("b", 100), Account("c", 200))

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.open: list[tuple[tuple[Account, ...], int, object]] = []
        self.settled = dict.fromkeys("abc", 0)

    @rule(which=st.sets(st.sampled_from(accounts), min_size=1), amount=st.integers(0, 60))
    def reserve(self, which, amount):
        chosen = tuple(which)
        before = {account.name: account.reserved for account in self.ledger.snapshot()}
        try:
            self.open.append((chosen, amount, self.ledger.reserve(chosen, amount)))
        except Refused:
            after = {account.name: account.reserved for account in self.ledger.snapshot()}
            assert all(after[name] == before.get(name, 0) for name in after)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.floats(0, 1), over=st.sampled_from([0, 0, 0, 7]), uncertain=st.booleans())
    def settle(self, data, share, over, uncertain):
        accounts, amount, held = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        actual = int(amount * share) if not over else amount + over
        held.settle(actual, uncertain=uncertain)
        for account in accounts:
            self.settled[account.name] += actual

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data):
        self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))[2].release()

    @invariant()
    def the_law_holds(self):
        for account in self.ledger.snapshot():
            held = [amount for accounts, amount, _ in self.open if account.name in {a.name for a in accounts}]
            assert (account.reserved, account.reservations) == (sum(held), len(held))
            assert account.settled == self.settled[account.name]
            assert account.settled + account.reserved <= account.ceiling + account.overrun
            assert account.closed == (account.overruns > 0)


TestLedgerLaws = LedgerLaws.TestCase
TestLedgerLaws.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
