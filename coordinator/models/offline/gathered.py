"""What tool results and materials hold: passages that may be quoted, remarks of colleagues, and plain values."""

import re
from collections.abc import Iterator
from typing import Any

from coordinator.domain.result import Reply
from coordinator.models.offline.passages import Excerpt
from coordinator.models.offline.words import raw_stems, stem

PROSE = 6
"""Words from which on a text is prose and may be quoted on its own."""

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
# Where something is from has a mark that a plain word has not: "a/b", "a.md", "doc:7", "A17".
_LOCATOR = re.compile(r"\S*[\d./:#\\]\S*")
_REPLY = frozenset(Reply.model_fields)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
# How people and this engine begin to say, or say, that something was not found or could not be looked up.
_FELL_SHORT = re.compile(
    r"^\W*(?:not found|could (?:not|only)|cannot|unable to|no source|nothing (?:there|was)|only possibly)\b"
    r"|\b(?:not|nothing|never)(?: be| been)? (?:found|looked up|available)\b"
    r"|\b(?:could not|cannot|couldn['’]t|can['’]t) (?:be )?(?:find|look|answer|reach|read)",
    re.I,
)


def interleaved(found: Any, *, deed: bool = False) -> list[Excerpt]:
    """Return every passage in *found*, ranked in the order of its finder; *deed* when it tells what a tool did."""
    return [
        Excerpt(one.text, one.source, one.line, rank, one.context, one.record, deed)
        for rank, one in enumerate(_excerpts(found))
    ]  # fmt: skip


def _excerpts(found: Any) -> Iterator[Excerpt]:
    """Yield every dict in *found* that has a text and a source; keys are sorted, so that their order is nothing."""
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
    """Return the key of a value that is one word and no plain one, beside a longer text: a locator has no spaces."""
    if not any(len(item.split()) >= 2 for item in strings.values()):
        return None
    return min(
        (key for key, item in strings.items() if _LOCATOR.fullmatch(item.strip())),
        key=lambda key: (-len(strings[key]), strings[key]),
        default=None,
    )


def remarks(material: Any) -> Iterator[str]:
    """Yield what a colleague reports as missing: sentences in a list beside cited facts, or why a reply falls short."""
    if shortfall := unfinished(material):
        yield from shortfall
    elif isinstance(material, list):
        for item in material:
            yield from remarks(item)
    elif isinstance(material, dict):
        lists = [(key, item) for key, item in sorted(material.items()) if isinstance(item, list) and item]
        reports = any(isinstance(item, list) for item in material.values())
        for key, item in lists:
            if reports and all(isinstance(one, str) for one in item) and _is_remark(key, item, material):
                yield from item
            else:
                yield from remarks(item)


def unfinished(found: Any) -> list[str]:
    """Return why *found*, the reply of a member, is not whole; empty when it is, or is something else."""
    if not isinstance(found, dict) or not found.keys() >= _REPLY or found["status"] == "completed":
        return []
    reasons = found["reasons"] if isinstance(found["reasons"], list) else []
    told = [reason["message"] for reason in reasons if isinstance(reason, dict) and reason.get("message")]
    return [str(one) for one in told or [found["text"] or f"A member's reply is {found['status']}."]]


def shortfalls(found: Any) -> list[str]:
    """Return what the result of a member says was not found or could not be looked up, whatever its fields are named.

    What a member cites has its own source; every other word is its own, and no evidence of anything.
    """
    told = list(remarks(found))
    cited = " ".join(one.text for one in _excerpts(found))
    own = [sentence.strip() for text in _own_words(found) for sentence in _SENTENCE.split(text)]
    return told + [one for one in own if _FELL_SHORT.search(one) and one not in cited]


def _own_words(found: Any) -> Iterator[str]:
    """Yield the texts of a member's result that stand in it directly, or in a list of nothing else."""
    for item in found.values() if isinstance(found, dict) else [found]:
        yield from (one for one in (item if isinstance(item, list) else [item]) if isinstance(one, str))


def judged(material: Any) -> bool:
    """Say whether *material* holds a report: quoted facts beside a list of remarks, which may be empty."""
    if isinstance(material, list):
        return any(map(judged, material))
    if not isinstance(material, dict):
        return False
    lists = [item for item in material.values() if isinstance(item, list)]
    quoting = any(isinstance(one, dict) and _excerpt(one) for item in lists for one in item)
    remarking = any(all(isinstance(one, str) for one in item) for item in lists)
    return (quoting and remarking and len(lists) > 1) or any(judged(one) for one in material.values())


def _is_remark(key: str, item: list[str], material: dict[str, Any]) -> bool:
    named = {stem("gap"), stem("missing"), stem("unanswered")} & set(raw_stems(key))
    beside = any(isinstance(other, list) and other and isinstance(other[0], dict) for other in material.values())
    empty = any(isinstance(other, list) and not other for other in material.values())
    return bool(named) or ((beside or empty) and all(len(one.split()) >= 3 for one in item))


def spoken(found: Any, name: str, *, deed: bool) -> list[Excerpt]:
    """Return plain text and records without prose as excerpts, labelled by the tool."""
    if unfinished(found):
        return []
    texts = [found] if isinstance(found, str) else [_record(item) for item in _records(found)]
    return [Excerpt(text, name, None, rank, deed=deed) for rank, text in enumerate(texts) if text]


def _records(found: Any) -> list[dict[str, Any]]:
    items = found if isinstance(found, list) else [found]
    return [item for item in items if isinstance(item, dict)]


def _record(found: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')}: {item}" for owner, key, item in leaves(found) if item not in (None, ""))


def leaves(found: Any, owner: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield (owner, key, value) of every scalar in *found*; the owner is the key of the object around it."""
    if isinstance(found, dict):
        for key in sorted(found):
            if isinstance(found[key], dict | list):
                yield from leaves(found[key], key)
            else:
                yield owner, key, found[key]
    elif isinstance(found, list):
        for item in found:
            yield from leaves(item, owner)


def unique(excerpts: list[Excerpt]) -> tuple[Excerpt, ...]:
    """Return *excerpts* each once, with its best rank."""
    kept: dict[tuple[str, str], Excerpt] = {}
    for one in excerpts:
        known = kept.get((one.source, one.text))
        if known is None or (one.rank < known.rank):
            kept[(one.source, one.text)] = one
    return tuple(kept.values())
