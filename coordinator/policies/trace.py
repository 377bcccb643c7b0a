"""Trace: every call says that it began and how it ended."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from coordinator.domain.calls import (
    Call,
    DelegationCall,
    DelegationReply,
    ModelCall,
    RunCall,
    RunReply,
    ToolCall,
    ToolReply,
)
from coordinator.domain.errors import CoordinatorError, Refused, UnknownOutcome
from coordinator.domain.events import Kind
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply, Target
from coordinator.domain.result import status_after
from coordinator.domain.teller import Facts, Teller

C = TypeVar("C", bound=Call)
R = TypeVar("R")


class Trace(Generic[C, R]):
    """Emits one event when a call begins and one when it ends, with duration, cost and code, however it ends.

    Args:
        teller: what to say about calls of this kind.
    """

    __slots__ = ("_teller",)

    def __init__(self, teller: Teller[C, R]) -> None:
        self._teller = teller

    async def __call__(self, call: C, then: Handler[C, R]) -> R:
        teller, scope, step = self._teller, call.scope, call.step
        run = scope.run
        teller.count(call)
        if not run.watched:
            return await then(call)
        run.emit(teller.started, scope.agent, step, teller.opening(call))
        began = run.now()
        try:
            reply = await then(call)
        except BaseException as error:
            code = error.code if isinstance(error, CoordinatorError) else _foreign(error)
            facts = {**teller.failing(call, error), "code": code, **_why(error), "duration_s": run.now() - began}
            run.emit(teller.ended, scope.agent, step, facts)
            raise
        closing = teller.closing(call, reply)
        closing["duration_s"] = run.now() - began
        run.emit(teller.ended, scope.agent, step, closing)
        return reply


class OfRuns:
    """Runs: the task type, and in the end cost, steps and model."""

    started = Kind.RUN_STARTED
    ended = Kind.RUN_ENDED

    def count(self, call: RunCall) -> None:
        """Count nothing: a run is no step of itself."""

    def opening(self, call: RunCall) -> Facts:
        """Name the task type and the ceiling."""
        return {"task_kind": call.task.kind, "ceiling": call.scope.run.limits.ceiling}

    def closing(self, call: RunCall, reply: RunReply) -> dict[str, Any]:
        """Tell what the run used, and its status."""
        return {**_used(call), "status": str(reply.status), "code": reply.code}

    def failing(self, call: RunCall, error: BaseException) -> dict[str, Any]:
        """Tell what the run used, and the status that *error* gives it."""
        return {**_used(call), "status": str(status_after(error))}


class OfDelegations:
    """Delegations: the member, and whether its report is done."""

    started = Kind.DELEGATION_STARTED
    ended = Kind.DELEGATION_ENDED

    def count(self, call: DelegationCall) -> None:
        """Count a step."""
        call.scope.run.steps += 1

    def opening(self, call: DelegationCall) -> Facts:
        """Name the member."""
        return {"member": call.name}

    def closing(self, call: DelegationCall, reply: DelegationReply) -> dict[str, Any]:
        """Tell how the member fared."""
        return {"member": call.name, "code": reply.code, "passages": len(reply.passages)}

    def failing(self, call: DelegationCall, error: BaseException) -> dict[str, Any]:
        """Name what was called."""
        return dict(self.opening(call))


class OfModels:
    """Model calls: the model that is asked first and the one that answered, its tokens and cost.

    Args:
        routes: targets by model class, in the order in which they are asked.
    """

    started = Kind.MODEL_STARTED
    ended = Kind.MODEL_ENDED

    def __init__(self, routes: Mapping[str, Sequence[Target]] | None = None) -> None:
        self._first = {name: str(targets[0]) for name, targets in (routes or {}).items() if targets}

    def count(self, call: ModelCall) -> None:
        """Count a step and a turn."""
        run = call.scope.run
        run.steps += 1
        run.turns += 1

    def opening(self, call: ModelCall) -> Facts:
        """Name the model class and the size of the request."""
        request = call.request
        messages, tools = len(request.messages), len(request.tools)
        asked = self._first.get(request.model, "")
        return {"class": request.model, "asked": asked, "messages": messages, "tools": tools, "size": request.size}

    def closing(self, call: ModelCall, reply: ModelReply) -> dict[str, Any]:
        """Tell what the reply used, and remember who wrote it."""
        usage = reply.usage
        facts = {
            "class": call.request.model, "model": reply.model, "code": "ok", "stop": str(reply.stop),
            "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cost": reply.cost,
            "tool_uses": len(reply.tool_uses),
        }  # fmt: skip
        if reply.reuse is not None:
            facts.update(reuse=str(reply.reuse), saved=reply.saved)
        if usage.cached_tokens:
            facts["cached"] = usage.cached_tokens
        if usage.cache_write_tokens:
            facts["cache_write"] = usage.cache_write_tokens
        if usage.reasoning_tokens:
            facts["reasoning"] = usage.reasoning_tokens
        if reply.request_id:
            facts["request_id"] = reply.request_id
        if reply.uncertain:
            facts["uncertain"] = True
        return facts

    def failing(self, call: ModelCall, error: BaseException) -> dict[str, Any]:
        """Name what was called."""
        return dict(self.opening(call))


class OfTools:
    """Tool calls: the tool, its cost, and whether a lower tier answered."""

    started = Kind.TOOL_STARTED
    ended = Kind.TOOL_ENDED

    def count(self, call: ToolCall) -> None:
        """Count a step."""
        call.scope.run.steps += 1

    def opening(self, call: ToolCall) -> Facts:
        """Name the tool and its effect."""
        return {"tool": call.name, "effect": str(call.effect), "size": len(call.raw)}

    def closing(self, call: ToolCall, reply: ToolReply) -> dict[str, Any]:
        """Tell how it went."""
        return {
            "tool": call.name, "code": "degraded" if reply.degraded else "ok", "cost": reply.cost,
            "passages": len(reply.passages), "size": len(reply.text), "outcome": "done",
        }  # fmt: skip

    def failing(self, call: ToolCall, error: BaseException) -> dict[str, Any]:
        """Name what was called, and what is known of its end: failed, cancelled, unknown, or late."""
        return {**self.opening(call), "outcome": _outcome(call, error)}


def _used(call: RunCall) -> dict[str, Any]:
    run = call.scope.run
    used: dict[str, Any] = {
        "task_kind": call.task.kind, "cost": run.cost, "turns": run.turns, "steps": run.steps, "model": run.model,
        "issues": len(run.issues), "surface": run.tenant.surface,
    }  # fmt: skip
    if run.waits:
        used["waited_s"] = dict(run.waits)
    return used


def _outcome(call: ToolCall, error: BaseException) -> str:
    if isinstance(error, UnknownOutcome):
        return "unknown"
    if call.step in call.scope.run.late:
        return "late"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"


def _why(error: BaseException) -> dict[str, str]:
    """Say what kind of error it was; the words of a refusal are our own, those of the outside may be content."""
    if isinstance(error, Refused):
        return {"error": "refused", "message": error.message}
    return {"error": type(error).__name__.lower()} if isinstance(error, CoordinatorError) else {}


def _foreign(error: BaseException) -> str:
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "crashed"
