"""Load tests in virtual time: they repeat exactly, find the limit that binds, and see what is broken."""

import pytest

from coordinator.domain.errors import Invalid
from coordinator.load import LoadPlan, LoadTest, load_virtual
from coordinator.load.picturing import page_of
from coordinator.load.telling import told
from coordinator.simulation.faults import FaultRule

pytestmark = pytest.mark.real_time  # a virtual load test owns its loop


def test_the_same_seed_gives_the_same_report_but_for_the_memory(staged):
    plan = LoadPlan(60, rate=5, tenants=3)
    first, second = (load_virtual(staged(), plan).model_dump(exclude={"memory"}) for _ in range(2))
    assert first == second
    other = load_virtual(staged(), LoadPlan(60, rate=5, tenants=3, seed=2))
    assert other.latency_s != first["latency_s"]


def test_an_open_loop_starts_by_the_clock_and_a_closed_one_keeps_its_places_full(staged):
    opened = load_virtual(staged(), LoadPlan(100, rate=10))
    assert opened.late_starts_s.max < 1e-3
    assert 9.9 < opened.seconds < 45
    closed = load_virtual(staged(), LoadPlan(100, concurrency=7))
    assert closed.in_flight_peak == 7
    assert (opened.runs, closed.runs) == (100, 100)


def test_latency_counts_from_the_intended_start_and_so_includes_the_wait_for_admission(staged):
    tight = load_virtual(staged(admission={"runs": 1, "waiting": 1000}), LoadPlan(50, rate=10))
    assert tight.latency_s.max > 20
    assert tight.bottleneck.cause == "admission"
    assert tight.waiting[0].cause == "admission"


def test_warm_up_runs_have_no_latency_but_count_as_runs(staged):
    found = load_virtual(staged(), LoadPlan(100, rate=10))
    assert (found.warm_up_runs, found.latency_s.count, found.statuses) == (5, 95, {"completed": 100})


def test_full_admission_refuses_by_reason(staged):
    found = load_virtual(staged(admission={"runs": 1, "waiting": 0}), LoadPlan(50, rate=10))
    assert found.refusals["admission_full"] == found.statuses["refused"]
    assert (found.bottleneck.cause, found.ok) == ("admission", True)
    assert sum(found.series.refused) == found.statuses["refused"]


def test_a_slow_gate_is_named(staged):
    settings = {"rates": {"look_up": {"requests": 60, "per_s": 60}}}
    found = load_virtual(staged(**settings), LoadPlan(100, rate=4))
    assert found.bottleneck.cause == "gates"
    assert found.bottleneck.where.startswith("look_up")


def test_an_exhausted_day_is_named_and_shown_against_its_ceiling(staged):
    found = load_virtual(staged(global_usd=0.002, run_usd=0.001), LoadPlan(300, rate=10))
    assert found.refusals["budget_exhausted"] > 100
    assert found.bottleneck.cause == "money"
    account = found.money.accounts[0]
    assert account.account.startswith("global/")
    assert 0.5 < account.used <= 1
    assert found.ok


def test_the_fullest_accounts_of_tenants_users_and_sessions_are_drawn_over_time(staged):
    limits = {"run_usd": 0.001, "session_usd": 0.1, "user_day_usd": 0.2, "tenant_day_usd": 0.3, "global_usd": 1.0}
    found = load_virtual(staged(**limits), LoadPlan(400, rate=10, tenants=8))
    drawn = found.series.accounts
    kinds = [name.partition("/")[0] for name in drawn]
    assert {kind: kinds.count(kind) for kind in kinds} == {"global": 1, "session": 5, "tenant-day": 5, "user-day": 5}
    for account in found.money.accounts:
        if account.account in drawn:
            assert drawn[account.account][-1] == pytest.approx(account.used, abs=0.02)
    for shares in drawn.values():
        known = [share for share in shares if share is not None]
        assert known == sorted(known), "what is spent of a day never becomes less"
    page = page_of(found)
    for picture in ("Days of tenants", "Days of users", "Sessions", "Accounts against their ceilings"):
        assert f'aria-label="{picture}"' in page


def test_a_sample_finds_the_bottleneck_of_the_whole_and_says_that_it_is_one(staged):
    stage = staged(global_usd=1.0)
    whole = load_virtual(stage, LoadPlan(20_000, rate=100, sample=1000))
    assert (whole.planned, whole.runs, whole.sample_share) == (20_000, 1000, 0.05)
    assert whole.seconds > 199
    assert whole.throughput == pytest.approx(100, rel=0.1)
    assert whole.money.accounts[0].ceiling_usd == pytest.approx(0.05)
    assert whole.money.planned_usd == pytest.approx(whole.money.spent_usd * 20)
    assert any("a sample" in line for line in told(whole))
    assert "stand for 20,000" in page_of(whole)


def test_breaker_trips_are_counted_and_drawn(staged):
    faults = (FaultRule(tool="look_up", fail="error", times=30),)
    found = load_virtual(staged(retry={"attempts": 1}), LoadPlan(100, rate=5, faults=faults))
    tripped = found.breakers[0]
    assert (tripped.dependency, tripped.trips > 0) == ("look_up#0", True)
    assert 2 in found.series.breakers["look_up#0"]
    assert "Breaker states" in page_of(found)


def test_a_run_that_cannot_fit_its_ceiling_is_told_before_anything_runs(staged):
    with pytest.raises(Invalid, match="cannot fit its ceiling") as caught:
        load_virtual(staged(run_usd=0.000001), LoadPlan(10, rate=1))
    assert caught.value.code == "cannot_fit"


def test_a_ledger_that_loses_count_is_a_breach(staged):
    def loses_count(progress):
        for book in test._drive.coordinator.held.ledger.books():
            book.settled += book.ceiling

    test = LoadTest(staged(global_usd=1000.0), LoadPlan(10, rate=1), virtual=True, told=loses_count)
    found = test.run_virtual()
    assert not found.ok
    assert any(breach.startswith("money:") for breach in found.breaches)


@pytest.mark.plants
def test_a_place_in_admission_that_is_not_given_back_is_a_breach(staged, monkeypatch):
    from coordinator.policies.admission import Admission

    monkeypatch.setattr(Admission, "_pass_on", lambda self: None)
    found = load_virtual(staged(), LoadPlan(10, rate=1))
    assert not found.ok
    assert any("left behind: running is 10" in breach for breach in found.breaches)


def test_it_is_not_for_a_running_loop(staged):
    async def inside():
        load_virtual(staged(), LoadPlan(1, rate=1))

    import asyncio

    with pytest.raises(Invalid, match="no running event loop"):
        asyncio.run(inside())
