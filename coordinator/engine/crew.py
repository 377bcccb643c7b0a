"""What all agents of a coordinator share: the team, and the pipelines that their calls pass."""

import asyncio
from typing import Any

from pydantic import BaseModel

from coordinator.domain.briefs import Brief, Report
from coordinator.domain.calls import DelegationCall, ModelCall, ToolCall, ToolReply
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply, OutputSpec, ToolSpec
from coordinator.domain.scope import Scope
from coordinator.domain.team import Agent, Team
from coordinator.engine.plan import plan_schema


class Crew:
    """A team with its composed pipelines.

    Args:
        team: who works.
        model, tool, delegation: the pipelines.
        model_timeout: seconds that one attempt of a model call may take.
    """

    __slots__ = ("_offered", "_plans", "_schemas", "delegation", "model", "model_timeout", "team", "tool")

    def __init__(
        self,
        team: Team,
        model: Handler[ModelCall, ModelReply],
        tool: Handler[ToolCall, ToolReply],
        delegation: Handler[DelegationCall, Report[Any]],
        model_timeout: float,
    ) -> None:
        self.team = team
        self.model = model
        self.tool = tool
        self.delegation = delegation
        self.model_timeout = model_timeout
        # A JSON schema costs milliseconds: one per type and team, never one per run or coordinator.
        self._schemas = team.specs.outputs
        self._plans = team.specs.plans
        self._offered = team.specs.offered

    def schema(self, output: type[BaseModel]) -> OutputSpec:
        """Return the schema of *output*, built once."""
        spec = self._schemas.get(output)
        if spec is None:
            spec = self._schemas[output] = OutputSpec.of(output.__name__, output.model_json_schema())
        return spec

    def offered(self, member: Agent[Any]) -> tuple[ToolSpec, ...]:
        """Return what *member*'s model is offered: its tools, and its delegates as tools that take a brief."""
        specs = self._offered.get(member.name)
        if specs is None:
            brief = Brief.model_json_schema()
            delegates = tuple(ToolSpec.of(other.name, other.description, brief) for other in member.delegates)
            specs = self._offered[member.name] = (*(tool.contract.spec for tool in member.tools), *delegates)
        return specs

    def plan_schema(self, member: Agent[Any]) -> OutputSpec:
        """Return the schema of a plan over *member*'s delegates, built once."""
        spec = self._plans.get(member.name)
        if spec is None:
            members = {other.name: other.description for other in member.delegates}
            spec = self._plans[member.name] = plan_schema(members)
        return spec

    def tool_call(
        self, scope: Scope, step: str, name: str, arguments: str, judged: asyncio.Event | None = None
    ) -> ToolCall:
        """Build the call of the tool *name*; a name that nobody knows is answered by the Rights policy."""
        tool = self.team.tools.get(name)
        deadline = min(scope.run.deadline, scope.deadline)
        if tool is None:
            return ToolCall(scope, step, name, arguments, None, judged, deadline)
        contract = tool.contract
        return ToolCall(
            scope, step, name, arguments, tool, judged, deadline, contract.timeout,
            effect=contract.effect, keyed=contract.keyed,
        )  # fmt: skip
