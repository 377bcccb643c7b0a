"""Inputs of a scenario: values that a user may replace, and where they are used."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coordinator.domain.errors import Invalid
from coordinator.domain.value import value
from coordinator.scenario.document import Document, Place, nearest

_USE = re.compile(r"(\$?)\$\{([^{}]*)\}")
RAW = frozenset({"inputs", "script", "world"})
"""Keys whose texts are left as they are: a world's paths are filled in where their folder is known."""


@value
class Input:
    """One input: its text, and the folder to which it is relative when it is a path."""

    text: str
    folder: Path


class Inputs:
    """The inputs of *document*, as the file gives them or as a user replaces them.

    Args:
        document: the scenario file; its values may still be of any type.
        given: values by name that replace those of the file: text, or paths.
        folder: where the user stands.

    Raises:
        Invalid: `unknown_input`, when *given* names one that the file does not declare; `usage`, when one is no text.
    """

    def __init__(self, document: Document, given: Mapping[str, str | Path], folder: Path) -> None:
        self._document = document
        declared = document.values.get("inputs")
        own = declared if isinstance(declared, dict) else {}
        self._inputs = {name: Input(str(text), document.path.parent) for name, text in own.items()}
        for name, text in given.items():
            if name not in self._inputs:
                raise document.wrong(
                    ("inputs",), f"there is no input named {name!r}", hint=nearest(name, own), code="unknown_input"
                )
            self._inputs[name] = Input(_given(name, text), folder)

    def fill(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return *values* with every `${name}` replaced, except under RAW keys.

        Raises:
            Invalid: `unknown_input`, with the line.
        """
        return {name: held if name in RAW else self._filled(held, (name,)) for name, held in values.items()}

    def path(self, text: str, place: Place) -> Path:
        """Return *text* as a path; one that begins with an input lies where that input's paths lie.

        Raises:
            Invalid: `unknown_input`, or `usage` when nothing is left of it: the folder itself is never meant.
        """
        first = _USE.match(text)
        leading = self._inputs.get(first[2]) if first and not first[1] else None
        folder = leading.folder if leading else self._document.path.parent
        filled = self._text(text, place)
        if not filled.strip():
            raise self._empty(first[2] if first else "", place)
        return folder / Path(filled).expanduser()

    def _filled(self, held: Any, place: Place) -> Any:
        if isinstance(held, str):
            return self._text(held, place)
        if isinstance(held, list):
            return [self._filled(item, (*place, index)) for index, item in enumerate(held)]
        if isinstance(held, dict):
            return {name: self._filled(item, (*place, name)) for name, item in held.items()}
        return held

    def _text(self, text: str, place: Place) -> str:
        def replaced(use: re.Match[str]) -> str:
            if use[1]:
                return use[0][1:]
            if use[2] not in self._inputs:
                raise self._unknown(use[2], place)
            return self._inputs[use[2]].text

        return _USE.sub(replaced, text)

    def _empty(self, name: str, place: Place) -> Invalid:
        hint = f"name a file or a folder: --set {name}=PATH, or {name}: PATH under inputs"
        message = f"{'.'.join(map(str, place))} is an empty path, since the input {name!r} is empty"
        return self._document.wrong(place, message, hint=hint, code="usage")

    def _unknown(self, name: str, place: Place) -> Invalid:
        hint = nearest(name, self._inputs) if self._inputs else f"declare it: `inputs: {{{name}: …}}`"
        return self._document.wrong(place, f"${{{name}}} is not an input", hint=hint, code="unknown_input")


def _given(name: str, given: object) -> str:
    if isinstance(given, str | Path):
        return os.fspath(given)
    raise Invalid(
        f"the input {name!r} should be text or a path, not {given!r}", code="usage", hint="give it as a str or a Path"
    )
