import asyncio
from typing import Any

import pytest

from coordinator.domain.briefs import Report
from coordinator.domain.errors import Refused
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
