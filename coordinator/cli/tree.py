"""The tree of a run's agents and steps, grown from its events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coordinator.domain.events import Event, Kind

NodeKind = Literal["agent", "state", "model", "tool", "note"]
FINE = ("", "ok")


@dataclass(slots=True)
class Node:
    """One line of the tree. Times are seconds of the display's own clock, *cost* is in micro-dollars."""

    kind: NodeKind
    name: str
    began: float
    ended: float | None = None
    code: str = ""
    detail: str = ""
    cost: int = 0
    attempts: int = 1
    children: list["Node"] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether it ended in any other way than well."""
        return self.code not in FINE


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

    def __call__(self, event: Event) -> None:
        """Take in what happened."""
        _GROW.get(event.kind, RunTree._ignore)(self, event)

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return 0.0 if self.root is None else self.span(self.root)

    def span(self, node: Node) -> float:
        """Return how long *node* took, or has taken so far."""
        return (self._clock() if node.ended is None else node.ended) - node.began

    def _run_started(self, event: Event) -> None:
        self.run_id, self.tenant, self.ceiling = event.run, event.tenant, event.data.get("ceiling", 0)
        self.root = self._agents[event.step] = self._nodes[event.step] = Node("agent", event.agent, self._clock())

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
        node.ended = self._clock()
        node.code = str(event.data.get("code", ""))
        if event.kind in (Kind.MODEL_ENDED, Kind.TOOL_ENDED):
            node.cost = event.data.get("cost", 0)
            self.cost += node.cost
        if event.kind is Kind.MODEL_ENDED and "model" in event.data:
            node.name = self.model = str(event.data["model"])
        state = self._states.pop(event.step, None)
        if state is not None:
            state.ended = node.ended

    def _state(self, event: Event) -> None:
        agent = self._agent(event.step)
        if agent is None:
            return
        before = self._states.get(event.step)
        if before is not None:
            before.ended = self._clock()
        state = Node("state", str(event.data["state"]), self._clock(), detail=str(event.data.get("reason", "")))
        self._states[event.step] = state
        agent.children.append(state)

    def _retry(self, event: Event) -> None:
        node = self._nodes.get(event.step.partition("#")[0])
        if node is not None:
            node.attempts = int(event.data["attempt"])

    def _fallback(self, event: Event) -> None:
        self._note(event, f"{event.data['from']} is down ({event.data['code']}); {event.data['to']} is tried")

    def _breaker(self, event: Event) -> None:
        self.breakers[str(event.data["dependency"])] = str(event.data["to"])
        self._note(event, f"breaker of {event.data['dependency']}: {event.data['from']} → {event.data['to']}")

    def _issue(self, event: Event) -> None:
        self._note(event, f"{event.data['code']}: {event.data['message']}")

    def _crash(self, event: Event) -> None:
        self._note(event, f"crashed with {event.data.get('error', 'an error')}")

    def _note(self, event: Event, text: str) -> None:
        node = self._nodes.get(event.step.partition("#")[0]) or self._home(event.step)
        if node is not None:
            node.children.append(Node("note", text, self._clock(), self._clock()))

    def _add(self, event: Event, kind: NodeKind, name: str) -> Node:
        node = self._nodes[event.step] = Node(kind, name, self._clock())
        home = self._home(event.step)
        if home is not None:
            home.children.append(node)
        return node

    def _home(self, step: str) -> Node | None:
        """Return where a step hangs: the state of the agent that made it, or the agent itself."""
        path = step
        while path and path not in self._agents:
            path = path.rpartition("/")[0]
            if path in self._agents:
                break
        return self._states.get(path) or self._agents.get(path)

    def _agent(self, path: str) -> Node | None:
        while path and path not in self._agents:
            path = path.rpartition("/")[0]
        return self._agents.get(path)

    def _ignore(self, event: Event) -> None:
        """Other events change nothing that is shown."""


_GROW: Mapping[Kind, Callable[[RunTree, Event], Any]] = {
    Kind.RUN_STARTED: RunTree._run_started,
    Kind.RUN_ENDED: RunTree._ended,
    Kind.STATE: RunTree._state,
    Kind.DELEGATION_STARTED: RunTree._delegation_started,
    Kind.DELEGATION_ENDED: RunTree._ended,
    Kind.MODEL_STARTED: RunTree._model_started,
    Kind.MODEL_ENDED: RunTree._ended,
    Kind.TOOL_STARTED: RunTree._tool_started,
    Kind.TOOL_ENDED: RunTree._ended,
    Kind.RETRY: RunTree._retry,
    Kind.FALLBACK: RunTree._fallback,
    Kind.BREAKER: RunTree._breaker,
    Kind.ISSUE: RunTree._issue,
    Kind.CRASH: RunTree._crash,
}
