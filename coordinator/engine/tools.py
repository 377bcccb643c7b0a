"""The core of the tool pipeline: one call of one tier, with every exception mapped to a declared outcome."""

import math
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from coordinator.domain.calls import ToolCall, ToolReply
from coordinator.domain.content import Origin
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Reached
from coordinator.domain.events import Kind
from coordinator.domain.ports import Offload
from coordinator.domain.scope import TenantContext
from coordinator.domain.tool import Tool

T = TypeVar("T")


class ToolRoom:
    """What a tool is given as `ctx`: the ToolContext of one attempt."""

    __slots__ = ("_call", "_offload")

    def __init__(self, call: ToolCall, offload: Offload) -> None:
        self._call = call
        self._offload = offload

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
        return math.inf if deadline == math.inf else max(0.0, deadline - self._call.scope.run.loop.time())

    async def offload(self, work: Callable[..., T], *args: Any) -> T:
        """Run blocking *work* where it cannot stop the others."""
        return await self._offload(work, *args)


class ToolCore:
    """Calls the tier that the call names.

    Raises:
        CoordinatorError: the tool's own.
        Invalid: a declared exception, with its declared code: the tool works, and its answer is this error.
        Fault: `tool_crashed` for anything else; its traceback goes into events only.
    """

    def __init__(self, offload: Offload) -> None:
        self._offload = offload

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
        arguments = dict(call.arguments or ())
        if tier.takes_context:
            arguments["ctx"] = ToolRoom(call, self._offload)
        if tier.blocking:
            return await self._offload(_bound(tier.function, arguments))
        return await tier.function(**arguments)


def _bound(function: Callable[..., T], arguments: dict[str, Any]) -> Callable[[], T]:
    return lambda: function(**arguments)


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
