"""Calls of each kind for the tests of the policies."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from coordinator.domain.briefs import Brief, Report
from coordinator.domain.calls import DelegationCall, ModelCall, RunCall, RunReply, Task, ToolCall, ToolReply
from coordinator.domain.content import Message, Origin, StopReason, Text
from coordinator.domain.effects import Effect
from coordinator.domain.events import Event
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.domain.scope import Rights, RunLimits, RunState, Scope, TenantContext
from coordinator.domain.team import agent
from coordinator.domain.tool import tool


class Calls:
    """Builds calls of one run, and keeps its events."""

    def __init__(self, **limits: Any) -> None:
        self.events: list[Event] = []
        self.limits = RunLimits(ceiling=limits.pop("ceiling", 1_000_000), **limits)
        self.run = RunState("r-1", TenantContext("acme"), self.limits, lambda: 0.0, (self.events.append,))
        self.rights = Rights(frozenset({"find", "save"}), frozenset({"analyst", "writer"}))
        self.scope = self.at("run", "manager")

    def at(self, path: str, *ancestors: str) -> Scope:
        return Scope(self.run, ancestors[-1], path, ancestors, self.rights)

    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.events]

    def of_run(self, deadline: float = math.inf) -> RunCall:
        return RunCall(self.scope, Task(text="Where is it?"), deadline)

    def of_member(self, name: str = "analyst", goal: str = "look", **more: Any) -> DelegationCall:
        member = MEMBERS.get(name)
        more.setdefault("scope", self.scope)
        return DelegationCall(
            step="run/delegate1", member=member, name=name, brief=Brief(request="?", goal=goal), **more
        )

    def of_model(self, model: str = "small", **more: Any) -> ModelCall:
        request = ModelRequest((Message("user", (Text("x" * 100),)),), model=model, max_output_tokens=100)
        more.setdefault("dependency", "fake:m")
        return ModelCall(self.scope, "run/turn1", request, **more)

    def of_tool(self, name: str = "find", raw: str = '{"what": "a"}', **more: Any) -> ToolCall:
        known = TOOLS.get(name)
        more.setdefault("scope", self.scope)
        if known is not None:
            more.setdefault("effect", known.contract.effect)
            more.setdefault("keyed", known.contract.keyed)
        more.setdefault("dependency", f"{name}#0")
        more.setdefault("step", "run/turn1/tool1")
        return ToolCall(name=name, raw=raw, tool=known, **more)


def find_elsewhere(what: str, limit: int = 3) -> str:
    return what


@tool(price_usd=0.01, fallbacks=[find_elsewhere])
def find(what: str, limit: int = 3) -> str:
    """Find something."""
    return what


@tool(effect=Effect.WRITE, price_usd=0.01)
def save(what: str) -> str:
    """Save something."""
    return what


@tool(effect=Effect.FINANCIAL)
def refund(what: str) -> str:
    """Pay something back."""
    return what


@agent()
async def analyst(brief: Brief, ctx: Any) -> str:
    """Looks."""
    return ""


@agent()
async def writer(brief: Brief, ctx: Any) -> str:
    """Writes."""
    return ""


TOOLS = {"find": find, "save": save, "refund": refund}
MEMBERS = {"analyst": analyst, "writer": writer}

MODEL_REPLY = ModelReply("hi", (), StopReason.END, Usage(10, 5), "fake:m")
TOOL_REPLY = ToolReply("a", '"a"', Origin("tool", "find"))
REPORT = Report("analyst", "run/delegate1", "done", "found")
RUN_REPLY = RunReply("done")


@pytest.fixture
async def calls() -> Calls:  # in the loop of the test, which a run keeps
    return Calls()


@pytest.fixture
def make() -> Callable[..., Calls]:
    return Calls


@pytest.fixture
def replies() -> dict[str, Any]:
    return {"model": MODEL_REPLY, "tool": TOOL_REPLY, "delegation": REPORT, "run": RUN_REPLY}
