"""Runs that were recorded: told event by event, and written as a run writes them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator import Event, Kind
from coordinator.telemetry.lines import EventLines


class Teller:
    """Tells the events of one run, on a clock that the test turns."""

    def __init__(self, run: str = "r-1") -> None:
        self.run = run
        self.now = 1_795_000_000.0
        self.events: list[Event] = []

    def __call__(self, kind: Kind, agent: str, step: str, after: float = 0.1, **data: Any) -> None:
        self.now += after
        self.events.append(Event(self.run, len(self.events) + 1, self.now, kind, "acme", agent, step, data))

    def call(self, agent: str, step: str, name: str, took: float = 0.5, **facts: Any) -> None:
        """Tell a call of a tool, or of a model where *name* has a colon."""
        if ":" in name:
            self(Kind.MODEL_STARTED, agent, step, **{"class": "small"})
            known = {"model": name, "input_tokens": 900, "output_tokens": 40, "cost": 250}
            self(Kind.MODEL_ENDED, agent, step, took, **{"code": "ok", "duration_s": took, **known, **facts})
        else:
            self(Kind.TOOL_STARTED, agent, step, tool=name)
            self(Kind.TOOL_ENDED, agent, step, took, **{"tool": name, "code": "ok", "duration_s": took, **facts})

    def lines(self) -> bytes:
        """Return what was told, as a file holds it."""
        out = io.BytesIO()
        write = EventLines(out)
        for event in self.events:
            write(event)
        return out.getvalue()


def short_run() -> Teller:
    """A run with everything in it that a trace shows: retries, a fallback, a refusal, issues, money, a verdict."""
    tell = Teller()
    tell(Kind.RUN_STARTED, "boss", "run", 0, task_kind="", ceiling=500_000)
    tell(Kind.STATE, "boss", "run", state="plan", reason="two parts")
    tell.call("boss", "run/turn1", "openai:gpt-x")
    tell(Kind.DELEGATION_STARTED, "boss", "run/plan1/a", member="clerk")
    tell(Kind.TOOL_STARTED, "clerk", "run/plan1/a/turn1/tool1", tool="look_up")
    charged = {"dependency": "look_up#0", "cost": 150, "uncertain": True}
    tell(Kind.CHARGED, "clerk", "run/plan1/a/turn1/tool1#1", **charged)
    retry = {"attempt": 2, "wait_s": 0.25, "code": "timeout", "dependency": "look_up#0"}
    tell(Kind.RETRY, "clerk", "run/plan1/a/turn1/tool1#2", **retry)
    tell(
        Kind.FALLBACK, "clerk", "run/plan1/a/turn1/tool1", **{"from": "look_up#0", "to": "look_up#1", "code": "timeout"}
    )
    tell(Kind.ISSUE, "clerk", "run/plan1/a/turn1/tool1", code="tool_degraded", message="<b>half</b> an answer")
    tell(
        Kind.TOOL_ENDED,
        "clerk",
        "run/plan1/a/turn1/tool1",
        2,
        tool="look_up",
        code="degraded",
        duration_s=2.3,
        passages=3,
    )
    tell(Kind.TOOL_STARTED, "clerk", "run/plan1/a/turn1/tool2", tool="pay")
    refusal = {"code": "needs_approval", "error": "refused", "message": "a person must approve", "duration_s": 0.0}
    tell(Kind.TOOL_ENDED, "clerk", "run/plan1/a/turn1/tool2", tool="pay", **refusal)
    tell(Kind.VERDICT, "clerk", "run/plan1/a", decision="revise", reasons=2)
    tell(Kind.DELEGATION_ENDED, "boss", "run/plan1/a", member="clerk", code="ok", duration_s=3.0)
    ended = {"status": "flagged", "code": "tool_degraded", "cost": 400, "turns": 1, "steps": 4, "duration_s": 4.2}
    tell(Kind.RUN_ENDED, "boss", "run", **ended, waited_s={"retries": 0.25})
    return tell


def long_run(delegations: int = 125, **content: Any) -> Teller:
    """A run of 16 steps for each of its *delegations*: 2,000 by default."""
    tell = Teller("r-long")
    tell(Kind.RUN_STARTED, "manager", "run", ceiling=5_000_000)
    for number in range(delegations):
        path = f"run/turn{number}/tool1"
        tell(Kind.STATE, "manager", "run", state=f"round {number}", reason="")
        tell(Kind.DELEGATION_STARTED, "manager", path, member="analyst")
        for turn in range(9):
            tell.call("analyst", f"{path}/turn{turn}", "openai:gpt-x-mini", 1.5, **content)
            if turn < 6:
                tell.call("analyst", f"{path}/turn{turn}/tool1", "search_knowledge", 0.3, passages=5)
        tell(Kind.DELEGATION_ENDED, "manager", path, member="analyst", code="ok", duration_s=9.0)
    tell(Kind.RUN_ENDED, "manager", "run", status="completed", code="ok", duration_s=tell.now - 1_795_000_000)
    return tell


@pytest.fixture
def told() -> Teller:
    return short_run()


@pytest.fixture
def told_long() -> Callable[..., Teller]:
    return long_run


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[Teller], Path]:
    """Write what a teller has told into a file."""

    def write(teller: Teller) -> Path:
        path = tmp_path / f"{teller.run}.jsonl"
        path.write_bytes(teller.lines())
        return path

    return write
