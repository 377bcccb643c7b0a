"""What a recorded run comes to: its tree, what it cost and whom, what was tried again, refused and left undone."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any

from coordinator.domain.events import Event, Kind
from coordinator.domain.money import dollars
from coordinator.domain.result import Issue
from coordinator.domain.value import changed, value
from coordinator.telemetry.charts import span
from coordinator.telemetry.run_files import Record
from coordinator.telemetry.tree import Node, NodeKind, RunTree

UNFINISHED = "unfinished"
REFUSED = "refused"
CALLS: dict[NodeKind, str] = {"model": "model call", "tool": "tool call", "agent": "delegation"}


@value
class Moment:
    """One thing in a run that did not go straight on. *at* is seconds since its start; *what* one short sentence."""

    at: float
    agent: str
    step: str
    kind: str
    """`retry`, `wait`, `fallback`, `refused`, `breaker`, `budget`, `charged`, `shortened`, `late`, `crash`, `alarm`."""
    what: str


@value
class Spending:
    """What calls of one agent, or to one model or tool, come to; *cost* is in micro-dollars."""

    name: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    seconds: float = 0.0
    failed: int = 0

    def plus(self, node: Node, seconds: float) -> "Spending":
        """Return the same with one more call."""
        facts = node.facts
        return Spending(
            self.name, self.calls + 1,
            self.input_tokens + facts.get("input_tokens", 0), self.output_tokens + facts.get("output_tokens", 0),
            self.cost + node.cost, self.seconds + seconds,
            self.failed + (node.failed and node.code != "degraded"),
        )  # fmt: skip

    def paying(self, amount: int) -> "Spending":
        """Return the same with *amount* more to pay."""
        return changed(self, cost=self.cost + amount)


@value
class Story:
    """A run, from a record of it. Times are seconds since its start."""

    record: Record
    tree: RunTree
    moments: list[Moment] = field(default_factory=list)
    issues: list[tuple[Issue, str]] = field(default_factory=list)
    """Each with the agent that it befell; the run's own have none."""

    @property
    def root(self) -> Node:
        """The run itself."""
        assert self.tree.root is not None
        return self.tree.root

    @property
    def status(self) -> str:
        """How it ended, or `unfinished` when the record does not tell."""
        return str(self.root.facts.get("status", UNFINISHED))

    @property
    def started(self) -> float:
        """UTC seconds at which it began."""
        return self.record.events[0].at

    @property
    def seconds(self) -> float:
        """How long it took, as far as it is told."""
        return self.tree.seconds

    @property
    def waits(self) -> dict[str, float]:
        """Seconds that its calls waited, by what for."""
        return dict(self.root.facts.get("waited_s", {}))

    @property
    def has_content(self) -> bool:
        """Whether it tells what was said."""
        return any(node.said for node in self.nodes())

    @property
    def cost(self) -> int:
        """Micro-dollars that it cost: what its calls cost together, those that failed too."""
        return int(self.root.facts.get("cost", self.tree.cost))

    def nodes(self) -> Iterator[Node]:
        """Yield every node of the tree, parents before children."""
        return _below(self.root)

    def calls(self) -> list[Node]:
        """Return the model and tool calls in the order in which they began."""
        return sorted((node for node in self.nodes() if node.kind in ("model", "tool")), key=lambda node: node.began)

    def count(self, kind: str) -> int:
        """Return how many moments of this *kind* there were."""
        return sum(moment.kind == kind for moment in self.moments)

    def spending(self, by: Callable[[Node], str]) -> list[Spending]:
        """Return what calls come to, grouped *by* a name; the dearest first."""
        found: dict[str, Spending] = {}
        for node in self.calls():
            name = by(node)
            found[name] = found.get(name, Spending(name)).plus(node, self.tree.span(node))
        return _dearest_first(found)

    def by_target(self) -> list[Spending]:
        """Return what calls come to by model or tool; of a model that was charged for and did not answer, the money."""
        found = {one.name: one for one in self.spending(lambda node: node.name)}
        for node in self.calls():
            for name, cost in node.charged.items():
                found[node.name] = found[node.name].paying(-cost)
                found[name] = found.get(name, Spending(name)).paying(cost)
        return _dearest_first(found)

    def headline(self) -> str:
        """Return in a sentence how the run went."""
        kinds = Counter(node.kind for node in self.nodes() if node is not self.root)
        calls = [_counted(kinds[kind], word) for kind, word in CALLS.items() if kinds[kind]]
        code = self.root.code if self.root.failed and self.root.code != self.status else ""
        ended = f"{self.status} ({code})" if code else self.status
        return f"{ended}, {', '.join(calls)}" if calls else ended

    def shortcomings(self) -> Iterator[str]:
        """Yield what is wrong with the record itself."""
        if not self.record.whole:
            yield "the record ends before the run: its process was stopped, or it still runs"
        if self.record.missing:
            yield f"{_counted(self.record.missing, 'event')} in between did not reach the file"
        if self.record.broken:
            yield f"{_counted(self.record.broken, 'line')} of the file could not be read"


def reused(node: Node) -> str:
    """Return how a call was answered without being sent; "" when it was sent."""
    return {"cache": "from the cache", "flight": "with another's reply"}.get(str(node.facts.get("reuse")), "")


def tokens(node: Node) -> str:
    """Return what a model call used, such as `2,100 (1,500 cached) → 40 tokens`; "" when there was no reply."""
    facts = node.facts
    if "output_tokens" not in facts:
        return ""
    read, written, thought = (facts.get(name) for name in ("cached", "cache_write", "reasoning"))
    of_input = ", ".join([*([f"{read:,} cached"] if read else []), *([f"{written:,} written"] if written else [])])
    of_output = f" ({thought:,} reasoning)" if thought else ""
    told = f"{facts['input_tokens']:,}{f' ({of_input})' if of_input else ''} → {facts['output_tokens']:,}{of_output}"
    return f"{'at most ' if facts.get('uncertain') else ''}{told} tokens"


def tell(record: Record) -> Story:
    """Return the story of what *record* holds; an event that makes no sense is left out."""
    now = 0.0
    tree = RunTree(lambda: now)
    story = Story(record, tree)
    began = record.events[0]
    if began.kind is not Kind.RUN_STARTED:  # its beginning is lost; the rest is worth telling
        tree(Event(began.run, 0, began.at, Kind.RUN_STARTED, began.tenant, "(run)", "run", {}))
    for event in record.events:
        now = max(now, event.at - began.at)  # a clock that is set back takes no time back
        try:
            tree(event)
            _note(story, event, now)
        except KeyError:
            continue
    for alarm in record.alarms:
        at, what = max(0.0, alarm.at - began.at), str(alarm.data.get("message", alarm.data.get("alarm", "")))
        story.moments.append(Moment(at, "", "", "alarm", f"alarm: {what}"))
    for node in story.nodes():
        if node.ended is None and node.step:
            node.code = UNFINISHED
    return story


def _note(story: Story, event: Event, now: float) -> None:
    """Add what *event* says of things that did not go straight on; what the tree does not show by itself goes there."""
    data = event.data
    if event.kind is Kind.ISSUE:
        issue = Issue(code=str(data["code"]), message=str(data["message"]))
        story.issues.append((issue, event.agent))
        return
    said = _MOMENTS.get(event.kind)
    if said is None:
        return
    kind, shown, form = said
    if kind == REFUSED and (data.get("error") != REFUSED or _repeats(story, event)):
        return
    what = form(data)
    if kind:
        story.moments.append(Moment(now, event.agent, event.step, kind, what))
    if not shown:
        story.tree.note(event, what)


def _repeats(story: Story, event: Event) -> bool:
    """Say whether the end of a run only repeats why one of its calls was refused."""
    return event.kind is Kind.RUN_ENDED and any(moment.kind == REFUSED for moment in story.moments)


Form = Callable[[Mapping[str, Any]], str]


def _retried(data: Mapping[str, Any]) -> str:
    return f"attempt {data['attempt']} after {data['code']}, {span(data['wait_s'])} later"


def _refused(data: Mapping[str, Any]) -> str:
    return f"refused: {data['message']}" if data.get("message") else f"refused: {data['code']}"


def _verdict(data: Mapping[str, Any]) -> str:
    reasons = data.get("reasons", 0)
    return f"verdict: {data['decision']}, {_counted(reasons, 'reason')}" if reasons else f"verdict: {data['decision']}"


def _late(data: Mapping[str, Any]) -> str:
    return f"{data['dependency']} went on alone for {span(data['late_s'])}: {data['outcome']}"


def _charged(data: Mapping[str, Any]) -> str:
    why = "no answer came" if data.get("uncertain") else "it failed"
    return f"charged {dollars(data['cost'])} for {data['dependency']} although {why}"


def _alert(data: Mapping[str, Any]) -> str:
    return f"account {data['account']}: {dollars(data['settled'])} of {dollars(data['ceiling'])} is spent"


def _waited(data: Mapping[str, Any]) -> str:
    return f"waited {span(data['wait_s'])} for {data['cause']}"


def _shortened(data: Mapping[str, Any]) -> str:
    return f"shortened: {data['bytes']:,} bytes to {data['bytes_left']:,}"


_ENDS: tuple[str, bool, Form] = (REFUSED, False, _refused)
# By kind of event: the kind of moment ("" for none), whether the tree shows it by itself, and how it is put.
_MOMENTS: dict[Kind, tuple[str, bool, Form]] = {
    Kind.WAITED: ("wait", False, _waited),
    Kind.RETRY: ("retry", False, _retried),
    Kind.FALLBACK: ("fallback", True, lambda data: f"{data['from']} is down ({data['code']}); {data['to']} is tried"),
    Kind.BREAKER: ("breaker", True, lambda data: f"breaker of {data['dependency']}: {data['from']} → {data['to']}"),
    Kind.CRASH: ("crash", True, lambda data: f"crashed with {data.get('error', 'an error')}"),
    Kind.COMPRESSED: ("shortened", False, _shortened),
    Kind.DECISION: ("", False, lambda data: f"a person {'approved' if data['approved'] else 'rejected'} it"),
    Kind.VERDICT: ("", False, _verdict),
    Kind.TOOL_LATE: ("late", False, _late),
    Kind.CHARGED: ("charged", False, _charged),
    Kind.BUDGET_ALERT: ("budget", False, _alert),
    Kind.BUDGET_OVERRUN: ("budget", False, lambda data: f"{dollars(data['overrun'])} more was billed than was held"),
    Kind.RUN_ENDED: _ENDS,
    Kind.DELEGATION_ENDED: _ENDS,
    Kind.MODEL_ENDED: _ENDS,
    Kind.TOOL_ENDED: _ENDS,
}


def _dearest_first(found: Mapping[str, Spending]) -> list[Spending]:
    return sorted(found.values(), key=lambda one: (-one.cost, -one.seconds))


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _below(child)


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
