"""A model request as the engine reads it: the question, what was looked up, what came back, what could not be looked up."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

import orjson

from coordinator.domain.content import Text, ToolResult, ToolUse
from coordinator.domain.model import ModelRequest
from coordinator.domain.value import value
from coordinator.models.offline.passages import Excerpt
from coordinator.models.offline.tooling import acting
from coordinator.models.offline.words import raw_stems, stem

PROSE = 6
"""Words from which on a text is prose and may be quoted on its own."""

# Codes by which a tool says that it looked and that there is no such thing; every other error means it could not look.
_ABSENT = re.compile(r"(?:^|_)not_found$|^no_such_")
_ASKS = ("request", "question", "task", "query", "brief", "message", "text")
_TEXTS = (
    "quote",
    "text",
    "content",
    "body",
    "passage",
    "excerpt",
    "snippet",
    "chunk",
    "statement",
    "summary",
    "description",
)
_SOURCES = (
    "source",
    "path",
    "file",
    "filename",
    "url",
    "uri",
    "document",
    "doc",
    "location",
    "origin",
    "id",
    "title",
    "name",
)
_LINES = ("line", "line_number", "lineno", "page")


@value
class Used:
    """One tool call of the conversation and what came of it."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    status: str
    """ok, degraded, absent, error, rejected, or pending"""
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
    drafted: bool
    """Whether the materials hold a draft that cites its sources."""
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
        failed = (use for use in self.used if use.status in ("error", "degraded", "rejected"))
        return tuple(dict.fromkeys(_trouble(use, acts=use.name in self.acts) for use in failed))

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
                yield from _leaves(use.result)
        for material in self.materials:
            yield from _leaves(material)


def read(request: ModelRequest) -> Conversation:
    """Read *request*; instructions of the system never become part of the question."""
    question, goal, materials = _question(request)
    used = _used(request)
    excerpts: list[Excerpt] = []
    reported: list[str] = []
    for material in materials:
        excerpts += _interleaved(material)
        reported += _remarks(material)
    acts = acting(request.tools)
    for use in used:
        if use.gave:
            excerpts += _interleaved(use.result, deed=use.name in acts) or _spoken(use, deed=use.name in acts)
    return Conversation(
        question, goal, used, materials, _unique(excerpts), tuple(dict.fromkeys(reported)),
        any(map(_judged, materials)), any(map(_drafted, materials)), acts,
    )  # fmt: skip


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


def _interleaved(found: Any, *, deed: bool = False) -> list[Excerpt]:
    return [
        Excerpt(one.text, one.source, one.line, rank, one.context, one.record, deed)
        for rank, one in enumerate(_excerpts(found))
    ]  # fmt: skip


def _excerpts(found: Any) -> Iterator[Excerpt]:
    """Yield every dict in *found* that has a text and a source; keys in sorted order, so that their order is nothing."""
    if isinstance(found, list):
        for item in found:
            yield from _excerpts(item)
    elif isinstance(found, dict):
        if own := _excerpt(found):
            yield own
        for key in sorted(found):
            if isinstance(found[key], dict | list):
                yield from _excerpts(found[key])


def _excerpt(found: dict[str, Any]) -> Excerpt | None:
    strings = {key: item for key, item in sorted(found.items()) if isinstance(item, str) and item.strip()}
    source = next((key for key in _SOURCES if key in strings), None) or _looks_like_source(strings)
    if source is None:
        return None
    rest = {key: item for key, item in strings.items() if key != source}
    text = next((key for key in _TEXTS if key in rest), None)
    if text is None:
        text = max(rest, key=lambda key: (len(rest[key]), rest[key]), default=None)
        if text is None or len(rest[text].split()) < PROSE:
            return None
    if any(_excerpt(sub) for sub in _children(found)):
        return None  # a report that cites others is not itself a source
    line = next((found[key] for key in _LINES if type(found.get(key)) is int), None)
    if line is None:
        line = (
            next((item for _, item in sorted(found.items()) if type(item) is int), None)
            if source not in _SOURCES
            else None
        )
    known = {text, source, *_LINES}
    context = " ".join(
        item
        for key, item in rest.items()
        if key != text and (key in ("title", "heading", "section") or len(item.split()) >= PROSE)
    )
    return Excerpt(strings[text], strings[source], line, 0, context, {k: v for k, v in found.items() if k not in known})


def _children(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in found.values():
        if isinstance(item, list):
            yield from (sub for sub in item if isinstance(sub, dict))


def _looks_like_source(strings: dict[str, str]) -> str | None:
    """Return the key of a value that is one word beside a longer text: names may be anything, a locator has no spaces."""
    if not any(len(item.split()) >= 2 for item in strings.values()):
        return None
    return min(
        (key for key, item in strings.items() if len(item.split()) == 1),
        key=lambda key: (-len(strings[key]), strings[key]),
        default=None,
    )


def _remarks(material: Any) -> Iterator[str]:
    """Yield the sentences that stand in a list beside cited facts: what a colleague reports as missing."""
    if isinstance(material, list):
        for item in material:
            yield from _remarks(item)
    elif isinstance(material, dict):
        lists = [(key, item) for key, item in sorted(material.items()) if isinstance(item, list) and item]
        reports = any(isinstance(item, list) for item in material.values())
        for key, item in lists:
            if reports and all(isinstance(one, str) for one in item) and _is_remark(key, item, material):
                yield from item
            else:
                yield from _remarks(item)


def _judged(material: Any) -> bool:
    """Say whether *material* holds a report: quoted facts beside a list of remarks, which may be empty."""
    if isinstance(material, list):
        return any(map(_judged, material))
    if not isinstance(material, dict):
        return False
    lists = [item for item in material.values() if isinstance(item, list)]
    quoting = any(isinstance(one, dict) and _excerpt(one) for item in lists for one in item)
    remarking = any(all(isinstance(one, str) for one in item) for item in lists)
    return (quoting and remarking and len(lists) > 1) or any(_judged(one) for one in material.values())


def _drafted(material: Any) -> bool:
    """Say whether *material* holds a text that cites: prose with [1] beside a list of quoted places."""
    if isinstance(material, list):
        return any(map(_drafted, material))
    if not isinstance(material, dict):
        return False
    text = any(isinstance(item, str) and "[1]" in item for item in material.values())
    return (text and _judged(material)) or any(_drafted(one) for one in material.values())


def _is_remark(key: str, item: list[str], material: dict[str, Any]) -> bool:
    named = {stem("gap"), stem("missing"), stem("unanswered")} & set(raw_stems(key))
    beside = any(isinstance(other, list) and other and isinstance(other[0], dict) for other in material.values())
    empty = any(isinstance(other, list) and not other for other in material.values())
    return bool(named) or ((beside or empty) and all(len(one.split()) >= 3 for one in item))


def _spoken(use: Used, *, deed: bool) -> list[Excerpt]:
    """Return plain text and records without prose as excerpts, labelled by the tool."""
    found = use.result
    texts = [found] if isinstance(found, str) else [_record(item) for item in _records(found)]
    return [Excerpt(text, use.name, None, rank, deed=deed) for rank, text in enumerate(texts) if text]


def _records(found: Any) -> list[dict[str, Any]]:
    items = found if isinstance(found, list) else [found]
    return [item for item in items if isinstance(item, dict)]


def _record(found: dict[str, Any]) -> str:
    return ", ".join(
        f"{key.replace('_', ' ')}: {item}" for owner, key, item in _leaves(found) if item not in (None, "")
    )


def _leaves(found: Any, owner: str = "") -> Iterator[tuple[str, str, Any]]:
    if isinstance(found, dict):
        for key in sorted(found):
            if isinstance(found[key], dict | list):
                yield from _leaves(found[key], key)
            else:
                yield owner, key, found[key]
    elif isinstance(found, list):
        for item in found:
            yield from _leaves(item, owner)


def _unique(excerpts: list[Excerpt]) -> tuple[Excerpt, ...]:
    kept: dict[tuple[str, str], Excerpt] = {}
    for one in excerpts:
        known = kept.get((one.source, one.text))
        if known is None or (one.rank < known.rank):
            kept[(one.source, one.text)] = one
    return tuple(kept.values())


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
