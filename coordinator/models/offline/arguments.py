"""Values for the arguments of a tool: from the user's words, from earlier results, from the schema, or not at all.

The first rule that yields a value which the schema accepts wins. A value is never made up: what no rule yields is left
out, and a required argument that is left out makes the tool uncallable.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from coordinator.domain.value import value
from coordinator.models.offline import recognising
from coordinator.models.offline.conversation import Conversation
from coordinator.models.offline.recognising import Said
from coordinator.models.offline.schemas import UNSET, Shape, fits
from coordinator.models.offline.words import raw_stems, stem

@value
class Filled:
    """The arguments that could be filled, and what was not."""

    arguments: Mapping[str, Any]
    missing: tuple[str, ...]
    tokens: frozenset[str]
    """Tokens of the user's text that fill an argument; one token fills one only."""
    strong: bool
    """Whether a required argument came from the user's text or from a result, not from a search query."""
    queried: bool
    by_result: bool = False


def fill(place: Shape, said: Said, taken: frozenset[str] = frozenset()) -> Filled:
    """Fill the object *place* from *said*; tokens in *taken* are used up."""
    found: dict[str, Any] = {}
    missing: list[str] = []
    tokens, strong, queried, by_result = set(taken), False, False, False
    for sub in sorted(place.properties, key=_certainty):
        yielded = _yield(sub, said, tokens, required=sub.name in place.required)
        if yielded is None:
            missing += [sub.name] if sub.name in place.required else []
            continue
        rule, item = yielded
        found[sub.name] = item
        queried |= rule == "query"
        by_result |= rule == "result"
        strong |= sub.name in place.required and rule in ("text", "result")
        if rule == "text":
            tokens.add(str(item))
    return Filled(found, tuple(missing), frozenset(tokens - taken), strong, queried, by_result)


def _certainty(place: Shape) -> tuple[int, str, str]:
    """Sort key: what recognises its value most surely picks first."""
    schema = place.schema
    sure = 0 if place.options else 1 if "format" in schema else 2 if "pattern" in schema else 3
    return sure, place.description, place.name


def _yield(place: Shape, said: Said, taken: set[str], *, required: bool) -> tuple[str, Any] | None:
    if place.kind == "object" and place.schema.get("properties"):
        inner = fill(place, said, frozenset(taken)) if required else None
        return ("text" if inner.strong else "weak", dict(inner.arguments)) if inner and not inner.missing else None
    if place.kind == "array":
        return _many(place, said, taken, required=required)
    for rule, name in _LADDER:
        for item in rule(place, said):
            if str(item) not in taken and fits(item, place) and (required or name != "verbatim"):
                return name, item
    return None  # an optional argument keeps its own default by being left out


def _many(place: Shape, said: Said, taken: set[str], *, required: bool) -> tuple[str, Any] | None:
    for rule, name in _LADDER:
        found = [
            item for item in dict.fromkeys(rule(place.item, said)) if str(item) not in taken and fits(item, place.item)
        ]
        if found and fits(found, place) and (required or name == "text"):
            return name, found
    return None


def scalar(place: Shape, said: Said) -> Any:
    """Return a value for *place* that the words or results of *said* hold, or UNSET; never a query or the text as such."""
    for rule, name in _LADDER:
        if name in ("text", "result") and rule is not _placed:  # a capitalised word is a guess, and this is an answer
            for item in rule(place, said):
                if fits(item, place):
                    return item
    return UNSET


_LADDER:
        for item in rule(place, said):
            if str(item) not in taken and fits(item, place) and (required or name != "verbatim"):
                return name, item
    return None  # an optional argument keeps its own default by being left out


def _many(place: Shape, said: Said, taken: set[str], *, required: bool) -> tuple[str, Any] | None:
    for rule, name in _LADDER:
        found = [
            item for item in dict.fromkeys(rule(place.item, said)) if str(item) not in taken and fits(item, place.item)
        ]
        if found and fits(found, place) and (required or name == "text"):
            return name, found
    return None


def scalar(place: Shape, said: Said) -> Any:
    """Return a value for *place* that the words or results of *said* hold, or UNSET; never a query or the text as such."""
    for rule, name in _LADDER:
        if name in ("text", "result") and rule is not _placed:  # a capitalised word is a guess, and this is an answer
            for item in rule(place, said):
                if fits(item, place):
                    return item
    return UNSET


def _choice(place: Shape, said: Said) -> Iterator[Any]:
    whole = words.stem_set(" ".join(said.texts))
    scored = []
    for index, option in enumerate(place.options):
        own = [term for term in words.terms(str(option.value))] if isinstance(option.value, str) else []
        hits = sum(words.match(term, whole, 0.5) for term in own) / len(own) if own else 0.0
        if len(place.options) == 1:
            hits = 2.0
        scored.append((-hits, index, option.value))
    yield from (item for hits, _, item in sorted(scored, key=lambda one: one[:2]) if hits <= -0.5)


def _formatted(place: Shape, said: Said) -> Iterator[Any]:
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
        return datetime(int(year), number, int(day)).date().isoformat()
    except ValueError:  # 31 February: a text, but no date
        return ""


def _bare(text: str) -> str:
    """Blank out what only looks like an identifier: a year in a date is no order number."""
    for pattern in (_EMAIL, _URL, _ISO, _DAY_FIRST, _MONTH_FIRST, _MONEY):
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    return text


def _patterned(place: Shape, said: Said) -> Iterator[Any]:
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


def _own_words(place: Shape) -> frozenset[str]:
    return frozenset(raw_stems(place.name)) - _ID_WORDS or words.stem_set(place.description) - _ID_WORDS


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


def _numbered(place: Shape, said: Said) -> Iterator[Any]:
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


def _identified(place: Shape, said: Said) -> Iterator[Any]:
    if place.kind != "string" or "pattern" in place.schema or not is_identifier(place):
        return
    for text in said.texts:
        tokens = [m for m in _TOKEN.finditer(_bare(text)) if any(map(str.isdigit, m.group()))]
        near = [(_distance(place, text, m), m.start(), m.group().rstrip(".")) for m in tokens]
        yield from (found for gap, _, found in sorted(near) if gap < 25)


def is_identifier(place: Shape) -> bool:
    """Say whether the name or description of *place* asks for an identifier of one thing."""
    return bool(_ID_WORDS & set(raw_stems(f"{place.name} {place.description}")))


def _from_results(place: Shape, said: Said) -> Iterator[Any]:
    if not (is_identifier(place) or "pattern" in place.schema or place.kind in ("integer", "number")):
        return
    for owner, key, item in said.conversation.leaves():
        owned = (key == "id" and place.name == f"{owner}_id") or place.name == f"{owner}_{key}"
        if (key == place.name or owned) and item is not None:
            yield item


def _placed(place: Shape, said: Said) -> Iterator[Any]:
    if place.kind != "string" or "pattern" in place.schema or is_identifier(place):
        return
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


def _queried(place: Shape, said: Said) -> Iterator[Any]:
    if _may_be_query(place) and set(raw_stems(f"{place.name} {place.description}")) & _QUERY_WORDS:
        yield said.query


def _searched(place: Shape, said: Said) -> Iterator[Any]:
    if said.searching and _may_be_query(place):
        yield said.query


def _may_be_query(place: Shape) -> bool:
    about = set(raw_stems(f"{place.name} {place.description}"))
    bound = {"pattern", "format"} & place.schema.keys() or about & (_CODE_WORDS | _PATH_WORDS) or is_identifier(place)
    return place.kind == "string" and not bound


def _verbatim(place: Shape, said: Said) -> Iterator[Any]:
    about = set(raw_stems(f"{place.name} {place.description}"))
    if place.kind == "string" and about & _PROSE_WORDS and not {"pattern", "format"} & place.schema.keys():
        yield from ("".join(groups) for groups in _QUOTED.findall(said.texts[-1]))
        yield said.texts[-1]


def _default(place: Shape, said: Said) -> Iterator[Any]:
    if place.default is not UNSET:
        yield place.default


_LADDER: tuple[tuple[Callable[[Shape, Said], Iterator[Any]], str], ...] = (
    (_choice, "text"),
    (_formatted, "text"),
    (_patterned, "text"),
    (_numbered, "text"),
    (_identified, "text"),
    (_from_results, "result"),
    (_queried, "query"),
    (_placed, "text"),
    (_searched, "query"),
    (_verbatim, "verbatim"),
    (_default, "default"),
)
