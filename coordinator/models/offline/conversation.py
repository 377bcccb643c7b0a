"""A model request as the engine reads it: the question, what came back, and what could not be looked up."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

import orjson

from coordinator.domain.content import ToolResult, ToolUse
from coordinator.domain.model import ModelRequest, ToolSpec
from coordinator.domain.value import value
from coordinator.models.offline import gathered, words
from coordinator.models.offline.orders import orders
from coordinator.models.offline.passages import Excerpt
from coordinator.models.offline.tooling import acting, is_member, things

# Codes by which a tool says that it looked and that there is no such thing; every other error means it could not look.
_ABSENT = re.compile(r"(?:^|_)not_found$|^no_such_")
# Codes by which a tool says that it could not make sense of what it was asked: it works, and was asked wrongly.
_ASKED_WRONGLY = re.compile(r"^(?:invalid|bad|wrong|malformed|unknown|unsupported|outside|not_an?)_")
_PRECISE = re.compile(r"\S*(?:\d|\w[./@]\w)\S*")
_ASKS = ("request", "question", "task", "query", "brief", "message", "text")


@value
class Used:
    """One tool call of the conversation and what came of it."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    status: str
    """ok, degraded, absent, mistaken, error, rejected, or pending"""
    result: Any
    message: str
    retryable: bool

    @property
    def gave(self) -> bool:
        """Whether it brought something that may be read."""
        return self.status in ("ok", "degraded")


@value
class Conversation:
    """What the request holds; only *question* is the user's own words, and only it gives orders."""

    question: str
    goal: str
    used: tuple[Used, ...]
    materials: tuple[Any, ...]
    excerpts: tuple[Excerpt, ...]
    reported: tuple[str, ...]
    """What colleagues said is missing, in their words."""
    judged: bool
    """Whether a colleague already judged what the materials quote."""
    undone: tuple[str, ...] = ()
    """The user's sentences that order what a tool at hand does, and that no call has followed."""
    acts: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False, hash=False)
    """The offered tools that change something, each with the verbs that order it."""

    @property
    def turns(self) -> int:
        """Tool calls asked for so far."""
        return len(self.used)

    @property
    def looked(self) -> bool:
        """Whether anything was looked up, by this agent or by whoever gave it materials."""
        return bool(self.materials) or any(use.gave or use.status == "absent" for use in self.used)

    @property
    def troubles(self) -> tuple[str, ...]:
        """One sentence for each tool that could not do its work, or only partly."""
        failed = (use for use in self.used if use.status in ("error", "degraded", "rejected") or self._named(use))
        return tuple(dict.fromkeys(_trouble(use, acts=use.name in self.acts) for use in failed))

    def _named(self, use: Used) -> bool:
        """Say whether a call was mistaken in what the user named by path, address or number; a guess leaves no gap."""
        told = (item for item in use.arguments.values() if isinstance(item, str) and not item.isalpha())
        return use.status == "mistaken" and any(_PRECISE.fullmatch(item) and item in self.question for item in told)

    @property
    def absences(self) -> tuple[str, ...]:
        """One sentence for each tool that looked for one thing and found that there is none."""
        return tuple(
            dict.fromkeys(
                f"Nothing there, says {use.name}: {_why(use)}." for use in self.used if use.status == "absent"
            )
        )

    @property
    def done(self) -> frozenset[str]:
        """The verbs, as stems, of what was ordered and has been done."""
        return frozenset().union(*(self.acts[use.name] for use in self.used if use.gave and use.name in self.acts))

    def leaves(self) -> Iterator[tuple[str, str, Any]]:
        """Yield (owner, key, value) of every scalar in results and materials, newest first."""
        for use in reversed(self.used):
            if use.gave:
                yield from gathered.leaves(use.result)
        for material in self.materials:
            yield from gathered.leaves(material)


def read(request: ModelRequest) -> Conversation:
    """Read *request*; instructions of the system never become part of the question."""
    question, goal, materials = _question(request)
    used = _used(request)
    excerpts: list[Excerpt] = []
    reported: list[str] = []
    for material in materials:
        excerpts += gathered.interleaved(material)
        reported += gathered.remarks(material)
    members = frozenset(spec.name for spec in request.tools if is_member(spec))
    acts = acting([spec for spec in request.tools if spec.name not in members])
    for use in used:
        if use.gave and use.name in members:
            excerpts += gathered.interleaved(use.result)
            reported += gathered.shortfalls(use.result)
        elif use.gave:
            reported += gathered.unfinished(use.result)
            excerpts += gathered.interleaved(use.result, deed=use.name in acts) or gathered.spoken(
                use.result, use.name, deed=use.name in acts
            )
    reports = (*materials, *(use.result for use in used if use.gave and use.name in members))
    return Conversation(
        question, goal, used, materials, gathered.unique(excerpts), tuple(dict.fromkeys(reported)),
        any(map(gathered.judged, reports)), tuple(_undone(request.tools, acts, question, used)), acts,
    )  # fmt: skip


def _undone(
    tools: Iterable[ToolSpec], acts: Mapping[str, frozenset[str]], question: str, used: Iterable[Used]
) -> Iterator[str]:
    called = frozenset().union(*(acts.get(use.name, frozenset()) for use in used))
    for spec in tools:
        own = things(spec) if spec.name in acts else frozenset()
        for order in orders(question, own) if spec.name in acts else ():
            asks = order.verb in words.ASKING and own.isdisjoint(words.stem_set(order.sentence))
            if order.verb in acts[spec.name] - called and not asks:
                yield order.sentence


def _question(request: ModelRequest) -> tuple[str, str, tuple[Any, ...]]:
    """Return request, goal and materials of the newest user message that asks something."""
    for index in range(len(request.messages) - 1, -1, -1):
        message = request.messages[index]
        if message.role != "user" or not message.text.strip():
            continue
        found = _json(message.text)
        if not isinstance(found, dict):
            return message.text, "", ()
        asked = next((key for key in _ASKS if isinstance(found.get(key), str) and found[key].strip()), None)
        if asked is None and "error" in found:
            continue
        return _brief(found, asked, message.text)
    return "", "", ()


def _brief(found: dict[str, Any], asked: str | None, text: str) -> tuple[str, str, tuple[Any, ...]]:
    if asked is None:
        strings = sorted((item for item in found.values() if isinstance(item, str)), key=lambda one: (-len(one), one))
        return (strings or [text])[0], "", tuple(_others(found, {"goal"}))
    goal = found.get("goal")
    return found[asked], goal if isinstance(goal, str) else "", tuple(_others(found, {asked, "goal"}))


def _others(found: dict[str, Any], taken: set[str]) -> Iterator[Any]:
    for key in sorted(found.keys() - taken):
        items = found[key] if isinstance(found[key], list) else [found[key]]
        for item in items:
            yield item.get("content") if isinstance(item, dict) and {"origin", "content"} >= item.keys() else item


def _used(request: ModelRequest) -> tuple[Used, ...]:
    results = {
        part.id: part for message in request.messages for part in message.parts if isinstance(part, ToolResult)
    }  # fmt: skip
    return tuple(
        _use(part, results.get(part.id))
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolUse)
    )


def _use(wish: ToolUse, result: ToolResult | None) -> Used:
    arguments = _json(wish.arguments)
    known = arguments if isinstance(arguments, dict) else {}
    if result is None:
        return Used(wish.id, wish.name, known, "pending", None, "", True)
    body = _json(result.text)
    if not isinstance(body, dict) or "status" not in body:
        return Used(wish.id, wish.name, known, "ok", body, "", False)
    message = str(body.get("message") or body.get("code") or "")
    known_status = _status(body)
    held = body["result"] if "result" in body else {k: v for k, v in body.items() if k not in ("status", "code")}
    if known_status == "ok" and "result" not in body:
        held = body  # a tool of another house, whose own record has a field named status
    return Used(wish.id, wish.name, known, known_status, held, message, body.get("retryable") is True)


def _status(body: dict[str, Any]) -> str:
    status = str(body["status"])
    if status == "error" and _ABSENT.search(str(body.get("code", ""))):
        return "absent"
    if status == "error" and _ASKED_WRONGLY.search(str(body.get("code", ""))):
        return "mistaken"
    if status in ("ok", "degraded", "rejected", "error"):
        return status
    return "error" if "result" not in body and "code" in body else "ok"


def _trouble(use: Used, *, acts: bool) -> str:
    if acts:
        return f"Could not do this with {use.name}: {_why(use)}."
    partly = "only partly look" if use.status == "degraded" else "not look"
    return f"Could {partly} with {use.name}: {_why(use)}."


def _why(use: Used) -> str:
    return use.message.strip().rstrip(".") or use.status


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
