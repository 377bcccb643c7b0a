from typing import Any

import pytest

from coordinator.domain.calls import ToolReply
from coordinator.domain.content import Origin
from coordinator.domain.errors import Invalid
from coordinator.policies.contract import Contract


async def arguments(call: Any) -> Any:
    return ToolReply(call.arguments.model_dump(), "", Origin("tool", call.name))


async def test_arguments_arrive_typed_and_with_their_defaults(calls):
    reply = await Contract()(calls.of_tool(raw='{"what": "a"}'), arguments)
    assert reply.output == {"what": "a", "limit": 3}


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ('{"limit": "many"}', ["what", "limit"]),
        ('{"what": "a", "extra": 1}', ["extra"]),
        ("{", [""]),
        ("[]", [""]),
        ("", ["what"]),
    ],
)
async def test_every_wrong_field_is_named(calls, raw, fields):
    with pytest.raises(Invalid) as invalid:
        await Contract()(calls.of_tool(raw=raw), arguments)
    assert invalid.value.code == "invalid_arguments"
    assert [field["field"] for field in invalid.value.details["fields"]] == fields
    assert all(field["message"] for field in invalid.value.details["fields"])
