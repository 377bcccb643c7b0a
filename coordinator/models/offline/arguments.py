"""Values for the arguments of a tool: from the user's words, from earlier results, from the schema, or not at all.

The first rule that yields a value which the schema accepts wins. A value is never made up: what no rule yields is left
out, and a required argument that is left out makes the tool uncallable.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coordinator.domain.value import value
from coordinator.models.offline import recognising
from coordinator.models.offline.recognising import Said
from coordinator.models.offline.schemas import UNSET, Shape, fits


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
    """Return a value for *place* that the words or results of *said* hold, or UNSET; never the text as such."""
    for rule, name in _LADDER:
        if (
            name in ("text", "result") and rule is not recognising.placed
        ):  # a capitalised word is a guess, and this is an answer
            for item in rule(place, said):
                if fits(item, place):
                    return item
    return UNSET


_LADDER: tuple[tuple[Callable[[Shape, Said], Iterator[Any]], str], ...] = (
    (recognising.chosen, "text"),
    (recognising.formatted, "text"),
    (recognising.patterned, "text"),
    (recognising.numbered, "text"),
    (recognising.identified, "text"),
    (recognising.from_results, "result"),
    (recognising.queried, "query"),
    (recognising.placed, "text"),
    (recognising.searched, "query"),
    (recognising.verbatim, "verbatim"),
    (recognising.defaulted, "default"),
)
