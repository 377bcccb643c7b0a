from typing import Any

import pytest

from coordinator.domain.content import StopReason
from coordinator.domain.errors import Fault, Invalid, Reached, Refused
from coordinator.domain.model import ModelReply, Target
from coordinator.domain.money import Usage
from coordinator.policies.route import Route

ROUTES = {"small": [Target("fake", "m"), Target("other", "n")], "offline": [Target("offline", "text")]}


async def whom(call: Any) -> ModelReply:
    return ModelReply(str(call.target), (), StopReason.END, Usage(1, 1), call.dependency)


async def test_a_model_class_is_addressed_to_its_first_target(calls):
    reply = await Route(ROUTES)(calls.of_model("small"), whom)
    assert (reply.model, reply.text) == ("fake:m", "fake:m")


async def test_an_unknown_class_or_model_is_named_with_the_nearest(calls):
    with pytest.raises(Invalid) as invalid:
        await Route(ROUTES)(calls.of_model("smal"), whom)
    assert invalid.value.code == "unknown_model"
    assert invalid.value.details["nearest"] == ["small"]


async def test_the_next_model_answers_when_the_first_is_down_and_an_event_says_so(calls):
    async def half_down(call: Any) -> Any:
        if call.dependency == "fake:m":
            raise Fault("down", reached=Reached.NO, code="unreached")
        return await whom(call)

    assert (await Route(ROUTES)(calls.of_model("small"), half_down)).model == "other:n"
    assert [dict(event.data) for event in calls.events] == [{"from": "fake:m", "to": "other:n", "code": "unreached"}]


async def test_when_all_are_down_the_last_failure_is_raised(calls):
    async def down(call: Any) -> Any:
        raise Fault(call.dependency, reached=Reached.NO)

    with pytest.raises(Fault, match="other:n"):
        await Route(ROUTES)(calls.of_model("small"), down)


@pytest.mark.parametrize("name", ["small", "offline"])
async def test_what_a_breaker_stops_is_told_by_what_had_failed_before_and_once(calls, name):
    async def stopped(call: Any) -> Any:
        cut = Fault("the stream was cut", reached=Reached.MAYBE, code="cut_off", hint="look at proxies")
        raise Refused(f"{call.dependency} is not called", code="breaker_open", passing=True) from cut

    call = calls.of_model(name)
    for _ in range(2):
        with pytest.raises(Refused):
            await Route(ROUTES)(call, stopped)
    told = [(issue.code, issue.message, issue.part) for issue in call.scope.run.issues]
    assert told == [("cut_off", "the stream was cut. look at proxies", str(ROUTES[name][-1]))]


async def test_a_refusal_without_a_failure_before_it_is_for_its_agent_to_tell(calls):
    async def stopped(call: Any) -> Any:
        raise Refused("spent", code="budget_exhausted", hint="raise run_usd")

    call = calls.of_model("offline")
    with pytest.raises(Refused):
        await Route(ROUTES)(call, stopped)
    assert not call.scope.run.issues
