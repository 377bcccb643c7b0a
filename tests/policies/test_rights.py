from typing import Any

import pytest

from coordinator.domain.errors import Invalid, Refused
from coordinator.domain.scope import Rights as Held
from coordinator.domain.scope import Scope
from coordinator.policies.rights import Rights


async def answer(call: Any) -> Any:
    return "went through"


async def test_what_is_among_the_rights_passes(calls):
    assert await Rights()(calls.of_tool(), answer) == "went through"
    assert await Rights()(calls.of_member(), answer) == "went through"


async def test_an_invented_tool_is_answered_with_the_nearest_names(calls):
    with pytest.raises(Invalid) as invalid:
        await Rights()(calls.of_tool("finds"), answer)
    assert invalid.value.code == "unknown_tool"
    assert invalid.value.details["nearest"] == ["find"]


async def test_a_foreign_tool_is_as_unknown_as_an_invented_one(calls):
    scope = Scope(calls.run, "writer", "run/delegate1", ("manager", "writer"), Held(frozenset({"save"})))
    with pytest.raises(Invalid) as invalid:
        await Rights()(calls.of_tool("find", scope=scope), answer)
    assert invalid.value.code == "unknown_tool"
    assert invalid.value.details["nearest"] == ["save"]


async def test_an_agent_without_rights_is_told_so(calls):
    scope = Scope(calls.run, "writer", "run/delegate1", ("manager", "writer"))
    with pytest.raises(Invalid, match="no tool at all"):
        await Rights()(calls.of_tool("find", scope=scope), answer)


async def test_an_unknown_member_is_answered_with_the_nearest_names(calls):
    with pytest.raises(Invalid) as invalid:
        await Rights()(calls.of_member("analist"), answer)
    assert invalid.value.code == "unknown_member"
    assert invalid.value.details["nearest"][0] == "analyst"


async def test_an_effect_that_needs_a_person_is_refused(calls):
    held = Held(frozenset({"refund"}))
    scope = Scope(calls.run, "manager", "run", ("manager",), held)
    with pytest.raises(Refused, match="a person must approve, and no approval policy is configured") as refused:
        await Rights()(calls.of_tool("refund", scope=scope), answer)
    assert refused.value.code == "needs_approval"
