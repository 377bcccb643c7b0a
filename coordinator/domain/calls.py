"""What passes through the four pipelines: run, delegation, model and tool calls, and their replies."""

import asyncio
import math
from hashlib import blake2b
from typing import Any, Protocol, Self

import orjson
from pydantic import ConfigDict
from pydantic.main import BaseModel
from pydantic_core import to_json

from coordinator.domain.briefs import Brief, Report
from coordinator.domain.citing import Passage
from coordinator.domain.content import NO_LABELS, Labels, Origin
from coordinator.domain.effects import Effect
from coordinator.domain.model import ModelRequest, Target
from coordinator.domain.result import Status
from coordinator.domain.scope import Scope
from coordinator.domain.team import Agent
from coordinator.domain.tool import Tool
from coordinator.domain.value import value


class Call(Protocol):
    """What every policy may read of a call, whatever its kind."""

    @property
    def scope(self) -> Scope:
        """Run, tenant, agent and rights."""

    @property
    def step(self) -> str:
        """Structural id, the same for every attempt."""

    @property
    def attempt(self) -> int:
        """Counted from 1."""

    @property
    def effect(self) -> Effect:
        """What the call does to the world."""

    @property
    def digest(self) -> str:
        """Name of the logical call by content."""

    @property
    def deadline(self) -> float:
        """Loop time at which the call must be over, waits and retries included."""


class Attempt(Call, Protocol):
    """A call to something outside: what the policies around one attempt may read."""

    @property
    def keyed(self) -> bool:
        """Whether repeating the call is safe although it has an effect."""

    @property
    def dependency(self) -> str:
        """What is called: `provider:model`, or `tool#tier`; gates, breakers and retry budgets are kept by it."""

    @property
    def timeout(self) -> float:
        """Seconds one attempt may take."""

    def again(self) -> Self:
        """Return the same call as the next attempt."""


class Task(BaseModel):
    """What a tenant asks for; immutable input. *kind* is a task type of the team, which narrows its tools."""

    model_config = ConfigDict(frozen=True)

    text: str
    kind: str = ""


@value
class RunCall:
    """One run of a task by a team's manager."""

    scope: Scope
    task: Task
    deadline: float = math.inf
    step: str = "run"
    attempt: int = 1
    effect: Effect = Effect.WRITE

    @property
    def digest(self) -> str:
        """Name of the task by content."""
        return _digest(self.task.text, self.task.kind)


@value
class RunReply:
    """What the manager handed back, any report or a Reply, and what that makes of the run."""

    output: Any
    status: Status = Status.COMPLETED
    code: str = "ok"
    labels: Labels = NO_LABELS


@value
class DelegationCall:
    """One brief for one member."""

    scope: Scope
    step: str
    member: Agent[Any] | None
    """None when no such member exists; Rights answers with the nearest names."""
    name: str
    brief: Brief
    deadline: float = math.inf
    model: str = ""
    """The model class or model that the member is to use this time; empty for its own."""
    judged: asyncio.Event | None = None
    """Set when all calls of one model turn have been judged; None for a call that was made alone."""
    attempt: int = 1
    effect: Effect = Effect.WRITE

    @property
    def identity(self) -> str:
        """All that the delegation says, as text: two delegations are identical when it is equal."""
        return f"{self.name} {self.model} {to_json(self.brief).decode()}"

    @property
    def digest(self) -> str:
        """Name of the delegation by content."""
        return _digest(self.identity)


DelegationReply = Report[Any]


@value
class ModelCall:
    """One request to a model; *target* is chosen by Route."""

    scope: Scope
    step: str
    request: ModelRequest
    deadline: float = math.inf
    timeout: float = math.inf
    target: Target | None = None
    attempt: int = 1
    effect: Effect = Effect.READ
    keyed: bool = True
    dependency: str = ""
    labels: Labels = NO_LABELS

    @property
    def digest(self) -> str:
        """Name of the logical request by content: before route, clamp and cache."""
        return self.request.digest

    def to(self, target: Target, dependency: str) -> "ModelCall":
        """Return the call addressed to *target*, whose name is *dependency*; its limit has room for thoughts."""
        request = self.request
        if target.room:
            request = request.clamped(request.max_output_tokens + target.room)
        return ModelCall(
            self.scope, self.step, request, self.deadline, self.timeout, target,
            1, self.effect, self.keyed, dependency, self.labels,
        )  # fmt: skip

    def clamped(self, max_output_tokens: int) -> "ModelCall":
        """Return the same attempt with a smaller limit on the reply."""
        return ModelCall(
            self.scope, self.step, self.request.clamped(max_output_tokens), self.deadline, self.timeout, self.target,
            self.attempt, self.effect, self.keyed, self.dependency, self.labels,
        )  # fmt: skip

    def again(self) -> "ModelCall":
        """Return the same call as the next attempt."""
        return ModelCall(
            self.scope, self.step, self.request, self.deadline, self.timeout, self.target,
            self.attempt + 1, self.effect, self.keyed, self.dependency, self.labels,
        )  # fmt: skip


@value
class ToolCall:
    """One call of a tool; Contract validates *raw* into *arguments*, Fallback chooses the tier."""

    scope: Scope
    step: str
    name: str
    raw: str
    """The arguments as JSON text, as a model or an agent wrote them."""
    tool: Tool[Any] | None
    """None when no such tool exists; Rights answers with the nearest names."""
    judged: asyncio.Event | None = None
    """Set when all calls of one model turn have been judged; None for a call that was made alone."""
    deadline: float = math.inf
    timeout: float = math.inf
    arguments: BaseModel | None = None
    tier: int = 0
    attempt: int = 1
    effect: Effect = Effect.READ
    keyed: bool = False
    dependency: str = ""
    labels: Labels = NO_LABELS

    @property
    def identity(self) -> str:
        """Tool, version and validated arguments as text: two calls are identical when it is equal."""
        text = to_json(self.arguments).decode() if self.arguments is not None else self.raw
        return f"{self.name} {self.tool.contract.version if self.tool else ''} {text}"

    @property
    def digest(self) -> str:
        """Name of the call by content."""
        return _digest(self.identity)

    def checked(self, arguments: BaseModel) -> "ToolCall":
        """Return the call with validated *arguments*."""
        return self._with(arguments, self.tier, self.attempt, self.dependency)

    def on(self, tier: int, dependency: str) -> "ToolCall":
        """Return the call addressed to *tier*, whose name is *dependency*."""
        return self._with(self.arguments, tier, 1, dependency)

    def again(self) -> "ToolCall":
        """Return the same call as the next attempt."""
        return self._with(self.arguments, self.tier, self.attempt + 1, self.dependency)

    def _with(self, arguments: BaseModel | None, tier: int, attempt: int, dependency: str) -> "ToolCall":
        return ToolCall(
            self.scope, self.step, self.name, self.raw, self.tool, self.judged, self.deadline, self.timeout,
            arguments, tier, attempt, self.effect, self.keyed, dependency, self.labels,
        )  # fmt: skip


@value
class ToolReply:
    """What a tool gave back: the verified value, the same as JSON text for models, and what it retrieved."""

    output: Any
    text: str
    origin: Origin
    passages: tuple[Passage, ...] = ()
    degraded: str = ""
    """Empty, or which capability is missing because a lower tier answered."""
    labels: Labels = NO_LABELS
    cost: int = 0


def _digest(*parts: str) -> str:
    return blake2b(orjson.dumps(parts), digest_size=16).hexdigest()
