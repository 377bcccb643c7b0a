"""A tiny world for the offline model: documents with a word search, and the loop that an engine would play."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, Field

from coordinator.domain.briefs import Brief, Material
from coordinator.domain.choice import Choice
from coordinator.domain.citing import Citation
from coordinator.domain.content import Message, Origin, StopReason, Text, ToolResult
from coordinator.domain.effects import Effect
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.models.offline import answer

Tools = Mapping[str, Callable[..., Any]]


class Confidence(Choice):
    FOUND = "found", "The sources answer the request."
    POSSIBLY = "possibly", "The sources are related, but part of the request is not in them."
    NOTHING = "nothing", "The sources say nothing about the request."


class Fact(BaseModel):
    statement: str = Field(description="What the source says, in plain words.")
    quote: str = Field(description="The words quoted from the passage, verbatim.")
    source: str = Field(description="The source that is cited, as its passage names it.")
    line: int | None = Field(default=None, description="The line of the cited passage.")


class Findings(BaseModel):
    facts: list[Fact] = Field(description="What the sources say about the request.")
    gaps: list[str] = Field(description="What the sources do not answer.")
    confidence: Confidence = Field(description="How well the sources answer the request.")


class Draft(BaseModel):
    text: str = Field(description="The reply to the customer, citing [1], [2] and so on.")
    citations: list[Citation] = Field(description="The places that the text cites, in order.")
    gaps: list[str] = Field(description="What the reply could not answer.")


class Judgement(Choice):
    ACCEPT = "accept", "The draft answers the request and its quotes support it."
    REVISE = "revise", "The draft can be corrected; the reasons say how."
    REJECT = "reject", "The draft cannot be used."


class Verdict(BaseModel):
    decision: Judgement = Field(description="The judgement on the draft.")
    reasons: list[str] = Field(description="Why it was judged so.")


@dataclass
class Played:
    """What came of one loop."""

    reply: ModelReply
    calls: list[tuple[str, dict[str, Any]]]
    request: ModelRequest
    results: list[str] = field(default_factory=list)

    @property
    def output(self) -> Any:
        return orjson.loads(self.reply.text)


def words(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"\w{3,}", text.lower())}


class World:
    """Shapes and helpers that the tests share."""

    Confidence, Fact, Findings, Draft, Verdict = Confidence, Fact, Findings, Draft, Verdict

    @staticmethod
    def spec(name: str, description: str, effect: Effect | None = Effect.READ, **properties: Any) -> ToolSpec:
        required = [key for key, schema in properties.items() if "default" not in schema]
        text = f"{description} {effect.sentence}" if effect else description
        return ToolSpec.of(name, text, {"type": "object", "properties": properties, "required": required})

    def search_spec(self, name: str = "search_documents") -> ToolSpec:
        return self.spec(
            name, "Search the documents for passages.", query={"type": "string", "description": "What to look for."}
        )

    @staticmethod
    def search(documents: Mapping[str, str]) -> Callable[..., Any]:
        """Return a search over *documents* by shared words; passages that share none are left out."""

        def find(**arguments: str) -> list[dict[str, Any]]:
            asked = words(" ".join(arguments.values()))
            ranked = sorted(documents, key=lambda name: (-len(asked & words(documents[name])), name))
            kept = [name for name in ranked if asked & words(documents[name])]
            return [{"text": documents[name], "source": name, "line": 1} for name in kept]

        return find

    @staticmethod
    def output(model: type[BaseModel] | None) -> OutputSpec | None:
        return OutputSpec.of(model.__name__, model.model_json_schema()) if model else None

    @staticmethod
    def brief(request: str, *materials: tuple[str, Any], goal: str = "") -> str:
        given = [Material(origin=origin, content=content) for origin, content in materials]
        return Brief(request=request, goal=goal, materials=given).model_dump_json()

    def ask(
        self,
        text: str,
        output: type[BaseModel] | OutputSpec | None = None,
        specs: Sequence[ToolSpec] = (),
        tools: Tools | None = None,
        *,
        system: str = "You are careful.",
        tokens: int = 4000,
        turns: int = 10,
    ) -> Played:
        """Play turns until the model stops calling tools; a tool that raises gives an error result."""
        wanted = output if isinstance(output, OutputSpec) else self.output(output)
        messages = [Message("system", (Text(system),)), Message("user", (Text(text),))]
        calls: list[tuple[str, dict[str, Any]]] = []
        results: list[str] = []
        for _ in range(turns):
            request = ModelRequest(tuple(messages), tuple(specs), wanted, max_output_tokens=tokens)
            reply = answer(request)
            if reply.stop is not StopReason.TOOL_USE:
                return Played(reply, calls, request, results)
            parts = []
            for use in reply.tool_uses:
                arguments = orjson.loads(use.arguments)
                calls.append((use.name, arguments))
                results.append(orjson.dumps(self._run((tools or {})[use.name], arguments)).decode())
                parts.append(ToolResult(use.id, use.name, results[-1], Origin("tool", use.name)))
            messages += [Message("assistant", reply.tool_uses), Message("tool", tuple(parts))]
        raise AssertionError(f"still calling after {turns} turns: {calls}")

    @staticmethod
    def _run(tool: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            found = tool(**arguments)
        except (KeyError, OSError) as error:
            code = "order_not_found" if isinstance(error, KeyError) else "unavailable"
            return {"status": "error", "code": code, "message": str(error), "retryable": False}
        return (
            found
            if isinstance(found, dict) and "status" in found and "result" in found
            else {"status": "ok", "result": found}
        )

    def read(self, question: str, documents: Mapping[str, str], output: type[BaseModel] | None = Findings) -> Played:
        """Ask *question* over *documents* with one search tool."""
        return self.ask(question, output, [self.search_spec()], {"search_documents": self.search(documents)})


@pytest.fixture
def world() -> World:
    return World()


HANDBOOK = {
    "leave.md": "# Leave\n\nA new employee gets 25 vacation days a year. Unused days expire in March.",
    "notice.md": "# Notice\n\nThe notice period is 16 weeks for managers. It is 4 weeks during probation.",
    "pets.md": "# Pets\n\nDogs may come to the office on Fridays, if nobody objects.",
    "travel.md": "# Travel\n\nTrips are booked by the travel desk. Hotels may cost at most 120 euros a night.",
}


@pytest.fixture
def handbook() -> dict[str, str]:
    return dict(HANDBOOK)
