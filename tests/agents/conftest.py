"""The real teams with a model that plays a script: what happened, and how it ended."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents import team
from coordinator import Coordinator, Event, Kind, RunResult, Settings, Team
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.models.scripted import ScriptedModel, ScriptedReply

DATA = Path(__file__).parents[2] / "scenarios" / "data"
WORLD = {"database": DATA / "shop.sql", "knowledge": DATA / "help", "docs": DATA / "help"}

LEAD, ANALYST, WRITER, REVIEWER = "You lead", "You gather", "You write", "You review"
ORDER = "Order 1042 is in transit with Swiftline, tracking number SW7301042."


@dataclass
class Played:
    """One run and its events."""

    events: list[Event] = field(default_factory=list)
    result: RunResult | None = None

    @property
    def ended(self) -> RunResult:
        assert self.result is not None
        return self.result

    @property
    def codes(self) -> list[str]:
        return [issue.code for issue in self.ended.issues]

    @property
    def states(self) -> list[str]:
        return [event.data["state"] for event in self.events if event.kind is Kind.STATE]

    @property
    def verdicts(self) -> list[str]:
        return [event.data["decision"] for event in self.events if event.kind is Kind.VERDICT]

    @property
    def tools(self) -> Counter[tuple[str, str]]:
        ended = (event.data for event in self.events if event.kind is Kind.TOOL_ENDED)
        return Counter((data["tool"], data["code"]) for data in ended)

    @property
    def classes(self) -> list[tuple[str, str]]:
        """Agent and model class of every model call, in order."""
        started = (event for event in self.events if event.kind is Kind.MODEL_STARTED)
        return [(event.agent, event.data["class"]) for event in started]

    @property
    def briefs(self) -> Counter[str]:
        return Counter(event.data["member"] for event in self.events if event.kind is Kind.DELEGATION_STARTED)


class Play:
    """Pieces of scripts, and the run that plays them."""

    @staticmethod
    def says(who: str, output: Any = None, **more: Any) -> dict[str, Any]:
        return {"when": who, "output": output, **more}

    def opening(self) -> list[dict[str, Any]]:
        """Triage, a plan of one step, and an analyst who finds the order."""
        return [
            self.says(LEAD, {"decision": "resolve"}),
            self.says(LEAD, {"steps": [{"id": "gather", "member": "analyst", "goal": "Find the order."}]}),
            self.says(ANALYST, tools=[{"name": "lookup_order", "arguments": {"order_id": "1042"}}]),
        ]

    def findings(self, *gaps: str, quote: str = ORDER) -> dict[str, Any]:
        fact = {"statement": quote, "quote": quote, "source": "orders/1042"}
        confidence = "possibly" if gaps else "found"
        return self.says(ANALYST, {"facts": [fact], "gaps": list(gaps), "confidence": confidence})

    def draft(self, text: str, quote: str = ORDER, **more: Any) -> dict[str, Any]:
        return self.says(WRITER, {"text": text, "citations": [{"source": "orders/1042", "quote": quote}]}, **more)

    def verdict(self, decision: str, **more: Any) -> dict[str, Any]:
        return self.says(REVIEWER, {"decision": decision, "reasons": [f"it was {decision}"]}, **more)

    async def run(
        self, request: str, *script: dict[str, Any], of: Team = team, user: str | None = "u-7", stuck: str = "",
        **settings: Any,
    ) -> Played:  # fmt: skip
        """Run *request*, by the script or, without one, by the offline model; who is told *stuck* never answers."""
        scripted = ScriptedModel([ScriptedReply.model_validate(reply) for reply in script])

        async def answer(model: str, request: ModelRequest) -> ModelReply:
            await asyncio.sleep(1)
            if stuck and stuck in str(request.messages[0]):
                await asyncio.sleep(10_000)
            return await scripted(model, request)

        models = {"scripted": answer if stuck else scripted}
        chosen = {"models": {"small": "scripted", "large": "scripted"}} if script else {}
        played = Played()
        async with Coordinator(
            of, Settings(**chosen, **settings), world=WORLD, models=models, observers=[played.events.append]
        ) as coordinator:
            played.result = await coordinator.run(request, tenant="acme", user=user)
        return played


@pytest.fixture
def play() -> Play:
    return Play()
