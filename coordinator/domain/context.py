"""All that an agent may do and read."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, overload

from pydantic import BaseModel

from coordinator.domain.briefs import Brief, Plan, Report
from coordinator.domain.citing import Passage
from coordinator.domain.content import Message
from coordinator.domain.scope import RunLimits, TenantContext
from coordinator.domain.tool import Tool

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class AgentContext(Protocol):
    """What an agent is given with its brief.

    `ask`, `use` and `delegate` take their step id when they are called and return an awaitable; each passes the whole
    pipeline of policies. A context belongs to the task it was made in: for parallel branches use `fork` and `gather`.
    """

    @property
    def agent(self) -> str:
        """The agent's own name."""

    @property
    def tenant(self) -> TenantContext:
        """On whose behalf it works."""

    @property
    def run_id(self) -> str:
        """The run it belongs to."""

    @property
    def resources(self) -> Any:
        """What the team's resource factory opened."""

    @property
    def limits(self) -> RunLimits:
        """The bounds of the run."""

    @property
    def members(self) -> Mapping[str, str]:
        """Name and description of every member it may delegate to."""

    @property
    def passages(self) -> Sequence[Passage]:
        """Everything the run's tools have retrieved so far; what citations are checked against."""

    def remaining(self) -> float:
        """Seconds until the run must be over; infinite when it has no deadline."""

    @overload
    def ask(self, messages: str | Sequence[Message], *, instructions: str = "") -> Awaitable[str]: ...
    @overload
    def ask(
        self, messages: str | Sequence[Message], *, instructions: str = "", output: type[M], model: str | None = None
    ) -> Awaitable[M]: ...

    def use(self, tool: Tool[T], arguments: Mapping[str, Any]) -> Awaitable[T]:
        """Call *tool* once.

        Raises:
            Invalid: the arguments break the contract, or the tool is not offered to this agent.
            Refused: a policy said no.
            Fault, UnknownOutcome: the tool failed.
        """

    def delegate(self, member: Any, brief: Brief, *, model: str | None = None) -> Awaitable[Report[Any]]:
        """Hand *brief* to *member* (an agent or its name) and await its report; a failed member still reports.

        *model* is the model class ("large") or model that the member is to use this time, in place of its own.

        Raises:
            Invalid: no such member.
            Refused: rights, depth, a delegation cycle or the deadline said no.
        """

    def solve(self, brief: Brief, *, instructions: str, output: type[M]) -> Awaitable[M]:
        """Reason and act in a bounded loop: model turns with tool calls until the typed *output* is written.

        Raises:
            Refused: the loop guard or a limit stopped it (`turn_limit`, `loop_stopped`, a ceiling).
            Fault: the model failed, refused to answer (`model_refused`) or was cut off twice (`truncated`).
        """

    def plan(self, brief: Brief, *, instructions: str) -> Awaitable[Plan]:
        """Ask the model for a plan over `members`; unknown members, cycles and oversize plans go back as errors."""

    def execute(self, plan: Plan, brief: Brief, *, model: str | None = None) -> Awaitable[dict[str, Report[Any]]]:
        """Carry out *plan*, independent steps in parallel; each step gets the reports it needs as materials.

        *model* is the model class or model that its members are to use this time, in place of their own.
        """

    def fork(self, name: str) -> "AgentContext":
        """Return a context for a parallel branch; its steps are numbered under *name*."""

    def gather(self, *branches: Awaitable[T]) -> Awaitable[list[T]]:
        """Await *branches* in parallel; when one fails, the others are cancelled and its error is raised."""

    def enter(self, state: str, reason: str = "") -> None:
        """Say that the agent's work enters *state*; the transition becomes an event."""

    def judge(self, decision: str, reasons: int = 0, *, claims: int = 0, unsupported: int = 0) -> None:
        """Say what became of a draft, and for how many reasons; the verdict becomes an event that metrics count.

        *claims* are the statements of the draft that were checked, *unsupported* those that no source supports.
        """

    def flag(self, code: str, message: str, part: str = "") -> None:
        """Record something that the run could not do; a run with such an issue never ends `completed`."""
