import asyncio
from typing import Any

import pytest

from coordinator.domain.errors import Refused
from coordinator.domain.layer import onion
from coordinator.policies.contract import Contract
from coordinator.policies.loop_guard import LoopGuard
from coordinator.policies.rights import Rights
from coordinator.policies.trace import OfTools, Trace


async def answer(call: Any) -> Any:
    return "went through"


async def code(guard: LoopGuard, call: Any) -> str:
    try:
        await guard(call, answer)
    except Refused as refused:
        return refused.code
    return "ok"


async def test_identical_calls_are_refused_with_a_reason_then_the_agent_is_stopped(calls):
    guard = LoopGuard()
    codes = [await code(guard, calls.of_tool()) for _ in range(6)]
    assert codes == ["ok", "ok", "repeated_call", "repeated_call", "repeated_call", "loop_stopped"]
    with pytest.raises(Refused) as stopped:
        await guard(calls.of_tool(), answer)
    assert stopped.value.ends_agent


async def test_refusals_of_different_calls_add_up_to_the_stop(calls):
    guard = LoopGuard()
    codes = [await code(guard, calls.of_tool(raw=f'{{"what": "{what}"}}')) for what in "aaabbbcccddd"]
    assert codes == ["ok", "ok", "repeated_call"] * 3 + ["ok", "ok", "loop_stopped"]


async def test_calls_that_differ_are_no_loop(calls):
    guard = LoopGuard()
    codes = {await code(guard, calls.of_tool(raw=f'{{"what": "{number}"}}')) for number in range(20)}
    assert codes == {"ok"}


async def test_every_agent_path_and_every_run_counts_for_itself(make):
    guard, calls, other = LoopGuard(), make(), make()
    scopes = [calls.at("run/delegate1", "manager", "analyst"), calls.at("run/delegate2", "manager", "analyst")]
    for scope in (*scopes, other.scope):
        assert [await code(guard, calls.of_tool(scope=scope)) for _ in range(2)] == ["ok", "ok"]


async def test_arguments_are_compared_as_they_are_understood_not_as_they_are_written(calls, replies):
    async def core(call: Any) -> Any:
        return replies["tool"]

    pipeline = onion(core, Contract(), LoopGuard())
    for raw in ('{"what": "a"}', '{ "limit": 3, "what": "a" }'):
        await pipeline(calls.of_tool(raw=raw))
    with pytest.raises(Refused):
        await pipeline(calls.of_tool(raw='{"what":"a","limit":3}'))


async def test_identical_delegations_are_refused_too(calls):
    guard = LoopGuard()
    assert [await code(guard, calls.of_member()) for _ in range(3)] == ["ok", "ok", "repeated_call"]


async def test_delegating_to_someone_further_up_is_a_cycle(calls):
    scope = calls.at("run/delegate1/delegate1", "manager", "analyst", "writer")
    assert await code(LoopGuard(), calls.of_member("analyst", scope=scope)) == "delegation_cycle"


async def test_the_calls_of_one_turn_are_judged_in_their_order(calls, replies):
    """Nothing outside the guard suspends, so tasks that start in order are judged in order."""
    passed: list[int] = []

    async def core(call: Any) -> Any:
        passed.append(call.step)
        await asyncio.sleep(0)
        return replies["tool"]

    pipeline = onion(core, Trace(OfTools()), Rights(), Contract(), LoopGuard())
    async with asyncio.TaskGroup() as tasks:
        judged = [tasks.create_task(_code(pipeline, calls.of_tool(step=f"tool{place}"))) for place in range(4)]
    assert [task.result() for task in judged] == ["ok", "ok", "repeated_call", "repeated_call"]
    assert passed == ["tool0", "tool1"]


async def test_nothing_outside_the_guard_suspends(calls):
    reached = []

    async def core(call: Any) -> Any:
        reached.append(call)
        await asyncio.Event().wait()

    step = onion(core, Trace(OfTools()), Rights(), Contract(), LoopGuard())(calls.of_tool())
    step.send(None)
    assert len(reached) == 1
    step.close()


async def _code(pipeline: Any, call: Any) -> str:
    try:
        await pipeline(call)
    except Refused as refused:
        return refused.code
    return "ok"
