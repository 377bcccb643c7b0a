import asyncio
from typing import Any

import pytest

from coordinator.domain.limits import GateLimits
from coordinator.policies.rate_limit import RateLimit
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gates import Gates


def limited(**limits: Any) -> tuple[Gates, RateLimit]:
    gates = Gates(GateLimits(**limits))
    return gates, RateLimit(gates, Estimates())


async def test_an_uncontended_gate_does_not_suspend(calls, replies):
    _, layer = limited(requests=10)

    async def then(call: Any) -> Any:
        return replies["model"]

    with pytest.raises(StopIteration):
        layer(calls.of_model(), then).send(None)


async def test_the_estimate_is_replaced_by_what_was_used(calls, replies):
    gates, layer = limited(requests=100, tokens=10_000)

    async def then(call: Any) -> Any:
        assert gates.snapshot()[0].token_level == pytest.approx(141, abs=0.1)
        return replies["model"]

    await layer(calls.of_model(), then)
    assert gates.snapshot()[0].token_level == pytest.approx(15, abs=0.1)


async def test_estimates_learn_from_replies(calls, replies):
    estimates = Estimates()
    gates = Gates(GateLimits(tokens=100_000))
    layer = RateLimit(gates, estimates)
    assert estimates.expect("fake:m", 118, 100) == 141

    async def then(call: Any) -> Any:
        return replies["model"]

    for _ in range(60):
        await layer(calls.of_model(), then)
    assert estimates.expect("fake:m", 118, 100) == pytest.approx(15, abs=1)
    assert estimates.snapshot()[0].output_tokens == pytest.approx(5)


async def test_tools_count_as_requests_only(calls, replies):
    gates, layer = limited(requests=100, tokens=100)

    async def then(call: Any) -> Any:
        return replies["tool"]

    await layer(calls.of_tool(), then)
    state = gates.snapshot()[0]
    assert state.request_level == pytest.approx(1, abs=0.01)
    assert state.token_level == 0


async def test_a_call_cancelled_in_the_queue_never_reaches_the_inside(calls, replies):
    gates, layer = limited(requests=1)
    asked: list[Any] = []

    async def then(call: Any) -> Any:
        asked.append(call)
        return replies["model"]

    await layer(calls.of_model(), then)
    task = asyncio.get_running_loop().create_task(layer(calls.of_model(), then))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asked) == 1
    assert gates.snapshot()[0].waiting == 0
