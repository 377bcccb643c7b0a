"""Rules that recognise the value of an argument: each yields candidates, the likeliest first, and invents none."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from coordinator.domain.value import value
from coordinator.models.offline import words
from coordinator.models.offline.conversation import Conversation
from coordinator.models.offline.schemas import UNSET, Shape, fits
from coordinator.models.offline.words import raw_stems, stem

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>\"')\]]+", re.I)
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I)
_PATH = re.compile(
    r"(?<![\w:/])(?:\.{0,2}/)?(?:[\w.-]+/)*[\w-]+\.[A-Za-z]\w{0,5}\b|(?<![\w:/])(?:\.{0,2}/)?(?:[\w.-]+/)+[\w.-]*"
)
_MONEY = re.compile(
    r"(?:[$€£]\s?(\d+(?:[.,]\d+)*)|\b(\d+(?:[.,]\d+)*)\s?(?:dollars?|euros?|pounds?|USD|EUR|GBP|€|\$|£))", re.I
)
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)
_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\.?,? (\d{{4}})\b", re.I)
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b", re.I)
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w-]|\.\d)")
_TOKEN = re.compile(r"[^\s,;:!?\"'“”()\[\]<>#]+")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
_COUNTED = re.compile(r"\b(?:last|first|top|latest|newest|up to|at most)\s+(\d+|[a-z]+)\b", re.I)
_NUMBER_WORDS = {
    w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
}
_ID_WORDS = frozenset(stem(word) for word in "id number no code ref reference key identifier".split())
_QUERY_WORDS = frozenset(stem(word) for word in "query question search look keyword phrase find term lookup".split())
_CODE_WORDS = frozenset(stem(word) for word in "sql regex regexp expression code script formula command".split())
_PATH_WORDS = frozenset(stem(word) for word in "path file filename folder directory".split())
_KIND_WORDS = frozenset(stem(word) for word in "email mail url uri link date uuid".split())
_MONEY_WORDS = frozenset(stem(word) for word in "amount price cost money sum usd eur total fee budget".split())
_LIMIT_WORDS = frozenset(stem(word) for word in "limit count max maximum top many most".split())
_PROSE_WORDS = frozenset(
    stem(word)
    for word in "title body reason description message subject text note comment summary content request".split()
)
_PLACES = (
    (re.compile(r"origin|source|from|depart|start"), "from"),
    (re.compile(r"destin|target|arriv|\bto\b|recipient"), "to"),
    (re.compile(r"city|place|location|region|country|town"), "in|at|near|for|of"),
)
_CAPITALS = r"[A-Z][\w-]+(?: [A-Z][\w-]+)*"


@value
class Said:
    """What arguments may be taken from: the user's words, nearest first, a query, and the conversation."""

    texts: tuple[str, ...]
    query: str
    conversation: Conversation
    searching: bool = False
    """Whether the tool looks for things by words, so that its one free text is the query."""


def chosen(place: Shape, said: Said) -> Iterator[Any]:
    """Yield the options of a choice that the text names."""
    whole = words.stem_set(" ".join(said.texts))
    scored = []
    for index, option in enumerate(place.options):
        own = list(words.terms(str(option.value))) if isinstance(option.value, str) else []
        hits = sum(words.match(term, whole, 0.5) for term in own) / len(own) if own else 0.0
        if len(place.options) == 1:
            hits = 2.0
        scored.append((-hits, index, option.value))
    yield from (item for hits, _, item in sorted(scored, key=lambda one: one[:2]) if hits <= -0.5)


def formatted(place: Shape, said: Said) -> Iterator[Any]:
    """Yield e-mail addresses, URLs, dates, paths and the like, by format or by name."""
    if place.kind != "string":
        return
    about = set(raw_stems(f"{place.name} {place.description}"))
    wanted = place.schema.get("format", "")
    for text in said.texts:
        if wanted == "email" or (not wanted and stem("email") in about and "pattern" not in place.schema):
            yield from _EMAIL.findall(text)
        if wanted == "uri" or (not wanted and about & {"url", "uri", "link"}):
            yield from (found.rstrip(".,") for found in _URL.findall(text))
        if wanted == "uuid":
            yield from _UUID.findall(text)
        if wanted == "date" or (not wanted and stem("date") in about):
            yield from dates(text)
        if not wanted and about & _PATH_WORDS:
            yield from (found for found in _PATH.findall(_URL.sub(" ", _EMAIL.sub(" ", text))) if found.strip("./"))


def dates(text: str) -> list[str]:
    """Return the absolute dates of *text* in ISO form; relative ones (tomorrow) need a clock and are left alone."""
    found = _ISO.findall(text)
    found += [_iso(year, month, day) for day, month, year in _DAY_FIRST.findall(text)]
    return found + [_iso(year, month, day) for month, day, year in _MONTH_FIRST.findall(text)]


def _iso(year: str, month: str, day: str) -> str:
    number = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(month.lower()))
    try:
        return date(int(year), number, int(day)).isoformat()
    except ValueError:  # 31 February: a text, but no date
        return ""


def _bare(text: str) -> str:
    """Blank out what only looks like an identifier: a year in a date is no order number."""
    for pattern in (_EMAIL, _URL, _ISO, _DAY_FIRST, _MONTH_FIRST, _MONEY):
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    return text


def patterned(place: Shape, said: Said) -> Iterator[Any]:
    """Yield tokens that match the pattern, nearest to the argument's own words first."""
    if place.kind != "string" or "pattern" not in place.schema:
        return
    for text in said.texts:
        found = [m for m in _TOKEN.finditer(_bare(text)) if fits(m.group().rstrip("."), place)]
        digits = [m for m in found if any(map(str.isdigit, m.group()))]
        near = sorted(
            digits or [m for m in found if not words.is_stop(m.group())],
            key=lambda m: (_distance(place, text, m), m.start()),
        )
        yield from (m.group().rstrip(".") for m in near if digits or _distance(place, text, m) < 25)


def _distance(place: Shape, text: str, at: re.Match[str]) -> int:
    """Return how many characters lie between a match and the nearest word of the argument's own name or description."""
    own = frozenset(raw_stems(place.name)) | words.stem_set(place.description)
    own = own - _ID_WORDS - words.GENERIC
    gaps = [
        min(abs(at.start() - word.end()), abs(word.start() - at.end()))
        for word in re.finditer(r"\w+", text)
        if stem(word.group()) in own and not (at.start() <= word.start() < at.end())
    ]
    return min(gaps, default=1000)


def numbered(place: Shape, said: Said) -> Iterator[Any]:
    """Yield numbers near the argument's own words; money only for what is money."""
    if place.kind not in ("integer", "number"):
        return
    about = set(raw_stems(f"{place.name} {place.description}"))
    read: Callable[[str], Any] = int if place.kind == "integer" else float
    for text in said.texts:
        if about & _MONEY_WORDS:
            amounts = [(a or b).replace(",", "") for a, b in _MONEY.findall(text)]
            yield from (read(amount) for amount in amounts if place.kind == "number" or amount.isdigit())
        if about & _LIMIT_WORDS:
            yield from (n for word in _COUNTED.findall(text) if (n := _count(word)) is not None)
            continue
        if stem("month") in about:
            yield from (n for n, name in enumerate(_MONTHS, 1) if re.search(rf"\b{name}\b", text, re.I))
        close = [(_distance(place, text, m), m.start(), m.group()) for m in _NUMBER.finditer(_bare(text))]
        yield from (
            read(found) for gap, _, found in sorted(close) if gap < 60 and (place.kind == "number" or "." not in found)
        )


def _count(word: str) -> int | None:
    return int(word) if word.isdigit() else _NUMBER_WORDS.get(word.lower())


def identified(place: Shape, said: Said) -> Iterator[Any]:
    """Yield tokens with a digit directly beside the argument's own word."""
    if place.kind != "string" or "pattern" in place.schema or not is_identifier(place):
        return
    for text in said.texts:
        tokens = [m for m in _TOKEN.finditer(_bare(text)) if any(map(str.isdigit, m.group()))]
        near = [(_distance(place, text, m), m.start(), m.group().rstrip(".")) for m in tokens]
        yield from (found for gap, _, found in sorted(near) if gap < 25)


def is_identifier(place: Shape) -> bool:
    """Say whether the name or description of *place* asks for an identifier of one thing."""
    return bool(_ID_WORDS & set(raw_stems(f"{place.name} {place.description}")))


def from_results(place: Shape, said: Said) -> Iterator[Any]:
    """Yield values of the same key in earlier results, newest first."""
    if not (is_identifier(place) or "pattern" in place.schema or place.kind in ("integer", "number")):
        return
    for owner, key, item in said.conversation.leaves():
        owned = (key == "id" and place.name == f"{owner}_id") or place.name == f"{owner}_{key}"
        if (key == place.name or owned) and item is not None:
            yield item


def placed(place: Shape, said: Said) -> Iterator[Any]:
    """Yield names behind their preposition or behind the argument's own word."""
    if place.kind != "string" or "pattern" in place.schema or is_identifier(place) or _names_file(place):
        return  # a file is named by its path, never by a capital letter
    about = f"{place.name.replace('_', ' ')} {place.description}".lower()
    for text in said.texts:
        for pattern, preposition in _PLACES:
            if pattern.search(about):
                yield from re.findall(rf"\b(?:{preposition}) ({_CAPITALS})", text)
        for word in raw_stems(place.name):
            yield from (
                m.group(2)
                for m in re.finditer(r"\b(\w+) ([\w-]+)", text)
                if stem(m.group(1)) == word and not words.is_stop(m.group(2))
            )
        if stem("name") in raw_stems(about):
            yield from ("".join(groups) for groups in _QUOTED.findall(text))
            yield from re.findall(rf"(?<=[a-z,] )({_CAPITALS})", text)


def _names_file(place: Shape) -> bool:
    return not _PATH_WORDS.isdisjoint(raw_stems(place.name))


def queried(place: Shape, said: Said) -> Iterator[Any]:
    """Yield the search query, for an argument that asks for one."""
    if _may_be_query(place) and set(raw_stems(f"{place.name} {place.description}")) & _QUERY_WORDS:
        yield said.query


def searched(place: Shape, said: Said) -> Iterator[Any]:
    """Yield the search query, for the one free text of a tool that searches."""
    if said.searching and _may_be_query(place):
        yield said.query


def _may_be_query(place: Shape) -> bool:
    about = set(raw_stems(f"{place.name} {place.description}"))
    if {"pattern", "format"} & place.schema.keys() or is_identifier(place):
        return False
    of_a_kind = about & (_CODE_WORDS | _PATH_WORDS) or _KIND_WORDS & set(raw_stems(place.name))
    return place.kind == "string" and not of_a_kind


def verbatim(place: Shape, said: Said) -> Iterator[Any]:
    """Yield quoted text, then the request as it was said."""
    about = set(raw_stems(f"{place.name} {place.description}"))
    if place.kind == "string" and about & _PROSE_WORDS and not {"pattern", "format"} & place.schema.keys():
        yield from ("".join(groups) for groups in _QUOTED.findall(said.texts[-1]))
        yield said.texts[-1]


def defaulted(place: Shape, said: Said) -> Iterator[Any]:
    """Yield the default."""
    if place.default is not UNSET:
        yield place.default
