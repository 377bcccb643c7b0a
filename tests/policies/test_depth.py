import asyncio
from typing import Any

import pytest

from coordinator.domain.errors import Refused
from coordinator.policies.depth import Depth


async def answer(call: Any) -> Any:
    return "went through"


@pytest.mark.parametrize(("ancestors", "passes"), [(1, True), (2, True), (3, False)])
async def test_delegates_of_delegates_go_as_deep_as_the_run_allows(make, ancestors, passes):
    calls = make(depth=2)
    scope = calls.at("run/x", *(f"agent{number}" for number in range(ancestors)))
    call = calls.of_member(scope=scope)
    if passes:
        assert await Depth()(call, answer) == "went through"
        return
    with pytest.raises(Refused) as refused:
        await Depth()(call, answer)
    assert refused.value.code == "depth_exceeded"


async def test_a_run_makes_only_so_many_delegations(make):
    calls, other = make(delegations=2), make(delegations=2)
    depth = Depth()
    for _ in range(2):
        await depth(calls.of_member(), answer)
    with pytest.raises(Refused) as refused:
        await depth(calls.of_member(), answer)
    assert refused.value.code == "delegations_exceeded"
    assert await depth(other.of_member(), answer) == "went through"


async def test_after_the_soft_deadline_no_delegation_starts(calls):
    calls.run.soft_deadline = asyncio.get_running_loop().time() + 5
    assert await Depth()(calls.of_member(), answer) == "went through"
    await asyncio.sleep(5)
    with pytest.raises(Refused) as refused:
        await Depth()(calls.of_member(), answer)
    assert refused.value.code == "soft_deadline"
