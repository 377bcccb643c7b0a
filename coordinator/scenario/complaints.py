"""What a validator found wrong, in one line with its place and a way to repair it."""

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from coordinator.domain.errors import Invalid
from coordinator.scenario.document import KINDS, SEE, Document, Place, nearest
from coordinator.scenario.schema import json_schema, names_at

PLAINER = {"a valid list": "a list", "a valid dictionary": "a mapping", "a valid string": "text"}


def complaint(document: Document, error: ValidationError, *, under: Place = (), shape: Place = ()) -> Invalid:
    """Return what is wrong first in *document*.

    Args:
        document: where the values come from.
        error: what the validator found.
        under: where the validated values stand in the document.
        shape: where the document's own values would stand in a scenario.
    """
    found = [(_place(document, under, one), one) for one in error.errors(include_url=False)]
    # What cannot stand there at all explains why something else is missing there.
    place, first = min(found, key=lambda pair: (document.line(pair[0]), pair[1]["type"] == "missing"))
    message, hint = _told(place, first, shape)
    return document.wrong(place, message, hint=hint)


def dotted(place: Place) -> str:
    """Return *place* as people write it, such as `expect.mentions[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def _place(document: Document, under: Place, error: ErrorDetails) -> Place:
    """Return the place in the file: a validator's own path also names the alternatives that it tried."""
    place = under
    *path, last = error["loc"] or ("",)
    for part in path:
        place = (*place, part) if (*place, part) in document.lines else place
    known = (*place, last) in document.lines or error["type"] == "missing"
    return (*place, last) if known else place


def _told(place: Place, error: ErrorDetails, shape: Place) -> tuple[str, str]:
    kind, given = error["type"], error["input"]
    where = dotted(place) or "the file"
    if kind == "missing":
        return f"{where} is missing", f"add `{place[-1]}: …`; {SEE}"
    if kind == "extra_forbidden":
        return _unknown(place, shape)
    if given is None:
        return f"{where} is empty", f"give it a value, or remove it; {SEE}"
    if kind == "string_type" and isinstance(given, int | float):
        return f"{where} should be text, not {_shown(given)}", f'put it in quotes: "{given}"'
    if kind in ("enum", "literal_error"):
        options = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        return f"{where} cannot be {_shown(given)}", nearest(str(given), options)
    rule = re.sub(r"^(Input|Value error,) ", "", error["msg"])
    for theirs, ours in PLAINER.items():
        rule = rule.replace(theirs, ours)
    # What is wrong with a mapping as a whole has been said by the rule.
    given_instead = "" if kind == "value_error" and isinstance(given, dict) else f", not {_shown(given)}"
    return f"{where}: {rule[0].lower()}{rule[1:]}{given_instead}", f"correct it; {SEE}"


def _unknown(place: Place, shape: Place) -> tuple[str, str]:
    *around, name = place
    known = names_at(json_schema(), (*shape, *around))
    inside = f" in {dotted(tuple(around))}" if around else ""
    return f"unknown key {str(name)!r}{inside}", nearest(str(name), known)


def _shown(given: Any) -> str:
    if isinstance(given, str | bool | int | float):
        text = str(given).lower() if isinstance(given, bool) else repr(given)
        return text if len(text) <= 60 else f"{text[:57]}…"
    return KINDS.get(type(given), "that")
