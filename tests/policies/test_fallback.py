from typing import Any

import pytest

from coordinator.domain.calls import ToolReply
from coordinator.domain.content import Origin
from coordinator.domain.errors import Fault, Invalid, Reached, Refused, UnknownOutcome
from coordinator.policies.fallback import Fallback


def answering(errors: dict[int, Exception]) -> Any:
    async def then(call: Any) -> Any:
        assert call.dependency == f"{call.name}#{call.tier}"
        if call.tier in errors:
            raise errors[call.tier]
        return ToolReply(call.tier, str(call.tier), Origin("tool", call.name))

    return then


DOWN = Fault("down", reached=Reached.NO, code="unreached")


async def test_the_first_tier_answers_without_a_remark(calls):
    reply = await Fallback()(calls.of_tool(), answering({}))
    assert (reply.output, reply.degraded) == (0, "")
    assert calls.events == []
    assert calls.run.issues == []


async def test_a_lower_tier_says_which_capability_is_missing(calls):
    reply = await Fallback()(calls.of_tool(), answering({0: DOWN}))
    assert reply.output == 1
    assert reply.degraded == "find is unavailable (unreached); find_elsewhere answered in its place"
    assert calls.kinds() == ["fallback", "issue"]
    assert [(issue.code, issue.part) for issue in calls.run.issues] == [("tool_degraded", "find")]


async def test_an_open_breaker_leads_to_the_next_tier(calls):
    refused = Refused("open", code="breaker_open", passing=True)
    assert (await Fallback()(calls.of_tool(), answering({0: refused}))).output == 1


async def test_when_every_tier_fails_the_last_error_is_raised_and_noted(calls):
    last = Fault("also down", reached=Reached.NO)
    with pytest.raises(Fault, match="also down"):
        await Fallback()(calls.of_tool(), answering({0: DOWN, 1: last}))
    assert [issue.code for issue in calls.run.issues] == ["tool_unavailable"]


async def test_an_effect_that_may_have_happened_is_given_to_no_other_tier(calls):
    unknown = UnknownOutcome("lost")
    with pytest.raises(UnknownOutcome):
        await Fallback()(calls.of_tool(), answering({0: unknown}))
    assert [issue.code for issue in calls.run.issues] == ["unknown_outcome"]


async def test_a_tool_that_says_the_call_is_wrong_is_not_down(calls):
    with pytest.raises(Invalid):
        await Fallback()(calls.of_tool(), answering({0: Invalid("no such order")}))
    assert calls.run.issues == []
