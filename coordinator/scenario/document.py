"""A YAML file as plain values, with the line of each, so that every complaint can name its place."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from coordinator.domain.errors import Invalid
from coordinator.domain.value import value

Place = tuple[str | int, ...]
"""The way to a value: keys and indices, such as `("expect", "mentions", 0)`."""

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
"""Values of one file, those of repeated anchors counted again, so that a small file cannot grow into a huge one."""

KINDS: dict[type, str] = {dict: "a mapping of keys", list: "a list"}
SEE = "`coordinator schema` tells what may stand there"

_TAG = "tag:yaml.org,2002:"

HINTS = {
    "mapping values are not allowed": "put text that holds a colon in quotes",
    "'\\t'": "indent with spaces; YAML allows no tabs",
    "cannot start any token": "put the text in quotes",
    "expected <block end>": "indent all keys of one mapping alike",
    "expected ',' or": "close the bracket, and put commas between its parts",
    "unexpected end of stream": "close the quotes",
    "undefined alias": "define the anchor (&name) above its first use (*name), or put the text in quotes",
    "found another document": "write one scenario into one file",
    "could not find expected ':'": "write a colon and a space after the key",
}
"""What usually is wrong when the YAML parser says this."""


@value
class Document:
    """What a file says, and where. *path* is written as the user wrote it."""

    path: Path
    values: Any
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """Return the line of *place*, or of the nearest thing around it that stands in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def wrong(self, place: Place, message: str, *, hint: str, code: str = "bad_scenario") -> Invalid:
        """Return the error that says what is wrong at *place*, with file and line."""
        line = self.line(place)
        details = {"path": str(self.path), "line": line, "place": list(place)}
        return Invalid(f"{self.path}:{line}: {message}", code=code, hint=hint, details=details)


def read_document(path: Path, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Document:
    """Read the YAML file at *path*, which holds a mapping, or a list where *kind* says so.

    Raises:
        Invalid: `missing_file`, `unreadable_file`, `bad_yaml` with the line, or `bad_scenario`.
    """
    text = _text(path)
    yaml = YAML(typ="safe", pure=True)
    reader = _Reader(path, yaml)
    try:
        root = yaml.compose(text)
        values = None if root is None else reader.value(root, ())
    except MarkedYAMLError as error:
        raise _syntax_error(path, error) from None
    except (YAMLError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else "it holds control characters"
        raise Invalid(f"{path} is not YAML: {reason}", code="bad_yaml", hint="write it as plain text") from None
    document = Document(path, values, reader.lines)
    if values is None:
        raise document.wrong((), "the file is empty", hint=SEE)
    if not isinstance(values, kind):
        raise document.wrong((), f"this is not {KINDS[kind]}", hint=SEE)
    return document


def nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return a hint at what *name* was meant to be among the *known* names."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(sorted(known))}" if known else "there are none"


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise Invalid(f"{path} is a folder, not a file", code="unreadable_file", hint="name a YAML file in it")
        if path.stat().st_size > MAX_BYTES:
            raise Invalid(f"{path} is larger than {MAX_BYTES:,} bytes", code="unreadable_file", hint="split it")
        data = path.read_bytes()
    except FileNotFoundError:
        raise Invalid(f"there is no file {path}", code="missing_file", hint=_siblings(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Invalid(
            f"{path} cannot be read: {reason}", code="unreadable_file", hint="check the path and its permissions"
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(f"{path}:{line}: this is not UTF-8 text", code="bad_yaml", hint="save it as UTF-8") from None


def _siblings(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder} either; check the path"
    there = sorted(found.name for found in folder.glob("*.yaml"))
    close = difflib.get_close_matches(path.name, there, n=1)
    if close:
        return f"did you mean {folder / close[0]}?"
    return f"in {folder} there are: {', '.join(there)}" if there else "check the path"


def _syntax_error(path: Path, error: MarkedYAMLError) -> Invalid:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = " ".join(str(error.problem or error.context or "it cannot be parsed").split())
    hint = next((hint for sign, hint in HINTS.items() if sign in problem), "correct the YAML")
    opened = error.context_mark
    since = f" (it began on line {opened.line + 1})" if opened and opened.line + 1 != line else ""
    return Invalid(
        f"{path}:{line}: not valid YAML: {problem}{since}", code="bad_yaml", hint=hint, details={"line": line}
    )


class _Reader:
    """Turns nodes into plain values, and remembers their lines."""

    def __init__(self, path: Path, yaml: YAML) -> None:
        self.lines: dict[Place, int] = {(): 1}
        self._path = path
        self._yaml = yaml
        self._seen = 0
        self._open: set[int] = set()

    def value(self, node: Node, place: Place) -> Any:
        self._seen += 1
        if self._seen > MAX_NODES:
            raise self._wrong(node, f"more than {MAX_NODES:,} values", "write less, or use fewer anchors")
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._wrong(node, "an anchor that contains itself", "write the value out")
        self._open.add(id(node))
        try:
            return self._mapping(node, place) if isinstance(node, MappingNode) else self._sequence(node, place)
        finally:
            self._open.discard(id(node))

    def _sequence(self, node: Node, place: Place) -> list[Any]:
        return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        values = dict(self._merged(node, place))  # what stands in the mapping itself wins
        first: dict[str, int] = {}
        for key, item in node.value:
            if not isinstance(key, ScalarNode):
                raise self._wrong(key, "a key that is not a word", "write keys as plain words")
            if key.tag == f"{_TAG}merge":
                continue
            name, line = str(key.value), key.start_mark.line + 1
            if name in first:
                raise self._wrong(key, f"{name} stands here twice, first on line {first[name]}", "remove one of them")
            first[name] = self.lines[*place, name] = line
            values[name] = self.value(item, (*place, name))
        return values

    def _merged(self, node: MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        """Everything that `<<` brings in; of several sources the first wins, so it comes last."""
        for key, item in node.value:
            if key.tag != f"{_TAG}merge":
                continue
            for source in reversed(item.value) if isinstance(item, SequenceNode) else [item]:
                if not isinstance(source, MappingNode):
                    raise self._wrong(key, "<< takes a mapping", "write <<: *name of an anchored mapping")
                yield from self._mapping(source, place).items()

    def _scalar(self, node: ScalarNode) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        if kind in ("str", "timestamp"):  # a date means its text
            return str(node.value)
        if kind not in ("null", "bool", "int", "float"):
            raise self._wrong(node, f"the tag {node.tag}", "write plain values without tags")
        try:
            return self._yaml.constructor.construct_object(node)
        except ValueError:
            raise self._wrong(node, f"{node.value!r} is no {kind}", "correct it, or put it in quotes") from None

    def _wrong(self, node: Node, what: str, hint: str) -> Invalid:
        line = node.start_mark.line + 1
        return Invalid(f"{self._path}:{line}: {what}", code="bad_yaml", hint=hint, details={"line": line})
