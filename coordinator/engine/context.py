"""All that an agent may do: every method is one step through one pipeline."""

import asyncio
import math
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from pydantic.main import BaseModel

from coordinator.domain.briefs import Brief, Plan, Report
from coordinator.domain.calls import DelegationCall, ModelCall, ToolReply
from coordinator.domain.citing import Passage
from coordinator.domain.content import Message
from coordinator.domain.errors import CoordinatorError, Invalid
from coordinator.domain.events import Kind
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.result import Issue
from coordinator.domain.scope import RunLimits, Scope, TenantContext
from coordinator.domain.team import Agent
from coordinator.domain.tool import Tool
from coordinator.engine import asking, loop, plan, talk
from coordinator.engine.crew import Crew
from coordinator.engine.slots import Place
from coordinator.engine.together import together

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Context:
    """The AgentContext of one agent at work on one brief.

    Args:
        crew: the team and the pipelines that its calls pass.
        scope: the agent's place in the run.
        member: the agent itself.
        place: its place among the member's slots, lent while it waits for delegates; None for the manager.
        model: the model class or model that it uses; the member's own when empty.
    """

    __slots__ = (
        "_counts", "_deadline", "_forks", "_found", "_place", "_task", "crew", "member", "model", "scope",
        "unmet",
    )  # fmt: skip

    def __init__(
        self, crew: Crew, scope: Scope, member: Agent[Any], place: Place | None = None, model: str = ""
    ) -> None:
        self.crew = crew
        self.scope = scope
        self.member = member
        self.model = model or member.model
        self._place = place
        self._deadline = min(scope.run.deadline, scope.deadline)
        self._task: asyncio.Task[Any] | None = None
        self._counts: dict[str, int] = {}
        self._forks: set[str] = set()
        self._found: list[Passage] = []
        self.unmet: dict[str, CoordinatorError] = {}
        """What the model called and did not get, by the name it used, as long as nothing has made up for it."""

    @property
    def agent(self) -> str:
        """The agent's own name."""
        return self.scope.agent

    @property
    def tenant(self) -> TenantContext:
        """On whose behalf it works."""
        return self.scope.run.tenant

    @property
    def run_id(self) -> str:
        """The run it belongs to."""
        return self.scope.run.run_id

    @property
    def resources(self) -> Any:
        """What the team's resource factory opened."""
        return self.scope.run.resources

    @property
    def limits(self) -> RunLimits:
        """The bounds of the run."""
        return self.scope.run.limits

    @property
    def members(self) -> Mapping[str, str]:
        """Name and description of every member it may delegate to."""
        return {member.name: member.description for member in self.member.delegates}

    @property
    def passages(self) -> Sequence[Passage]:
        """Everything the run's tools have retrieved so far."""
        return [passage for found in self.scope.run.passages.values() for passage in found]

    @property
    def found(self) -> tuple[Passage, ...]:
        """What this agent and its delegates have retrieved."""
        return tuple(self._found)

    def remaining(self) -> float:
        """Seconds until the agent must be done; infinite when neither it nor the run has a deadline."""
        deadline = self._deadline
        return math.inf if deadline == math.inf else max(0.0, deadline - self.scope.run.now())

    def ask(
        self,
        messages: str | Sequence[Message],
        *,
        instructions: str = "",
        output: type[BaseModel] | None = None,
        model: str | None = None,
    ) -> Awaitable[Any]:
        """Call the model once; a typed answer that breaks its schema is asked for again, with the errors named."""
        step = self.number("turn")
        opening = asking.open_with(messages, instructions)
        return asking.ask(self, step, opening, output, model or self.model)

    def use(self, tool: Tool[T], arguments: Mapping[str, Any]) -> Awaitable[T]:
        """Call *tool* once and return its verified output."""
        return self._use(self.number("use"), tool.name, talk.arguments(tool.name, arguments))

    def delegate(self, member: Agent[Any] | str, brief: Brief, *, model: str | None = None) -> Awaitable[Report[Any]]:
        """Hand *brief* to *member* and await its report."""
        name = member if isinstance(member, str) else member.name
        return self.call_member(self.number("delegate"), name, brief, model or "")

    def solve(self, brief: Brief, *, instructions: str, output: type[M]) -> Awaitable[M]:
        """Reason and act in a bounded loop until the typed *output* is written."""
        self.check_task()
        return loop.solve(self, brief, instructions, output)

    def plan(self, brief: Brief, *, instructions: str) -> Awaitable[Plan]:
        """Ask the model for a plan over the members."""
        return plan.ask(self, self.number("turn"), brief, instructions)

    def execute(self, steps: Plan, brief: Brief, *, model: str | None = None) -> Awaitable[dict[str, Report[Any]]]:
        """Carry out a plan, independent steps in parallel."""
        return plan.execute(self, self.number("plan"), steps, brief, model or "")

    def fork(self, name: str) -> "Context":
        """Return a context for a parallel branch, whose steps are numbered under *name*."""
        self.check_task()
        if name in self._forks or not name or "/" in name:
            raise Invalid(
                f"{name!r} cannot name a fork of {self.scope.path}",
                code="bad_fork", hint="give each fork of a context its own name, without slashes",
            )  # fmt: skip
        self._forks.add(name)
        here = self.scope
        scope = Scope(
            here.run, here.agent, f"{here.path}/{name}", here.ancestors, here.rights, here.allowances,
            here.deadline, here.grants,
        )  # fmt: skip
        branch = Context(self.crew, scope, self.member, self._place, self.model)
        branch._found = self._found
        return branch

    async def gather(self, *branches: Awaitable[T]) -> list[T]:
        """Await *branches* in parallel; when one fails, the others are cancelled and its error is raised."""
        return await together([branch if isinstance(branch, Coroutine) else _awaited(branch) for branch in branches])

    def enter(self, state: str, reason: str = "") -> None:
        """Say that the agent's work enters *state*."""
        self.scope.run.emit(Kind.STATE, self.scope.agent, self.scope.path, {"state": state, "reason": reason})

    def judge(self, decision: str, reasons: int = 0, *, claims: int = 0, unsupported: int = 0) -> None:
        """Say what became of a draft."""
        data = {"decision": decision, "reasons": reasons, "claims": claims, "unsupported": unsupported}
        self.scope.run.emit(Kind.VERDICT, self.scope.agent, self.scope.path, data)

    def flag(self, code: str, message: str, part: str = "") -> None:
        """Record something that the run could not do."""
        self.scope.run.note(Issue(code=code, message=message, part=part), self.scope.agent, self.scope.path)

    def check_task(self) -> None:
        """Bind the context to the current task on first use.

        Raises:
            Invalid: `foreign_task`, when another task than the first uses it.
            CancelledError: the agent was cancelled, and did not end: it may begin nothing more.
        """
        run = self.scope.run
        task = asyncio.current_task(run.loop)
        if task is not self._task or task is None or run.ended:
            self._bind(task)
        elif task.cancelling():
            raise asyncio.CancelledError

    def _bind(self, task: asyncio.Task[Any] | None) -> None:
        if self.scope.run.ended:
            raise Invalid(
                f"run {self.run_id} is over, and its context was used",
                code="run_over", hint="do all work before the manager hands its report back",
            )  # fmt: skip
        if self._task is not None or task is None:
            raise Invalid(
                f"the context of {self.scope.path} was used from another task",
                code="foreign_task",
                hint="give each parallel branch its own ctx.fork(name) and await them with ctx.gather",
            )  # fmt: skip
        self._task = task
        if task.cancelling():
            raise asyncio.CancelledError

    def number(self, kind: str) -> str:
        """Take the next step id of *kind*, such as `run/turn3`: from structure, never from arrival."""
        self.check_task()
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{self.scope.path}/{kind}{count}"

    def call_model(
        self,
        step: str,
        messages: tuple[Message, ...],
        tools: tuple[ToolSpec, ...],
        output: OutputSpec | None,
        model: str,
    ) -> Awaitable[ModelReply]:
        """Send one request through the model pipeline."""
        request = ModelRequest(messages, tools, output, model, self.member.max_output_tokens)
        return self.crew.model(ModelCall(self.scope, step, request, self._deadline, self.crew.model_timeout))

    async def call_tool(self, step: str, name: str, arguments: str, judged: asyncio.Event | None = None) -> ToolReply:
        """Send one call through the tool pipeline, and keep what it retrieved."""
        reply = await self.crew.tool(self.crew.tool_call(self.scope, step, name, arguments, judged))
        for passage in reply.passages:
            self._found.append(passage)
            self.scope.run.passages.setdefault(passage.source, []).append(passage)
        return reply

    async def call_member(
        self, step: str, name: str, brief: Brief, model: str = "", judged: asyncio.Event | None = None
    ) -> Report[Any]:
        """Send one brief through the delegation pipeline, and keep what it retrieved; it ends at the soft deadline."""
        member, run = self.crew.team.agents.get(name), self.scope.run
        deadline = min(self._deadline, run.soft_deadline)
        if member is not None and member.timeout is not None:
            deadline = min(deadline, run.now() + member.timeout)
        call = DelegationCall(self.scope, step, member, name, brief, deadline, model, judged)
        sent = self.crew.delegation(call)
        report = await (sent if self._place is None else self._place.while_lent(sent))
        self._found.extend(report.passages)
        if report.status == "failed" and not self._told(report):
            self.flag(report.code, f"{name} could not do its part: {report.error or report.message}", name)
        return report

    def _told(self, report: Report[Any]) -> bool:
        """Say whether the cause of a failed report stands in the result already: one cause is told once."""
        stopped = report.code == "breaker_open"
        return any(
            issue.part and issue.part in report.message and (stopped or issue.code == report.code)
            for issue in self.scope.run.issues
        )

    async def _use(self, step: str, name: str, arguments: str) -> Any:
        return (await self.call_tool(step, name, arguments)).output


async def _awaited(branch: Awaitable[T]) -> T:
    return await branch
