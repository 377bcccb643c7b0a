"""Agents and the teams they form."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel

from coordinator.domain.briefs import Brief
from coordinator.domain.context import AgentContext
from coordinator.domain.errors import Invalid
from coordinator.domain.model import OutputSpec, ToolSpec
from coordinator.domain.money import micros
from coordinator.domain.scope import Rights
from coordinator.domain.tool import Tool
from coordinator.domain.world import World

R = TypeVar("R")
Work = Callable[[Brief, AgentContext], Awaitable[R]]
ResourceFactory = Callable[[World], AbstractAsyncContextManager[Any]]


class Agent(Generic[R]):
    """An async function `(brief, ctx) -> report` with a role: offered tools, model, limits, delegates."""

    def __init__(
        self,
        work: Work[R],
        *,
        tools: tuple[Tool[Any], ...],
        delegates: "tuple[Agent[Any], ...]",
        model: str,
        max_turns: int,
        max_output_tokens: int,
        parallel: int,
        timeout: float | None,
        allowance: int | None = None,
    ) -> None:
        self.work = work
        self.name: str = getattr(work, "__name__", "agent")
        self.description = " ".join((inspect.getdoc(work) or "").split())
        self.tools = tools
        self.delegates = delegates
        self.model = model
        self.max_turns = max_turns
        self.max_output_tokens = max_output_tokens
        self.parallel = parallel
        self.timeout = timeout
        self.allowance = allowance
        self.report = _promised(work)
        """The class that every report must be an instance of; None when the annotation is no class."""
        self.declares = Rights(
            frozenset(tool.name for tool in tools), frozenset(member.name for member in delegates)
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Agent({self.name!r})"


def agent(
    *,
    tools: Sequence[Tool[Any]] = (),
    delegates: Sequence[Agent[Any]] = (),
    model: str = "small",
    max_turns: int = 8,
    max_output_tokens: int = 1024,
    parallel: int = 4,
    timeout: float | None = None,
    allowance_usd: float | None = None,
) -> Callable[[Work[R]], Agent[R]]:
    """Make an async function `(brief, ctx) -> report` an agent; its docstring tells others what it is for.

    Args:
        tools: what it is offered.
        delegates: the members it may delegate to.
        model: a model class ("small", "large") or a model by name.
        max_turns: model calls of one `ctx.solve`.
        max_output_tokens: bound on each reply.
        parallel: briefs it works on at once in a run, not counting those that wait for a delegate.
        timeout: seconds one brief may take; None for the rest of the run.
        allowance_usd: dollars that one brief may cost, its delegates' work included; None for what the run has.
    """

    def decorate(work: Work[R]) -> Agent[R]:
        if not inspect.iscoroutinefunction(work):
            raise Invalid(f"agent {work!r} is not an async function", code="bad_agent", hint="define it with async def")
        return Agent(
            work, tools=tuple(tools), delegates=tuple(delegates), model=model, max_turns=max_turns,
            max_output_tokens=max_output_tokens, parallel=parallel, timeout=timeout,
            allowance=None if allowance_usd is None else _allowance(work, allowance_usd),
        )  # fmt: skip

    return decorate


class Specs:
    """What models are told of a team, built on first use: it follows from the team and the types that it asks for."""

    __slots__ = ("offered", "outputs", "plans")

    def __init__(self) -> None:
        self.outputs: dict[type[BaseModel], OutputSpec] = {}
        self.plans: dict[str, OutputSpec] = {}
        self.offered: dict[str, tuple[ToolSpec, ...]] = {}


def _allowance(work: Work[Any], usd: float) -> int:
    try:
        return micros(usd)
    except ValueError as error:
        raise Invalid(
            f"the allowance of agent {getattr(work, '__name__', work)} is wrong: {error}", code="bad_agent",
            hint="give allowance_usd in dollars, such as 0.05",
        ) from error  # fmt: skip


class Team:
    """A manager, the members it reaches, their tools, and the resources that the tools need.

    Args:
        manager: the agent that gets the task.
        resources: opens what tools read as `ctx.resources`: a function from the World to an async context manager.
        task_types: which tools a type of task may use, by name; a task without a type may use all.

    Raises:
        Invalid: two different agents or tools of the same name.
    """

    def __init__(
        self,
        manager: Agent[Any],
        *,
        resources: ResourceFactory | None = None,
        task_types: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.manager = manager
        self.resources = resources
        self.agents: dict[str, Agent[Any]] = {}
        self.tools: dict[str, Tool[Any]] = {}
        self.specs = Specs()
        self._admit(manager)
        self.task_types = {kind: frozenset(names) for kind, names in (task_types or {}).items()}
        self.rights = Rights(frozenset(self.tools), frozenset(self.agents))
        self.reaches = {name: _reach(member) for name, member in self.agents.items()}
        """What each agent and those whom it reaches declare: the most that it may be given."""

    def _admit(self, member: Agent[Any]) -> None:
        known = self.agents.setdefault(member.name, member)
        if known is not member:
            raise Invalid(
                f"two agents are named {member.name}", code="bad_team", hint="give each agent function its own name"
            )
        for offered in member.tools:
            if self.tools.setdefault(offered.name, offered) is not offered:
                raise Invalid(f"two tools are named {offered.name}", code="bad_team", hint="rename one of them")
        for delegate in member.delegates:
            if delegate.name not in self.agents or self.agents[delegate.name] is not delegate:
                self._admit(delegate)


def _promised(work: Work[Any]) -> type | None:
    try:
        annotation = get_type_hints(work).get("return")
    except NameError:  # written as text and defined where we cannot see it
        return None
    checkable = isinstance(annotation, type) and not getattr(annotation, "_is_protocol", False)
    return annotation if checkable and annotation is not Any else None


def _reach(member: Agent[Any]) -> Rights:
    """Return what *member*, its delegates, theirs and so on declare together."""
    seen: dict[str, Agent[Any]] = {}
    waiting = [member]
    while waiting:
        one = waiting.pop()
        if one.name not in seen:
            seen[one.name] = one
            waiting.extend(one.delegates)
    declared = [one.declares for one in seen.values()]
    return Rights(
        frozenset().union(*(rights.tools for rights in declared)),
        frozenset().union(*(rights.members for rights in declared)),
    )
