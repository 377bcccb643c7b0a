import asyncio
import math

import pytest

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import Standing
from coordinator.domain.limits import GateLimits
from coordinator.domain.scope import RunLimits, RunState, Scope, TenantContext
from coordinator.stores.memory.gate import Gate
from coordinator.stores.memory.gates import Gates
from coordinator.stores.memory.scopes import SWEEP

FEW = GateLimits(requests=60, window_s=60, burst=1 / 60)
MANY = GateLimits(requests=10**6)
ME = Standing("acme")


def scope(tenant: str = "acme", user: str | None = "u", agent: str = "analyst") -> Scope:
    run = RunState("r", TenantContext(tenant, user), RunLimits(1), lambda: 0.0)
    return Scope(run, agent, "run")


def levels(gates: Gates) -> dict[str, float]:
    return {state.name: round(state.request_level, 1) for state in gates.snapshot()}


async def test_without_limits_around_it_a_dependency_has_its_own_gate_alone():
    gates = Gates(rates={"m:*": FEW, "find": FEW})
    assert gates.around(scope(), "m:m") is gates.of("m:m")
    gates = Gates(rates={"tenant:other": FEW})
    assert gates.around(scope(), "m:m") is gates.of("m:m")


async def test_a_model_call_passes_its_gates_narrow_to_wide():
    rates = {"global": MANY, "provider:m": MANY, "tenant:*": MANY, "agent:analyst": MANY, "user:*": MANY}
    way = Gates(rates=rates).around(scope(), "m:m")
    names = [gate._name for gate in way._gates]
    assert names == ["user acme/u", "agent analyst", "tenant acme", "m:m", "provider m", "global"]


async def test_a_tool_call_passes_its_gates_narrow_to_wide():
    rates = {"global": MANY, "tenant:acme": MANY, "agent:*": MANY, "user:u": MANY, "provider:find": FEW}
    way = Gates(rates=rates).around(scope(), "find#0")
    assert [gate._name for gate in way._gates] == ["user acme/u", "agent analyst", "find#0", "tenant acme", "global"]


async def test_a_named_limit_goes_before_the_one_for_each():
    gates = Gates(rates={"tenant:*": FEW, "tenant:acme": MANY})
    for _ in range(10):
        assert gates.around(scope("acme"), "m:m").try_take(0) is not None
    assert gates.around(scope("other"), "m:m").try_take(0) is not None
    assert gates.around(scope("other"), "m:m").try_take(0) is None


async def test_users_of_one_name_under_two_tenants_are_two_users():
    gates = Gates(rates={"user:*": FEW})
    assert gates.around(scope("acme", "u"), "m:m").try_take(0) is not None
    assert gates.around(scope("other", "u"), "m:m").try_take(0) is not None
    assert gates.around(scope("acme", "u"), "m:m").try_take(0) is None
    assert gates.around(scope("acme", None), "m:m").try_take(0) is not None


async def test_models_of_one_provider_share_its_gate():
    gates = Gates(rates={"provider:m": FEW})
    assert gates.around(scope(), "m:one").try_take(0) is not None
    assert gates.around(scope(), "m:two").try_take(0) is None
    assert gates.around(scope(), "n:one").try_take(0) is not None


async def test_a_way_takes_all_or_nothing_at_once():
    gates = Gates(rates={"tenant:*": MANY, "global": FEW})
    way = gates.around(scope(), "m:m")
    permit = way.try_take(0)
    assert way.try_take(0) is None
    assert levels(gates) == {"m:m": 0, "tenant acme": 1, "global": 1}
    permit.refund()
    assert levels(gates) == {"m:m": 0, "tenant acme": 0, "global": 0}


async def test_refunds_corrections_and_keeps_reach_every_gate():
    tokens = GateLimits(tokens=1000, window_s=1000)
    gates = Gates(rates={"user:*": tokens, "m:m": tokens, "global": tokens})
    way = gates.around(scope(), "m:m")
    way.try_take(100).correct(40)
    assert [round(state.token_level) for state in gates.snapshot()] == [40, 40, 40]
    way.try_take(100).refund()
    way.try_take(10).keep()
    assert [round(state.token_level) for state in gates.snapshot()] == [50, 50, 50]
    assert [state.out for state in gates.snapshot()] == [0, 0, 0]


async def test_a_refusal_by_a_wide_gate_gives_the_narrow_places_back():
    gates = Gates(rates={"user:*": MANY, "tenant:*": MANY, "global": FEW})
    way = gates.around(scope(), "m:m")
    assert way.try_take(0) is not None
    with pytest.raises(Refused) as refused:
        await way.take(0, asyncio.get_running_loop().time() + 0.5, ME)
    assert "global is at its rate limit" in refused.value.message
    assert levels(gates) == {"m:m": 0, "user acme/u": 1, "tenant acme": 1, "global": 1}


@pytest.mark.parametrize("ticks", range(8))
async def test_a_call_cancelled_on_its_way_through_the_gates_keeps_no_place(ticks):
    """Each gate on the way is made to wait for a second, so that the cancellation meets every one of them."""
    gates = Gates(rates={"user:*": FEW, "agent:*": FEW, "tenant:*": FEW, "m:m": FEW, "global": FEW})
    way = gates.around(scope(), "m:m")
    for number, gate in enumerate(way._gates):
        for _ in range(number + 1):
            gate._meter.take(0)
    task = asyncio.get_running_loop().create_task(way.take(0, math.inf, ME))
    await asyncio.sleep(0.75 * ticks)
    task.cancel()
    ended = await asyncio.gather(task, return_exceptions=True)
    if isinstance(ended[0], asyncio.CancelledError):
        assert [(state.out, state.waiting) for state in gates.snapshot()] == [(0, 0)] * 5
    else:
        assert [state.out for state in gates.snapshot()] == [1] * 5


async def test_who_waits_for_its_own_limit_takes_nothing_of_what_others_share():
    gates = Gates(rates={"user:*": FEW, "global": GateLimits(requests=4, window_s=60, burst=0.5)})
    way = gates.around(scope(), "m:m")
    assert way.try_take(0) is not None
    waiting = [asyncio.get_running_loop().create_task(way.take(0, math.inf, ME)) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert gates.around(scope(user="other"), "m:m").try_take(0) is not None
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_a_pause_and_a_quota_concern_the_dependency_alone():
    gates = Gates(rates={"global": MANY})
    gates.around(scope(), "m:m").pause(10)
    assert gates.around(scope(), "m:m").try_take(0) is None
    assert gates.around(scope(), "m:n").try_take(0) is not None
    gates.around(scope(), "m:n").remaining(0, None, 10)
    assert gates.around(scope(), "m:n").try_take(0) is None
    assert gates.around(scope(), "m:o").try_take(0) is not None


async def test_gates_of_users_who_went_away_are_forgotten():
    gates = Gates(rates={"user:*": FEW})
    busy = gates.around(scope(user="busy"), "m:m").try_take(0)
    for number in range(10 * SWEEP):
        gates.around(scope(user=f"u{number}"), "m:m").try_take(0).keep()
        await asyncio.sleep(0.1)
    assert len(gates.snapshot()) < 2 * SWEEP
    assert "user acme/busy" in levels(gates)
    busy.keep()


async def test_a_gate_kept_by_name_survives_a_sweep_with_what_it_owes():
    gates = Gates(rates={"user:*": FEW})
    owing = gates.around(scope(user="owing"), "m:m")
    for _ in range(3 * SWEEP):
        assert isinstance(gates.of("m:m"), Gate)
    assert owing.try_take(0) is not None
    assert not gates.around(scope(user="owing"), "m:m").fits(0)


async def test_a_gate_that_somebody_is_on_the_way_to_is_no_second_one_after_a_sweep():
    gates = Gates(rates={"tenant:*": FEW, "user:*": FEW})
    way = gates.around(scope("acme", "u"), "find#0")
    for number in range(SWEEP + 1):
        gates.around(scope(f"t{number}", None), "find#0")
    assert way.try_take(0) is not None
    assert gates.around(scope("acme", "v"), "find#0").try_take(0) is None
