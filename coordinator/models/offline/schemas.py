"""JSON Schema as the engine reads it: references resolved, null and choices told apart, values checked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from coordinator.domain.value import value

Schema = Mapping[str, Any]
UNSET: Any = object()


@value
class Option:
    """One value of a choice and what choosing it means."""

    value: Any
    description: str


@value
class Shape:
    """One place of a schema: what may stand there."""

    name: str
    description: str
    kind: str
    """object, array, string, integer, number, boolean, choice, union, null or any"""
    nullable: bool
    default: Any
    """The default, or UNSET."""
    options: tuple[Option, ...]
    schema: Schema
    root: Schema
    within: str = ""
    """Description of the object that the place belongs to."""
    _places: "list[Shape]" = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def properties(self) -> "list[Shape]":
        """The places of an object, in an order that depends neither on the order of keys nor on names alone."""
        if not self._places:
            found = self.schema.get("properties", {})
            shapes = [shape(sub, self.root, name, within=self.description) for name, sub in found.items()]
            self._places.extend(sorted(shapes, key=lambda one: (one.description, one.name)))
        return self._places

    @property
    def required(self) -> frozenset[str]:
        """Names of the places that must be filled."""
        return frozenset(self.schema.get("required", ()))

    @property
    def item(self) -> "Shape":
        """What the items of an array are."""
        return shape(self.schema.get("items", {}), self.root, self.name, within=self.description)

    @property
    def branches(self) -> "list[Shape]":
        """The alternatives of a union."""
        return [shape(sub, self.root, self.name) for sub in _alternatives(self.schema, self.root)]


def shape(schema: Any, root: Schema, name: str = "", within: str = "") -> Shape:
    """Read one place of *schema*; *root* holds the definitions that references name."""
    flat = resolve(schema, root)
    branches = _alternatives(flat, root)
    rest = [branch for branch in branches if branch.get("type") != "null"]
    nullable = len(rest) < len(branches) or flat.get("nullable") is True
    core: Schema = rest[0] if len(rest) == 1 else flat
    options = tuple(_options(rest)) if rest and all("const" in branch or "enum" in branch for branch in rest) else ()
    kind, listed = _kind(core, options, rest)
    about = str(flat.get("description") or core.get("description") or core.get("title") or "")
    default = flat.get("default", core.get("default", UNSET))
    return Shape(name, about, kind, nullable or listed, default, options, core, root, within)


def resolve(schema: Any, root: Schema) -> Schema:
    """Return *schema* with its own reference followed; what stands beside the reference wins."""
    found: Schema = schema if isinstance(schema, Mapping) else {}
    for _ in range(16):
        single = found.get("allOf")
        if "$ref" in found:
            target = _target(str(found["$ref"]), root)
            found = {**target, **{key: sub for key, sub in found.items() if key != "$ref"}}
        elif isinstance(single, Sequence) and len(single) == 1:
            found = {**single[0], **{key: sub for key, sub in found.items() if key != "allOf"}}
        else:
            break
    return found


def _target(reference: str, root: Schema) -> Schema:
    found: Any = root
    for piece in reference.removeprefix("#").split("/"):
        if piece and isinstance(found, Mapping):
            found = found.get(piece.replace("~1", "/").replace("~0", "~"), {})
    return found if isinstance(found, Mapping) else {}


def _alternatives(flat: Schema, root: Schema) -> list[Schema]:
    """Return the alternatives of *flat*, nested ones laid flat; itself when it has none."""
    for key in ("anyOf", "oneOf"):
        if key in flat:
            return [leaf for sub in flat[key] for leaf in _alternatives(resolve(sub, root), root)]
    return [flat]


def _options(branches: list[Schema]) -> Iterator[Option]:
    for branch in branches:
        if "const" in branch:
            yield Option(branch["const"], str(branch.get("description") or branch.get("title") or ""))
        else:
            yield from (Option(word, "") for word in branch["enum"] if word is not None)


def _kind(core: Schema, options: tuple[Option, ...], rest: list[Schema]) -> tuple[str, bool]:
    """Return the kind, and whether a list of types makes it nullable."""
    if options:
        return "choice", any(None in branch.get("enum", ()) for branch in rest)
    if len(rest) > 1:
        return "union", False
    kinds = core.get("type", "null" if not rest else "object" if "properties" in core else "any")
    if isinstance(kinds, str):
        return kinds, False
    named = [kind for kind in kinds if kind != "null"]
    return (named[0] if named else "null"), "null" in kinds


def fits(found: Any, place: Shape) -> bool:
    """Say whether *found* is a valid value at *place*."""
    if found is None and (place.nullable or place.kind in ("null", "any")):
        return True
    if place.kind == "choice":
        return any(type(option.value) is type(found) and option.value == found for option in place.options)
    if place.kind == "union":
        return any(fits(found, branch) for branch in place.branches)
    check = _CHECKS.get(place.kind)
    return check is None or check(found, place)


def _fits_object(found: Any, place: Shape) -> bool:
    if not isinstance(found, Mapping) or not place.required <= found.keys():
        return False
    known = {sub.name: sub for sub in place.properties}
    closed = place.schema.get("additionalProperties") is False
    return all(fits(item, known[name]) if name in known else not closed for name, item in found.items())


def _fits_array(found: Any, place: Shape) -> bool:
    low, high = place.schema.get("minItems", 0), place.schema.get("maxItems", float("inf"))
    inside = place.item
    return isinstance(found, list) and low <= len(found) <= high and all(fits(item, inside) for item in found)


def _fits_string(found: Any, place: Shape) -> bool:
    schema = place.schema
    if not isinstance(found, str) or not schema.get("minLength", 0) <= len(found) <= schema.get("maxLength", 1 << 62):
        return False
    if "pattern" in schema and not _search(schema["pattern"], found):
        return False
    return bool(_FORMATS.get(schema.get("format", ""), _any_text)(found))


def _search(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:  # a pattern of another dialect: nothing can be said to match it
        return False


def _fits_number(found: Any, place: Shape) -> bool:
    if isinstance(found, bool) or not isinstance(found, int if place.kind == "integer" else int | float):
        return False
    schema = place.schema
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    above, below = schema.get("exclusiveMinimum", float("-inf")), schema.get("exclusiveMaximum", float("inf"))
    return bool(low <= found <= high and above < found < below)


def _any_text(_: str) -> bool:
    return True


def _parses(read: Any) -> Any:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


_CHECKS: dict[str, Any] = {
    "object": _fits_object,
    "array": _fits_array,
    "string": _fits_string,
    "integer": _fits_number,
    "number": _fits_number,
    "boolean": lambda found, _: isinstance(found, bool),
    "null": lambda found, _: found is None,
}
_FORMATS: dict[str, Any] = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.\w+").fullmatch,
    "date": _parses(date.fromisoformat),
    "date-time": _parses(datetime.fromisoformat),
    "uuid": _parses(UUID),
    "uri": re.compile(r"[a-z][a-z0-9+.-]*://\S+").fullmatch,
}
