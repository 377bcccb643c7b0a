"""On whose behalf a call is made, what it may do, and the run it belongs to."""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from coordinator.domain.citing import Passage
from coordinator.domain.events import Event, Kind, Observer
from coordinator.domain.ports import Account
from coordinator.domain.result import Issue
from coordinator.domain.timer import Clock, Timer, clock
from coordinator.domain.value import value

S = TypeVar("S")
NOBODY: Mapping[Kind, Observer] = {}

SHORTEST_WAIT_S = 0.001
"""Who was answered sooner has not waited; looking at the clock takes time, too."""


@value
class TenantContext:
    """Who pays and what may be seen; travels in every call.

    *surface* names a set of limits; *weight* is the tenant's share where tenants take turns.
    """

    tenant: str = "default"
    user: str | None = None
    session: str | None = None
    surface: str = "default"
    weight: int = 1


@value
class Rights:
    """Which tools and members may be used, by name; a delegation only ever narrows them."""

    tools: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()

    def narrow(self, other: "Rights") -> "Rights":
        """Return the rights that are both held here and in *other*."""
        return Rights(self.tools & other.tools, self.members & other.members)


@value
class RunLimits:
    """The bounds of one run, and of the accounts it shares with others. Money in micro-dollars; times are seconds.

    Of *ceiling*, *finish* is kept for the manager's own calls. None: there is no such account.
    """

    ceiling: int
    deadline_s: float = math.inf
    soft_deadline_s: float = math.inf
    depth: int = 3
    delegations: int = 24
    tool_calls_per_turn: int = 8
    plan_steps: int = 12
    finish: int = 0
    session: int | None = None
    user_day: int | None = None
    tenant_day: int | None = None


class RunState:
    """What one run knows about itself; born and dropped with the run, and shared by all its calls.

    Args:
        run_id: the run's name, injected.
        tenant: who pays.
        limits: the run's bounds.
        stamp: the injected clock, UTC seconds.
        observers: are told every event.
        resources: what the team's factory opened, for tools.
    """

    __slots__ = (
        "_name", "_observers", "_own", "_seq", "_stamp", "cost", "deadline", "ended", "issues", "late", "limits",
        "loop", "model", "now", "order", "passages", "resources", "run_id", "saved", "soft_deadline", "steps",
        "tenant", "timer", "turns", "waits", "watched", "watches",
    )  # fmt: skip

    loop: asyncio.AbstractEventLoop
    """The event loop that the run lives in; its clock measures durations. Kept, because every layer of every call reads
    it, and asking asyncio for it is a system call in Python 3.11. Unset in a state that is made outside of any loop."""
    now: Clock
    """The loop's time, in seconds."""

    def __init__(
        self,
        run_id: str,
        tenant: TenantContext,
        limits: RunLimits,
        stamp: Callable[[], float],
        observers: tuple[Observer, ...] = (),
        resources: Any = None,
    ) -> None:
        self.run_id = run_id
        self.tenant = tenant
        self.limits = limits
        self.resources = resources
        self.deadline = math.inf
        """Loop time at which the run must be over; set when it is admitted."""
        self.soft_deadline = math.inf
        """Loop time after which no new delegation starts."""
        self.timer: Timer | None = None
        """Ends the run at its deadline; set when it is admitted."""
        self.ended = False
        """Whether the run is over, so that nothing may be done in its name any more."""
        self.cost = 0
        """Micro-dollars settled so far."""
        self.saved = 0
        """Micro-dollars that calls would have cost which the cache answered, or the same request in flight."""
        self.turns = 0
        """Model calls so far."""
        self.steps = 0
        """Model calls, tool calls and delegations so far."""
        self.model = ""
        """The last model that answered, as `provider:name`."""
        self.order = 0
        """Its place in the order of admission, from 1; inside a tenant, older runs go first."""
        self.issues: list[Issue] = []
        self.passages: dict[str, list[Passage]] = {}
        """What the run's tools retrieved, by source."""
        self.late: set[str] = set()
        """Steps of tool calls whose work goes on although the calls have ended."""
        self.waits: dict[str, float] = {}
        """Seconds that its calls have waited so far, by what for; parallel ones add up."""
        self._name = tenant.tenant
        self._stamp = stamp
        self._observers = observers
        self.watched = bool(observers)
        """Whether anybody is told what happens; where nobody is, nothing need be put into words."""
        self.watches: Mapping[Kind, Observer] = NOBODY
        """Who is told last, of events of one kind alone."""
        self._seq = 0
        self._own: dict[object, Any] = {}
        with suppress(RuntimeError):
            self.loop = asyncio.get_running_loop()
            self.now = clock(self.loop)

    def own(self, owner: object, factory: Callable[[], S]) -> S:
        """Return the one instance of *owner*'s state in this run, made by *factory* on first use."""
        state = self._own.get(owner)
        if state is None:
            state = self._own[owner] = factory()
        return state

    def waited(self, cause: str, seconds: float, agent: str = "", step: str = "") -> None:
        """Add *seconds* that a call has waited for *cause*: admission, gates, money or retries; tell it of a *step*."""
        if seconds < SHORTEST_WAIT_S:
            return
        self.waits[cause] = self.waits.get(cause, 0.0) + seconds
        if step:
            self.emit(Kind.WAITED, agent, step, {"cause": cause, "wait_s": seconds})

    def emit(self, kind: Kind, agent: str, step: str, data: Mapping[str, Any]) -> None:
        """Tell every observer what happened."""
        self._seq += 1
        if self._observers:
            event = Event(self.run_id, self._seq, self._stamp(), kind, self._name, agent, step, data)
            for observer in self._observers:
                observer(event)
            watch = self.watches.get(kind)
            if watch is not None:
                watch(event)

    def note(self, issue: Issue, agent: str = "", step: str = "") -> None:
        """Record *issue* once: something the run could not do, or a person should know."""
        if issue not in self.issues:
            self.issues.append(issue)
            self.emit(Kind.ISSUE, agent, step, {"code": issue.code, "message": issue.message})


@value
class Scope:
    """The place of an agent in a run: its name, its path, its ancestors and its rights."""

    run: RunState
    agent: str
    path: str
    """Structural: the step id of the delegation that started the agent; `run` for the manager."""
    ancestors: tuple[str, ...] = ()
    """Roles from the manager down to and including this agent."""
    rights: Rights = Rights()
    """What the agent itself may use: what it was given, as far as it declares it."""
    allowances: tuple[Account, ...] = ()
    """What the delegations on the way here may spend of their own, the innermost first."""
    deadline: float = math.inf
    """Loop time at which the delegation that started the agent must be over; never later than the run's."""
    grants: Rights = Rights()
    """What the agent was given and may pass on: to its delegates, as far as they or theirs declare it."""

    @property
    def tenant(self) -> TenantContext:
        """Who pays."""
        return self.run.tenant
