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


def test_an_allowance_comes_first_and_ends_with_the_run():
    accounts = Accounts(lambda: 0.0)
    own = Account("allowance/r-1/run/delegate1", 50)
    here = scope(TenantContext("acme"), "manager", "writer", allowances=(own,))
    assert accounts(here)[0] is own
    assert accounts.of_run(here.run) == [own.name, "run/r-1"]
