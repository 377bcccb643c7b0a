import math
from datetime import UTC, datetime

import pytest

from coordinator.domain.ports import Account
from coordinator.domain.scope import RunLimits, RunState, Scope, TenantContext
from coordinator.policies.accounts import SECONDS_PER_DAY, Accounts

LIMITS = RunLimits(ceiling=100, finish=10, session=200, user_day=300, tenant_day=400)


def scope(
    who: TenantContext, *ancestors: str, limits: RunLimits = LIMITS, allowances: tuple[Account, ...] = ()
) -> Scope:
    run = RunState("r-1", who, limits, lambda: 0.0)
    return Scope(run, ancestors[-1], "run", ancestors, allowances=allowances)


def names(accounts: tuple[Account, ...]) -> list[str]:
    return [account.name for account in accounts]


def test_a_call_touches_its_run_session_user_tenant_and_everybody_from_the_narrowest_to_the_widest():
    found = Accounts(lambda: 0.0, 500)(scope(TenantContext("acme", "u-7", "s-1"), "manager"))
    assert [(account.name, account.ceiling) for account in found] == [
        ("run/r-1", 100), ("session/acme/u-7/s-1", 200), ("user-day/acme/u-7/1970-01-01", 300),
        ("tenant-day/acme/1970-01-01", 400), ("global/1970-01-01", 500),
    ]  # fmt: skip


def test_there_is_no_account_without_a_ceiling_or_without_a_name():
    assert names(Accounts(lambda: 0.0)(scope(TenantContext("acme", "u", "s"), "m", limits=RunLimits(1)))) == ["run/r-1"]
    assert names(Accounts(lambda: 0.0)(scope(TenantContext("acme"), "m"))) == ["run/r-1", "tenant-day/acme/1970-01-01"]


def test_no_two_tenants_or_users_share_an_account_by_the_way_they_are_spelt():
    accounts = Accounts(lambda: 0.0)
    spelt = [("a/b", "c", "s"), ("a", "b/c", "s"), ("a", "b", "c/s"), ("a%2Fb", "c", "s"), ("a", None, "b/c/s")]
    sessions = [names(accounts(scope(TenantContext(*who), "m")))[1] for who in spelt]
    assert len(set(sessions)) == len(spelt)


def test_delegates_may_not_touch_what_the_manager_needs_to_finish():
    accounts = Accounts(lambda: 0.0)
    who = TenantContext("acme")
    assert accounts(scope(who, "manager"))[0].kept == 0
    assert accounts(scope(who, "manager", "writer"))[0].kept == 10


def test_the_day_rolls_at_midnight_utc_by_the_injected_clock():
    now = SECONDS_PER_DAY - 1.0
    accounts = Accounts(lambda: now, 500)
    here = scope(TenantContext("acme", "u", "s"), "manager")
    before = accounts(here)
    assert accounts(here) is before
    assert [account.expires for account in before[1:]] == [2 * SECONDS_PER_DAY] + 3 * [SECONDS_PER_DAY]
    now = float(SECONDS_PER_DAY)
    assert names(accounts(here))[-1] == "global/1970-01-02"
    assert names(accounts(here))[:2] == names(before)[:2]


def at(*moment: int) -> float:
    return datetime(*moment, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "moment", "name", "ends"),
    [
        ("hour", at(2026, 11, 20, 23, 59, 59), "global/2026-11-20T23", at(2026, 11, 21)),
        ("hour", at(2026, 11, 21), "global/2026-11-21T00", at(2026, 11, 21, 1)),
        ("day", at(2026, 11, 20, 23, 59, 59), "global/2026-11-20", at(2026, 11, 21)),
        ("day", at(2026, 11, 21), "global/2026-11-21", at(2026, 11, 22)),
        ("month", at(2026, 11, 30, 23, 59, 59), "global/2026-11", at(2026, 12, 1)),
        ("month", at(2026, 12, 31, 23, 59, 59), "global/2026-12", at(2027, 1, 1)),
        ("month", at(2028, 2, 29), "global/2028-02", at(2028, 3, 1)),
        ("month", at(1969, 12, 31), "global/1969-12", at(1970, 1, 1)),
        ("total", at(2026, 11, 20), "global/total", math.inf),
    ],
)
def test_everybodys_account_lasts_for_its_period_of_utc(period, moment, name, ends):
    found = Accounts(lambda: moment, 500, period)(scope(TenantContext("acme"), "manager"))[-1]
    assert (found.name, found.expires) == (name, ends)


@pytest.mark.parametrize(
    ("period", "before", "after", "rolled"),
    [
        ("hour", at(2026, 11, 20, 12, 59), at(2026, 11, 20, 13), ["global/2026-11-20T13"]),
        ("day", at(2026, 11, 20, 23, 59), at(2026, 11, 21), ["tenant-day/acme/2026-11-21", "global/2026-11-21"]),
        ("month", at(2026, 11, 29, 23), at(2026, 11, 30), ["tenant-day/acme/2026-11-30"]),
        ("month", at(2026, 11, 30, 23), at(2026, 12, 1), ["tenant-day/acme/2026-12-01", "global/2026-12"]),
        ("total", at(2026, 12, 31, 23), at(2027, 1, 1), ["tenant-day/acme/2027-01-01"]),
    ],
)
def test_a_run_that_goes_on_pays_from_the_accounts_of_the_new_hour_day_or_month(period, before, after, rolled):
    now = before
    accounts = Accounts(lambda: now, 500, period)
    here = scope(TenantContext("acme"), "manager")
    old = names(accounts(here))
    now = after
    assert [name for name in names(accounts(here)) if name not in old] == rolled
    now = before
    assert names(accounts(here)) == old, "a clock that was set back is believed, too"


def test_an_allowance_comes_first_and_ends_with_the_run():
    accounts = Accounts(lambda: 0.0)
    own = Account("allowance/r-1/run/delegate1", 50)
    here = scope(TenantContext("acme"), "manager", "writer", allowances=(own,))
    assert accounts(here)[0] is own
    assert accounts.of_run(here.run) == [own.name, "run/r-1"]
