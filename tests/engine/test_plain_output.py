"""What a manager hands back can always be written as JSON, or the run says that it cannot."""

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Event, Kind, RunResult, Settings, Status, Team, agent


@dataclass
class Parcel:
    sent: date
    parts: set[int]


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


async def result_of(output: Any, seen: list[Event] | None = None) -> RunResult:
    @agent()
    async def boss(brief: Brief, ctx: AgentContext) -> Any:
        """Hands something back."""
        await asyncio.sleep(0)
        return output

    observers = [] if seen is None else [seen.append]
    async with Coordinator(Team(boss), Settings(world={}), observers=observers) as coordinator:
        return await coordinator.run("hi")


@pytest.mark.parametrize("output", [object(), b"\xff", {"a": [object()]}, circle(), lambda: 0], ids=type)
async def test_output_that_json_cannot_say_is_a_bad_report(output: Any) -> None:
    seen: list[Event] = []
    result = await result_of(output, seen)
    assert (result.status, result.code) == (Status.FAILED, "bad_report")
    assert "boss returned" in result.issues[0].message
    assert seen[-1].kind is Kind.RUN_ENDED
    assert (seen[-1].data["status"], seen[-1].data["code"]) == ("failed", "bad_report")
    json.dumps(result.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("output", "plain"),
    [
        (b"text", "text"),
        (Parcel(date(2026, 1, 2), {7}), {"sent": "2026-01-02", "parts": [7]}),
        ({1: (2, 3)}, {"1": [2, 3]}),
        (["a"], ["a"]),
    ],
    ids=str,
)
async def test_output_is_plain_values(output: Any, plain: Any) -> None:
    result = await result_of(output)
    assert result.status is Status.COMPLETED
    assert result.output == plain
    assert json.loads(result.model_dump_json())["output"] == plain
