"""The law of money is checked on every account that changes, at the moment when it does."""

import asyncio
import math
from types import SimpleNamespace

import pytest

from coordinator.domain.fair_queue import Standing
from coordinator.domain.limits import GateLimits
from coordinator.domain.ports import Account, Claim
from coordinator.load import LoadPlan, load, load_virtual
from coordinator.load.auditing import Audited
from coordinator.simulation.arrivals import Arrivals
from coordinator.simulation.bounds import Bounds
from coordinator.simulation.faults import FaultRule
from coordinator.stores.memory.breaker import Breaker
from coordinator.stores.memory.bucket import Bucket
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
        return Reservation(self._room, [self._book(account, accounts) for account in accounts], amount)

    monkeypatch.setattr(Ledger, "try_reserve", careless)
    monkeypatch.setattr("coordinator.load.driving.CHECK_EVERY_S", math.inf)
    found = load_virtual(staged(run_usd=0.0001), LoadPlan(5, rate=1))
    assert found.money.dearest_run_usd < 0.0001
    assert not found.ok
    assert found.breaches[0].startswith("money: account run/")


NARROW = {"rates": {"offline:*": {"requests": 3, "per_s": 60}, "tenant:*": {"requests": 2, "per_s": 30}}}
"""So narrow that most runs are refused."""


def breached(report):
    return {breach.partition(":")[0] for breach in report.breaches}


@pytest.mark.real_time
def test_limits_of_gates_hold_in_virtual_time(staged):
    assert load_virtual(staged(**NARROW), LoadPlan(40, rate=2, tenants=3)).breaches == []


@pytest.mark.plants
@pytest.mark.real_time
def test_a_gate_that_lets_too_much_through_is_a_breach_in_virtual_time(staged, monkeypatch):
    monkeypatch.setattr(Bucket, "fits", lambda self, amount: True)
    found = load_virtual(staged(**NARROW), LoadPlan(40, rate=2, tenants=3))
    assert breached(found) == {"gate"}
    assert not found.ok


@pytest.mark.plants
@pytest.mark.real_time
async def test_a_gate_that_lets_too_much_through_is_a_breach_in_real_time(staged, monkeypatch):
    monkeypatch.setattr(Bucket, "fits", lambda self, amount: True)
    found = await load(staged(**NARROW), LoadPlan(20, concurrency=20))
    assert breached(found) == {"gate"}
    assert any(" arrived through " in breach for breach in found.breaches)
    assert any(" passed " in breach for breach in found.breaches)


@pytest.mark.real_time
def test_a_breaker_that_lets_calls_through_while_it_is_open_is_a_breach(staged, monkeypatch):
    admit, failing = Breaker.admit, FaultRule(model="offline", fail="error")

    def admits(self):
        state, self.state = self.state, "closed"
        trial, self.state = admit(self), state
        return trial

    plan = LoadPlan(40, rate=2, faults=(failing,))
    assert load_virtual(staged(), plan).breaches == []
    monkeypatch.setattr(Breaker, "admit", admits)
    assert breached(load_virtual(staged(), plan)) == {"breaker"}


@pytest.mark.real_time
def test_more_runs_at_work_than_admission_allows_are_a_breach(staged, monkeypatch):
    allowed = staged(admission={"runs": 2, "waiting": 5})
    assert load_virtual(allowed, LoadPlan(40, rate=5)).breaches == []
    monkeypatch.setattr("coordinator.load.driving.bounds_of", lambda _: Bounds(lambda name: None, 1, 5))
    assert breached(load_virtual(allowed, LoadPlan(40, rate=5))) == {"admission"}


async def arrived(moments, late_s):
    """Return what is told of calls at *moments*, where two may in any ten seconds, *late_s* at most too late."""
    told = []
    clock = SimpleNamespace(now=0.0)
    run = SimpleNamespace(now=lambda: clock.now)
    scope = SimpleNamespace(run=run, agent="desk", tenant=SimpleNamespace(tenant="acme", user=None))
    call = SimpleNamespace(scope=scope, dependency="m:m")
    limits = {"m:m": GateLimits(requests=2, window_s=10)}
    arrivals = Arrivals(limits.get, told.append, at_once=False)
    for clock.now in moments:
        await arrivals(call, lambda call: asyncio.sleep(0))
    assert told == []
    arrivals.judge(late_s)
    return told


async def test_calls_that_a_busy_loop_may_have_delayed_are_no_breach():
    assert await arrived((0.9, 5.0, 10.0), late_s=1.0) == []
    assert await arrived((0.0, 5.0, 10.0, 15.0), late_s=0.1) == []


async def test_calls_that_came_sooner_than_any_delay_explains_are_a_breach():
    [told] = await arrived((2.0, 5.0, 10.0), late_s=1.0)
    assert told == "gate: 3 calls arrived through m:m within 10 s, where 2 may"
