"""Laws of content logging: off, no event holds a word of what was said; on, all of it, once, and bounded."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from coordinator import AgentContext, Brief, Coordinator, Event, Passage, RunResult, Settings, Team, agent, tool
from coordinator.models.scripted import ScriptedModel, ScriptedReply
from coordinator.policies.trace_content import MOST

WORDS = ["where is marzipan", "marzipan was looked up", "marzipan lies in the cellar", "tell me of marzipan"]


class Note(BaseModel):
    """What the clerk writes."""

    text: str


@tool()
async def look_up(what: str) -> Passage:
    """Look it up."""
    if what == "poison":
        raise RuntimeError("marzipan is not poison")
    return Passage(text=WORDS[2], source="cellar")


@agent(tools=[look_up], model="scripted")
async def clerk(brief: Brief, ctx: AgentContext) -> str:
    """Looks things up."""
    note = await ctx.solve(brief, instructions="look for marzipan", output=Note)
    return note.text


@agent(delegates=[clerk], model="scripted")
async def boss(brief: Brief, ctx: AgentContext) -> str:
    """Asks the clerk."""
    report = await ctx.delegate(clerk, Brief(request=brief.request, goal=WORDS[3]))
    return str(report.output)


def replies(what: str = "marzipan") -> list[Any]:
    calls = [{"name": "look_up", "arguments": {"what": what}}]
    return [{"tools": calls}, {"output": {"text": WORDS[1]}}]


async def events_of(*, content: bool, script: list[Any]) -> tuple[list[Event], RunResult]:
    events: list[Event] = []
    settings = Settings(world={}, content=content, run_usd=10)
    models = {"scripted": ScriptedModel([ScriptedReply.model_validate(reply) for reply in script])}
    async with Coordinator(Team(boss), settings, models=models, observers=[events.append]) as coordinator:
        return events, await coordinator.run(WORDS[0])


def said(events: list[Event]) -> Iterator[tuple[str, str, str]]:
    for event in events:
        for one in event.data.get("content", ()):
            yield event.kind, one["role"], one["text"]


@pytest.mark.parametrize("what", ["marzipan", "poison"])
async def test_off_no_event_holds_what_was_said(what: str) -> None:
    events, _ = await events_of(content=False, script=replies(what))
    crashes = [event for event in events if event.kind == "crash"]
    quiet = [event.data for event in events if event not in crashes and event.kind != "issue"]
    assert "marzipan" not in json.dumps(quiet, default=str)


async def test_on_everything_that_was_said_is_told_once() -> None:
    events, result = await events_of(content=True, script=replies())
    told = list(said(events))
    assert ("run.started", "task", WORDS[0]) in told
    assert ("run.ended", "reply", result.text) in told
    assert ("delegation.started", "goal", WORDS[3]) in told
    assert ("delegation.ended", "report", WORDS[1]) in told
    assert ("model.ended", "call look_up", '{"what":"marzipan"}') in told
    assert [json.loads(text) for kind, role, text in told if role == "assistant"] == [{"text": WORDS[1]}]
    assert ("tool.started", "arguments", '{"what":"marzipan"}') in told
    results = [text for kind, role, text in told if (kind, role) == ("model.started", "result of look_up")]
    assert len(results) == 1
    assert WORDS[2] in results[0]
    systems = [text for kind, role, text in told if (kind, role) == ("model.started", "system")]
    assert len(systems) == 1


async def test_on_an_error_is_told_in_its_own_words() -> None:
    events, _ = await events_of(content=True, script=replies("poison"))
    assert [text for kind, role, text in said(events) if (kind, role) == ("tool.ended", "error")]


async def test_a_text_without_end_is_cut() -> None:
    events, _ = await events_of(content=True, script=[{"output": {"text": "marzipan " * 9000}}])
    texts = [text for _, _, text in said(events)]
    assert max(map(len, texts)) < MOST + 100
    assert any("more characters)" in text for text in texts)


async def test_what_cannot_be_written_hurts_no_run() -> None:
    class Odd:
        def __str__(self) -> str:
            raise ZeroDivisionError

    @agent()
    async def strange(brief: Brief, ctx: AgentContext) -> Any:
        """Hands back what nobody can write."""
        return Odd()

    @agent(delegates=[strange])
    async def asking(brief: Brief, ctx: AgentContext) -> str:
        """Asks for it."""
        report = await ctx.delegate(strange, brief)
        return report.status

    events: list[Event] = []
    settings = Settings(world={}, content=True)
    async with Coordinator(Team(asking), settings, observers=[events.append]) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.text) == ("completed", "done")
    assert ("delegation.ended", "report", "(Odd)") in list(said(events))
