"""The core of the tool pipeline: one call of one tier, with every exception mapped to a declared outcome."""

import asyncio
import math
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from coordinator.domain.calls import ToolCall, ToolReply
from coordinator.domain.content import Origin
from coordinator.domain.errands import Errand, Offload, Stragglers
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Reached
from coordinator.domain.events import Kind
from coordinator.domain.scope import TenantContext
from coordinator.domain.tool import Tool
from coordinator.engine.apart import Apart, closed

T = TypeVar("T")


class ToolRoom:
    """What a tool is given as `ctx`: the ToolContext of one attempt."""

    __slots__ = ("_call", "_errand", "_offload")

    def __init__(self, call: ToolCall, offload: Offload, errand: Errand) -> None:
        self._call = call
        self._offload = offload
        self._errand = errand

    @property
    def resources(self) -> Any:
        """What the team's resource factory opened."""
        return self._call.scope.run.resources

    @property
    def tenant(self) -> TenantContext:
        """Who asks."""
        return self._call.scope.run.tenant

    @property
    def step(self) -> str:
        """The id of this call, the same on every attempt."""
        return self._call.step

    @property
    def run_id(self) -> str:
        """The run that the call belongs to."""
        return self._call.scope.run.run_id

    def remaining(self) -> float:
        """Seconds until the call's deadline; infinite when it has none."""
        deadline = self._call.deadline
        return math.inf if deadline == math.inf else max(0.0, deadline - self._call.scope.run.now())

    async def offload(self, work: Callable[..., T], *args: Any) -> T:
        """Run blocking *work* where it cannot stop the others."""
        return await self._offload(work, *args, errand=self._errand)


class ToolErrand:
    """What one attempt of a tool call is done for: its run is told when it goes on alone, and how it ends."""

    __slots__ = ("_call", "_left_at")

    def __init__(self, call: ToolCall) -> None:
        self._call = call
        self._left_at = 0.0

    @property
    def name(self) -> str:
        """The tool and its tier."""
        return self._call.dependency or self._call.name

    def left(self) -> None:
        """Remember that the call ends before its work does."""
        run = self._call.scope.run
        self._left_at = run.now()
        run.late.add(self._call.step)

    def late(self, error: BaseException | None) -> None:
        """Tell how the work ended; the money that was booked for it as uncertain stays booked."""
        call, run = self._call, self._call.scope.run
        data = {
            "tool": call.name, "dependency": self.name, "attempt": call.attempt, "outcome": _end(error),
            "code": _code(call, error), "late_s": run.now() - self._left_at,
            "cost": call.tool.contract.price if call.tool else 0,
        }  # fmt: skip
        run.emit(Kind.TOOL_LATE, call.scope.agent, call.step, data)


class ToolCore:
    """Calls the tier that the call names: an async one apart, a blocking one offloaded.

    A cancelled call ends at once, or after a short grace, whatever the tool does. What goes on alone is a straggler;
    when it ends, an event tells how (`tool.late`).

    Args:
        offload: where blocking work goes.
        stragglers: keeps account of work whose callers have left.

    Raises:
        CoordinatorError: the tool's own.
        Invalid: a declared exception, with its declared code: the tool works, and its answer is this error.
        Fault: `tool_crashed` for anything else; its traceback goes into events only.
        Refused: `stragglers_full`, in passing.
    """

    def __init__(self, offload: Offload, stragglers: Stragglers) -> None:
        self._offload = offload
        self._stragglers = stragglers
        self._apart = Apart(stragglers)

    async def __call__(self, call: ToolCall) -> ToolReply:
        tool = call.tool
        if tool is None or call.arguments is None:
            raise Invalid(f"there is no tool named {call.name}", code="unknown_tool")
        try:
            output = await self._run(tool, call)
        except CoordinatorError:
            raise
        except Exception as error:
            raise _mapped(tool, call, error) from error
        return ToolReply(output, "", Origin("tool", tool.name))

    async def _run(self, tool: Tool[Any], call: ToolCall) -> Any:
        tier = tool.tiers[call.tier]
        # Not dict(model), which asks pydantic for the keys of a mapping first.
        arguments = dict(call.arguments.__dict__) if call.arguments is not None else {}
        errand = ToolErrand(call)
        if tier.takes_context:
            arguments["ctx"] = ToolRoom(call, self._offload, errand)
        if tier.blocking:
            return await self._offload(_bound(tier.function, arguments), errand=errand)
        if not tier.waits:  # it cannot be cancelled, and a task costs ten times what a call costs
            return await contained(tier.function(**arguments))
        self._stragglers.check(call.dependency)
        return await self._apart(lambda: contained(tier.function(**arguments)), call.scope.run.loop, errand)


class ToolLeftError(Exception):
    """A tool tried to leave: it raised SystemExit or its like, or a cancellation that nobody had asked for."""


async def contained(work: Coroutine[Any, Any, T]) -> T:
    """Await *work*; its try to leave is a crash like any other, never the end of the program or of the run."""
    try:
        return await work
    except BaseException as error:
        if _leaves(error):
            raise ToolLeftError(type(error).__name__) from error
        raise


def _leaves(error: BaseException) -> bool:
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    if isinstance(error, GeneratorExit):
        return not closed(error)
    return not isinstance(error, Exception | KeyboardInterrupt)


def _bound(function: Callable[..., T], arguments: dict[str, Any]) -> Callable[[], T]:
    def work() -> T:
        try:
            return function(**arguments)
        except BaseException as error:
            if not isinstance(error, Exception):
                raise ToolLeftError(type(error).__name__) from error
            raise

    return work


def _end(error: BaseException | None) -> str:
    if error is None:
        return "done"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"


def _code(call: ToolCall, error: BaseException | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, CoordinatorError):
        return error.code
    declared = call.tool.contract.errors if call.tool else {}
    known = next((code for kind, code in declared.items() if isinstance(error, kind)), "tool_crashed")
    return "cancelled" if isinstance(error, asyncio.CancelledError) else known


def _mapped(tool: Tool[Any], call: ToolCall, error: Exception) -> CoordinatorError:
    for declared, code in tool.contract.errors.items():
        if isinstance(error, declared):
            return Invalid(str(error) or code, code=code)
    scope = call.scope
    data = {"code": "tool_crashed", "error": type(error).__name__, "traceback": traceback.format_exc()}
    scope.run.emit(Kind.CRASH, scope.agent, call.step, data)
    return Fault(
        f"tool {tool.name} crashed with {type(error).__name__}", reached=Reached.YES, transient=False,
        code="tool_crashed", hint="the traceback is in the run's events",
    )  # fmt: skip
