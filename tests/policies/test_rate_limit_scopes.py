import asyncio
from typing import Any

import pytest

from coordinator.domain.errors import Fault, Reached, Throttle
from coordinator.domain.limits import GateLimits
from coordinator.domain.model import ModelReply, Quota
from coordinator.policies.rate_limit import RateLimit
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gates import Gates


def limited(**rates: GateLimits) -> tuple[Gates, RateLimit]:
    gates = Gates(rates={name.replace("_", ":"): limits for name, limits in rates.items()})
    return gates, RateLimit(gates, Estimates())


def answering(reply: Any) -> Any:
    async def then(call: Any) -> Any:
        return reply

    return then


async def test_a_call_counts_in_every_scope_it_belongs_to(calls, replies):
    limits = GateLimits(requests=100, tokens=10_000)
    gates, layer = limited(**{"agent_*": limits, "tenant_*": limits, "global": limits})
    await layer(calls.of_model(), answering(replies["model"]))
    await layer(calls.of_tool(), answering(replies["tool"]))
    states = {state.name: state for state in gates.snapshot()}
    assert set(states) == {"fake:m", "find#0", "agent manager", "tenant acme", "global"}
    for name in ("agent manager", "tenant acme", "global"):
        assert states[name].request_level == pytest.approx(2, abs=0.1)
        assert states[name].token_level == pytest.approx(15, abs=0.1)


async def test_every_place_is_ended_however_the_attempt_ends(calls, replies):
    limits = GateLimits(requests=1000, tokens=100_000)
    gates, layer = limited(**{"tenant_*": limits, "global": limits})
    ends = [
        Fault("no way", reached=Reached.NO),
        Fault("5xx", reached=Reached.YES),
        Fault("5xx", reached=Reached.YES, began=False),
        Fault("lost", reached=Reached.MAYBE),
        asyncio.CancelledError(),
        ValueError("a crash"),
    ]
    for error in ends:

        async def then(call: Any, error: BaseException = error) -> Any:
            raise error

        for call in (calls.of_model(), calls.of_tool()):
            with pytest.raises(type(error)):
                await layer(call, then)
    await layer(calls.of_tool(), answering(replies["tool"]))
    assert [state.out for state in gates.snapshot()] == [0] * len(gates.snapshot())


async def test_what_a_reply_says_is_left_is_not_exceeded(calls, replies):
    _, layer = limited()
    said = replies["model"]
    reply = ModelReply(said.text, (), said.stop, said.usage, said.model, quota=Quota(requests=1, reset_s=30.0))
    await layer(calls.of_model(), answering(reply))
    await layer(calls.of_model(), answering(replies["model"]))
    loop = asyncio.get_running_loop()
    await layer(calls.of_model(), answering(replies["model"]))
    assert loop.time() == pytest.approx(30, abs=0.1)


async def test_in_an_outage_of_429s_nothing_is_sent_while_the_dependency_asks_for_a_pause(calls):
    _, layer = limited(**{"tenant_*": GateLimits(requests=10**6)})
    sent: list[float] = []
    loop = asyncio.get_running_loop()

    async def then(call: Any) -> Any:
        sent.append(loop.time())
        raise Fault("429", reached=Reached.YES, turned_away=Throttle.THROTTLED, retry_after=10.0)

    async def one() -> None:
        with pytest.raises(Fault):
            await layer(calls.of_model(deadline=loop.time() + 500), then)

    await one()
    await asyncio.gather(*(one() for _ in range(5)))
    assert sent[0] < 0.1
    assert min(sent[1:]) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("says", ["a pause", "nothing left"])
async def test_whoever_waits_is_not_let_through_by_the_very_reply_that_says_no(says, calls, replies):
    """Its estimate is given back at the same moment, and would make room."""
    _, layer = limited(fake_m=GateLimits(tokens=200, window_s=60, burst=1.0))
    loop, sent = asyncio.get_running_loop(), []
    said = replies["model"]

    async def first(call: Any) -> Any:
        await asyncio.sleep(1)
        if says == "a pause":
            raise Fault("429", reached=Reached.YES, turned_away=Throttle.THROTTLED, retry_after=30.0)
        return ModelReply(said.text, (), said.stop, said.usage, said.model, quota=Quota(requests=0, reset_s=30.0))

    async def then(call: Any) -> Any:
        sent.append(loop.time())
        return said

    tasks = [loop.create_task(layer(calls.of_model(), handler)) for handler in (first, then)]
    await asyncio.wait(tasks)
    assert [task.exception() is None for task in tasks] == [says == "nothing left", True]
    assert sent == [pytest.approx(31, abs=0.1)]


async def test_the_tenants_weight_and_the_runs_order_reach_the_queue(calls, make, replies):
    _, layer = limited(fake_m=GateLimits(requests=61, window_s=60, burst=1 / 61))
    order: list[int] = []
    await layer(calls.of_model(), answering(replies["model"]))

    async def one(number: int) -> None:
        run = make()
        run.run.order = number

        async def then(call: Any) -> Any:
            order.append(number)
            return replies["model"]

        await layer(run.of_model(), then)

    await asyncio.gather(*(one(number) for number in (3, 1, 2)))
    assert order == [1, 2, 3]
