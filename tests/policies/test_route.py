from typing import Any

import pytest

from coordinator.domain.errors import Fault, Invalid, Reached
from coordinator.domain.model import Target
from coordinator.policies.route import Route

ROUTES = {"small": [Target("fake", "m"), Target("other", "n")], "offline": [Target("offline", "text")]}


async def whom(call: Any) -> Any:
    return call.dependency, call.target


async def test_a_model_class_is_addressed_to_its_first_target(calls):
    assert await Route(ROUTES)(calls.of_model("small"), whom) == ("fake:m", Target("fake", "m"))


async def test_an_unknown_class_or_model_is_named_with_the_nearest(calls):
    with pytest.raises(Invalid) as invalid:
        await Route(ROUTES)(calls.of_model("smal"), whom)
    assert invalid.value.code == "unknown_model"
    assert invalid.value.details["nearest"] == ["small"]


async def test_the_next_model_answers_when_the_first_is_down_and_an_event_says_so(calls):
    async def half_down(call: Any) -> Any:
        if call.dependency == "fake:m":
            raise Fault("down", reached=Reached.NO, code="unreached")
        return call.dependency

    assert await Route(ROUTES)(calls.of_model("small"), half_down) == "other:n"
    assert [dict(event.data) for event in calls.events] == [{"from": "fake:m", "to": "other:n", "code": "unreached"}]


async def test_when_all_are_down_the_last_failure_is_raised(calls):
    async def down(call: Any) -> Any:
        raise Fault(call.dependency, reached=Reached.NO)

    with pytest.raises(Fault, match="other:n"):
        await Route(ROUTES)(calls.of_model("small"), down)
