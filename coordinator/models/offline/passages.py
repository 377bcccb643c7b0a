"""A passage into the pieces that can be quoted: sentences, list items, table rows and code, each a verbatim slice."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property, lru_cache
from typing import Any

from coordinator.domain.value import value
from coordinator.models.offline.words import stem_set

LONGEST = 600

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”)\]]*\s+(?=[A-Z0-9\"'“(\[`*_#$€£])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|Mr|Mrs|Ms|Dr|No|St)|\b[A-Z])\.$")
_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*$")
_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)]|#\.)\s+")
_DIRECTIVE = re.compile(r"\s*\.\. (?:[\w:-]+::|_|\[|\|)|\s*<!--|\s*:[\w-]+:(?:\s|$)|\s*:::")
# Notes and warnings are prose: what they say is worth quoting, only their frame is markup.
_ASIDE = r"(?:note|warning|tip|hint|important|caution|danger|attention|seealso|admonition|deprecated|version\w+)"
_ASIDE_RST = re.compile(rf"\s*\.\. {_ASIDE}::\s+(?=\S)")
_ASIDE_FENCE = re.compile(rf"\s*(`{{3,}}|~{{3,}})\{{{_ASIDE}\}}")
_RULE = re.compile(r"\s*[|+=:\- ]*$")
_FIELD_LINE = re.compile(r"[\w][\w ]{0,40}: \S.*$")

_MARKUP = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)|<!--.*?-->|</?[a-zA-Z][^<>]*>"), ""),
    (re.compile(r"\[([^\]]*)\]\((?:[^()]|\([^()]*\))*\)|\[([^\]]*)\]\[[^\]]*\]"), r"\1\2"),
    (re.compile(r":[a-z][\w:+-]*:`~?([^`<]*?)\s*(?:<[^`]*>)?`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`__?"), r"\1"),
    (re.compile(r"\[\s*#?\d*\s*\]_?|\|(?:[\w-]+)\|_?"), ""),
    (re.compile(r"`+([^`]*)`+_{0,2}"), r"\1"),
    (re.compile(r"\{[a-z:]+\}(?=[\w~])~?"), ""),
    (re.compile(r"(?<!\w)(\*{1,3}|_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"^(?:\s*(?:#{1,6}|>|[-*+•]|\d{1,3}[.)])\s+)+"), ""),
    (re.compile(r"\s*\|\s*"), " | "),
    (re.compile(r"::(?=\s|$)"), ":"),
)


@value
class Excerpt:
    """A passage as the engine saw it: its words, where they are from, and how well their finder ranked them."""

    text: str
    source: str
    line: int | None
    rank: int = 0
    context: str = ""
    """Other text that came with it, such as a title: it may explain the words but is not quoted."""
    record: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)
    """What else stood beside the text, by key."""
    deed: bool = False
    """Whether it tells what a tool did, not what it found."""


@value
class Piece:
    """A quotable slice of an excerpt; *place* counts the pieces of the excerpt from 0."""

    excerpt: Excerpt
    start: int
    end: int
    place: int
    headings: str
    code: bool
    stems: frozenset[str]

    @property
    def quote(self) -> str:
        """The words of the passage, verbatim."""
        return self.excerpt.text[self.start : self.end]

    @property
    def plain(self) -> str:
        """The same words without markup, on one line."""
        return plain(self.quote, code=self.code)


def plain(text: str, *, code: bool = False) -> str:
    """Return *text* without Markdown and reStructuredText signs, on one line."""
    if code:
        lines = [line.strip() for line in text.splitlines() if not _FENCE.match(line)]
        return " ".join(" ".join(lines).split())
    lines = [line.strip() for line in text.strip().splitlines()]
    fields = len(lines) > 1 and all(_FIELD_LINE.match(line) for line in lines)
    found = (", " if fields else " ").join(lines)
    for pattern, replacement in _MARKUP:
        found = pattern.sub(replacement, found)
    return " ".join(found.split()).strip(" |")


def pieces(excerpt: Excerpt) -> list[Piece]:
    """Return the quotable pieces of *excerpt* in order; headings are context, never pieces."""
    found: list[Piece] = []
    for start, end, headings, code in _split(excerpt.text):
        slices = [(start, min(end, start + LONGEST))] if code else _sentences(excerpt.text, start, end)
        for left, right in slices:
            text = excerpt.text[left:right]
            stems = stem_set(text)
            if excerpt.deed or (stems and (len(text.split()) > 2 or ":" in text or any(map(str.isdigit, text)))):
                found.append(Piece(excerpt, left, right, len(found), headings, code, stems))
    return found


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    left = start
    for match in _SENTENCE_END.finditer(text, start, end):
        if not _ABBREVIATION.search(text, max(start, match.start() - 8), match.start()):
            yield left, match.start() + len(match.group().rstrip())
            left = match.end()
    if text[left:end].strip():
        yield left, end


class _Lines:
    """The lines of a text with their offsets, and the block that is being read."""

    def __init__(self, text: str) -> None:
        self.lines: list[tuple[int, str]] = []
        offset = 0
        for line in text.splitlines(keepends=True):
            self.lines.append((offset, line.rstrip()))
            offset += len(line)
        self.asides: list[str] = []
        """The fences of the asides that are open; between them stands prose."""
        self.headings: list[str] = []
        self.block: list[tuple[int, str]] = []

    @cached_property
    def count(self) -> int:
        return len(self.lines)

    def line(self, index: int) -> str:
        return self.lines[index][1] if index < self.count else ""

    def take(self, *, code: bool = False) -> Iterator[tuple[int, int, str, bool]]:
        """End the block that is being read."""
        while self.block and not self.block[-1][1].strip():
            self.block.pop()
        if self.block:
            first, line = self.block[0]
            last, final = self.block[-1]
            yield first + len(line) - len(line.lstrip()), last + len(final), " / ".join(self.headings[-2:]), code
        self.block = []


@lru_cache(maxsize=1 << 10)
def _split(text: str) -> tuple[tuple[int, int, str, bool], ...]:
    return tuple(_blocks(text))


def _blocks(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Yield start, end, headings and whether it is code, for every paragraph, item, row and code block."""
    read = _Lines(text)
    index = 0
    opens_code = False
    while index < read.count:
        line = read.line(index)
        if not line.strip() or _frames(read, line):
            yield from read.take()
            index += 1
        elif _FENCE.match(line) or (not read.block and _indented(line, opens_code)):
            yield from read.take()
            index = _code(read, index)
            yield from read.take(code=True)
            opens_code = False
        elif title := _title(read, index):
            yield from read.take()
            read.headings.append(plain(title[0]))
            index += title[1]
        else:
            opens_code = line.endswith("::") or bool(re.match(r"\s*\.\. (?:code|code-block|sourcecode)::", line))
            yield from _prose(read, index)
            index += 1
    yield from read.take()


def _frames(read: _Lines, line: str) -> bool:
    """Say whether *line* opens or closes a fence around prose, and remember which is open."""
    opening = _ASIDE_FENCE.match(line)
    if opening:
        read.asides.append(opening.group(1))
        return True
    if read.asides and line.strip() == read.asides[-1]:
        read.asides.pop()
        return True
    return False


def _prose(read: _Lines, index: int) -> Iterator[tuple[int, int, str, bool]]:
    offset, line = read.lines[index]
    if aside := _ASIDE_RST.match(line):
        yield from read.take()
        read.block.append((offset + aside.end(), line[aside.end() :]))
        return
    if _DIRECTIVE.match(line) or _RULE.match(line):
        yield from read.take()
        return
    if _ITEM.match(line) or line.lstrip().startswith("|"):
        yield from read.take()
    read.block.append((offset, line))


def _indented(line: str, opens_code: bool) -> bool:
    return line.startswith((" " * 4, "\t") if not opens_code else ("  ", "\t")) and not _ITEM.match(line)


def _code(read: _Lines, index: int) -> int:
    """Read a code block from *index*; return the index of the line after it."""
    fenced = bool(_FENCE.match(read.line(index)))
    width = len(read.line(index)) - len(read.line(index).lstrip())
    read.block.append(read.lines[index])
    index += 1
    while index < read.count:
        line = read.line(index)
        if not fenced and line.strip() and len(line) - len(line.lstrip()) < width:
            break
        read.block.append(read.lines[index])
        index += 1
        if fenced and _FENCE.match(line):
            break
    return index


def _title(read: _Lines, index: int) -> tuple[str, int] | None:
    """Return the heading that begins at *index* and how many lines it takes."""
    line, following = read.line(index), read.line(index + 1)
    if match := _HEADING.match(line):
        return match.group(1), 1
    if _UNDERLINE.match(line) and _UNDERLINE.match(read.line(index + 2)) and following.strip():
        return following.strip(), 3
    if not read.block and _UNDERLINE.match(following) and len(following) >= len(line.strip()) > 2:
        return line.strip(), 2
    return None
