import asyncio
from typing import Any

import pytest

from coordinator.domain.briefs import Report
from coordinator.domain.content import StopReason
from coordinator.domain.errors import Refused
from coordinator.domain.model import ModelReply
from coordinator.domain.money import Usage
from coordinator.policies.trace import OfDelegations, OfModels, OfRuns, OfTools, Trace

KINDS = [("run", OfRuns()), ("delegation", OfDelegations()), ("model", OfModels()), ("tool", OfTools())]
all_kinds = pytest.mark.parametrize(("kind", "teller"), KINDS, ids=[kind for kind, _ in KINDS])


def call_of(calls: Any, kind: str) -> Any:
    return {"run": calls.of_run, "delegation": calls.of_member, "model": calls.of_model, "tool": calls.of_tool}[kind]()


@all_kinds
async def test_a_call_that_goes_well_begins_and_ends(calls, replies, kind, teller):
    async def then(call: Any) -> Any:
        await asyncio.sleep(2)
        return replies[kind]

    call = call_of(calls, kind)
    assert await Trace(teller)(call, then) is replies[kind]
    assert calls.kinds() == [f"{kind}.started", f"{kind}.ended"]
    assert {event.step for event in calls.events} == {call.step}
    ended = calls.events[1].data
    assert ended["code"] == "ok"
    assert ended["duration_s"] == pytest.approx(2, abs=1e-3)


@all_kinds
@pytest.mark.parametrize(
    ("error", "code"),
    [(Refused("no", code="why"), "why"), (asyncio.CancelledError(), "cancelled"), (LookupError(), "crashed")],
)
async def test_a_call_that_goes_wrong_ends_with_the_reason(calls, kind, teller, error, code):
    async def then(call: Any) -> Any:
        raise error

    with pytest.raises(type(error)):
        await Trace(teller)(call_of(calls, kind), then)
    assert calls.kinds() == [f"{kind}.started", f"{kind}.ended"]
    assert calls.events[1].data["code"] == code


async def test_steps_and_turns_are_counted_also_where_nobody_listens(calls, replies):
    for watched in (True, False):
        calls.run.watched = watched
        for kind, teller in KINDS:

            async def then(call: Any, kind: str = kind) -> Any:
                return replies[kind]

            await Trace(teller)(call_of(calls, kind), then)
    assert (calls.run.steps, calls.run.turns) == (6, 2)
    assert len(calls.events) == 2 * len(KINDS)


async def test_a_failed_report_is_told_by_its_code(calls):
    async def then(call: Any) -> Any:
        return Report("analyst", "run/delegate1", "failed", code="loop_stopped")

    await Trace(OfDelegations())(calls.of_member(), then)
    assert calls.events[1].data["code"] == "loop_stopped"


@all_kinds
async def test_events_hold_names_and_numbers_never_content(calls, replies, kind, teller):
    async def then(call: Any) -> Any:
        return replies[kind]

    await Trace(teller)(call_of(calls, kind), then)
    for event in calls.events:
        assert all(isinstance(value, str | int | float) for value in event.data.values())
        assert "xxxx" not in str(event.data)
        assert "Where is it" not in str(event.data)


async def test_a_model_call_tells_all_that_it_used_and_its_name_at_the_provider_and_nothing_that_it_did_not(calls):
    async def closing(**told: Any) -> dict[str, Any]:
        async def then(call: Any) -> Any:
            return ModelReply("a", (), StopReason.END, told.pop("usage", Usage(9, 8)), "fake:m", **told)

        await Trace(OfModels())(calls.of_model(), then)
        return dict(calls.events[-1].data)

    full = await closing(usage=Usage(2100, 40, 1500, 20, 300), request_id="req_1", uncertain=True)
    more = {"cached": 1500, "cache_write": 300, "reasoning": 20, "request_id": "req_1", "uncertain": True}
    assert {name: full[name] for name in more} == more
    assert not more.keys() & (await closing()).keys()
