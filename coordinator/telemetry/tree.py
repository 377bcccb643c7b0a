"""The tree of a run's agents and steps, grown from its events: while it is under way, or from what was recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coordinator.domain.events import Event, Kind

NodeKind = Literal["agent", "state", "model", "tool", "note"]
FINE = ("", "ok")
CONTENT = "content"
"""The fact that holds what was said, where content is logged."""


@dataclass(slots=True)
class Node:
    """One line of the tree. Times are seconds of the tree's clock, *cost* is in micro-dollars."""

    kind: NodeKind
    name: str
    began: float
    ended: float | None = None
    code: str = ""
    detail: str = ""
    cost: int = 0
    charged: dict[str, int] = field(default_factory=dict)
    """What of that attempts without a reply cost, by model."""
    attempts: int = 1
    children: list["Node"] = field(default_factory=list)
    step: str = ""
    agent: str = ""
    """Who made the call."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the event of its end tells."""
    said: list[Mapping[str, str]] = field(default_factory=list)
    """What was asked and answered, where content is logged."""

    @property
    def failed(self) -> bool:
        """Whether it ended in any other way than well."""
        return self.code not in FINE

    @property
    def spent(self) -> int:
        """Micro-dollars that it and everything below it cost."""
        return self.cost + sum(child.spent for child in self.children)


class RunTree:
    """An observer that grows the tree of one run.

    Steps hang below the agent that made them, under the state that the agent was in.

    Args:
        clock: seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.root: Node | None = None
        self.run_id = ""
        self.tenant = ""
        self.model = ""
        self.ceiling = 0
        self.cost = 0
        self.turns = 0
        self.steps = 0
        self.breakers: dict[str, str] = {}
        """State of every breaker that ever moved."""
        self._nodes: dict[str, Node] = {}
        self._agents: dict[str, Node] = {}
        self._states: dict[str, Node] = {}
        self._grow: dict[Kind, Callable[[Event], None]] = {
            Kind.RUN_STARTED: self._run_started,
            Kind.RUN_ENDED: self._ended,
            Kind.STATE: self._state,
            Kind.DELEGATION_STARTED: self._delegation_started,
            Kind.DELEGATION_ENDED: self._ended,
            Kind.MODEL_STARTED: self._model_started,
            Kind.MODEL_ENDED: self._ended,
            Kind.TOOL_STARTED: self._tool_started,
            Kind.TOOL_ENDED: self._ended,
            Kind.CHARGED: self._charged,
            Kind.RETRY: self._retry,
            Kind.FALLBACK: self._fallback,
            Kind.BREAKER: self._breaker,
            Kind.ISSUE: self._issue,
            Kind.CRASH: self._crash,
        }

    def __call__(self, event: Event) -> None:
        """Take in what happened."""
        grow = self._grow.get(event.kind)
        if grow is not None:
            grow(event)

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return 0.0 if self.root is None else self.span(self.root)

    def span(self, node: Node) -> float:
        """Return how long *node* took, or has taken so far."""
        told = node.facts.get("duration_s")
        if isinstance(told, float):
            return told
        return (self._clock() if node.ended is None else node.ended) - node.began

    def node(self, step: str) -> Node | None:
        """Return the call *step*; None when it never began."""
        return self._nodes.get(step.partition("#")[0])

    def note(self, event: Event, text: str) -> None:
        """Hang *text* below the call that *event* belongs to, or below the agent."""
        node = self.node(event.step) or self._home(event.step)
        if node is not None:
            node.children.append(Node("note", text, self._clock(), self._clock()))

    def _run_started(self, event: Event) -> None:
        self.run_id, self.tenant, self.ceiling = event.run, event.tenant, event.data.get("ceiling", 0)
        self._agents[event.step] = self.root = self._begun(event, "agent", event.agent)

    def _delegation_started(self, event: Event) -> None:
        self.steps += 1
        self._agents[event.step] = self._add(event, "agent", str(event.data["member"]))

    def _model_started(self, event: Event) -> None:
        self.steps += 1
        self.turns += 1
        self._add(event, "model", str(event.data["class"]))

    def _tool_started(self, event: Event) -> None:
        self.steps += 1
        self._add(event, "tool", str(event.data["tool"]))

    def _ended(self, event: Event) -> None:
        node = self._nodes.get(event.step)
        if node is None:
            return
        node.ended, node.facts = self._clock(), event.data
        node.code = str(event.data.get("code", ""))
        node.said += event.data.get(CONTENT, ())
        if event.kind in (Kind.MODEL_ENDED, Kind.TOOL_ENDED):
            self._bill(node, event.data.get("cost", 0))
        if event.kind is Kind.MODEL_ENDED and "model" in event.data:
            node.name = self.model = str(event.data["model"])
        state = self._states.pop(event.step, None)
        if state is not None:
            state.ended = node.ended

    def _charged(self, event: Event) -> None:
        node = self.node(event.step)
        if node is None:
            return
        cost = event.data["cost"]
        self._bill(node, cost)
        if node.kind == "model":  # the one that is charged for, whoever answers in the end
            name = node.name = str(event.data["dependency"])
            node.charged[name] = node.charged.get(name, 0) + cost

    def _bill(self, node: Node, cost: int) -> None:
        node.cost += cost
        self.cost += cost

    def _state(self, event: Event) -> None:
        path = self._path(event.step)
        if path not in self._agents:
            return
        before = self._states.get(path)
        if before is not None:
            before.ended = self._clock()
        state = Node("state", str(event.data["state"]), self._clock(), detail=str(event.data.get("reason", "")))
        state.agent = event.agent
        self._states[path] = state
        self._agents[path].children.append(state)

    def _retry(self, event: Event) -> None:
        node = self.node(event.step)
        if node is not None:
            node.attempts = int(event.data["attempt"])

    def _fallback(self, event: Event) -> None:
        self.note(event, f"{event.data['from']} is down ({event.data['code']}); {event.data['to']} is tried")

    def _breaker(self, event: Event) -> None:
        self.breakers[str(event.data["dependency"])] = str(event.data["to"])
        self.note(event, f"breaker of {event.data['dependency']}: {event.data['from']} → {event.data['to']}")

    def _issue(self, event: Event) -> None:
        self.note(event, f"{event.data['code']}: {event.data['message']}")

    def _crash(self, event: Event) -> None:
        self.note(event, f"crashed with {event.data.get('error', 'an error')}")

    def _add(self, event: Event, kind: NodeKind, name: str) -> Node:
        node = self._begun(event, kind, name)
        home = self._home(event.step)
        if home is not None:
            home.children.append(node)
        return node

    def _begun(self, event: Event, kind: NodeKind, name: str) -> Node:
        node = self._nodes[event.step] = Node(kind, name, self._clock(), step=event.step, agent=event.agent)
        node.said += event.data.get(CONTENT, ())
        return node

    def _home(self, step: str) -> Node | None:
        """Return where a step hangs: the state of the agent that made it, or the agent itself."""
        path = self._path(step)
        return self._states.get(path) or self._agents.get(path)

    def _path(self, step: str) -> str:
        """Return the path of the agent to which *step* belongs."""
        while step and step not in self._agents:
            step = step.rpartition("/")[0]
        return step
