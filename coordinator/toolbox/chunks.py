"""Text cut into passages: by heading, then by paragraph, each with the line it begins at and the headings above it."""

import re
from collections.abc import Iterable, Iterator

from coordinator.domain.value import value

MARKDOWN = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = MARKDOWN | {".rst", ".txt"}

# About 200 words: long enough to hold an answer with its conditions, short enough to be read whole.
MAX_CHARACTERS = 1200

_MARK = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")


@value
class Chunk:
    """A run of consecutive lines of a file, verbatim; *line* counts from 1, *heading* joins the titles above it."""

    text: str
    line: int
    heading: str


@value
class _Block:
    """Lines that belong together: a heading (level 1 and more) or a paragraph, list or code block (level 0)."""

    first: int
    last: int
    """The line after the block's own."""
    level: int = 0
    title: str = ""


def lines_of(text: str) -> list[str]:
    """Return the lines of *text* as editors count them, whatever their line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def chunks(text: str, suffix: str) -> Iterator[Chunk]:
    """Cut *text* into passages of at most MAX_CHARACTERS.

    Args:
        text: the whole file.
        suffix: the file's, such as `.md`; Markdown and underlined (reStructuredText) headings are known.
    """
    lines = lines_of(text)
    blocks = _markdown(lines) if suffix.lower() in MARKDOWN else _underlined(lines, 0)
    for group, heading in _packed(blocks, lines):
        yield from _cut(lines, group[0].first, group[-1].last, heading)


def _markdown(lines: list[str]) -> Iterator[_Block]:
    start = _front_matter(lines)
    if start:
        yield _Block(0, start)
    at = start
    while at < len(lines):
        mark = _MARK.match(lines[at])
        if not lines[at].strip():
            at += 1
        elif mark:
            yield _Block(at, at + 1, len(mark[1]), mark[2] or "")
            at += 1
        else:
            block = _paragraph(lines, at)
            if block.last < len(lines) and block.last - at <= 2 and _is_underline(lines[block.last], "=-"):
                block = _Block(at, block.last + 1, 1 + (lines[block.last].strip()[0] == "-"), lines[at].strip())
            yield block
            at = block.last


def _front_matter(lines: list[str]) -> int:
    if lines[0].strip() != "---":
        return 0
    for at, line in enumerate(lines[1:200], start=1):
        if line.strip() in ("---", "..."):
            return at + 1
    return 0


def _paragraph(lines: list[str], first: int) -> _Block:
    """Return the block of lines from *first* to a blank line, a heading or the end of its code fence."""
    fence = _FENCE.match(lines[first])
    at = first + 1
    if fence:
        while at < len(lines) and not lines[at].lstrip().startswith(fence[1]):
            at += 1
        return _Block(first, min(at + 1, len(lines)))
    while at < len(lines) and lines[at].strip() and not _ends_paragraph(lines[at]):
        at += 1
    return _Block(first, at)


def _ends_paragraph(line: str) -> bool:
    return bool(_MARK.match(line) or _FENCE.match(line) or _is_underline(line, "=-"))


def _is_underline(line: str, characters: str) -> bool:
    found = _ADORNMENT.match(line)
    return bool(found) and line[0] in characters


def _underlined(lines: list[str], at: int) -> Iterator[_Block]:
    """Yield the blocks of reStructuredText or plain text; a style of underline is a level, in order of appearance."""
    styles: list[str] = []
    while at < len(lines):
        over = bool(_ADORNMENT.match(lines[at])) and _has_underline(lines, at + 1)
        if not lines[at].strip():
            at += 1
        elif over or _has_underline(lines, at):
            title = at + over
            style = lines[title + 1][0] + "^" * over
            if style not in styles:
                styles.append(style)
            yield _Block(at, title + 2, styles.index(style) + 1, lines[title].strip())
            at = title + 2
        else:
            last = at + 1
            while last < len(lines) and lines[last].strip() and not _has_underline(lines, last):
                last += 1
            yield _Block(at, last)
            at = last


def _has_underline(lines: list[str], at: int) -> bool:
    """Say whether line *at* is a title: short, not itself an underline, and underlined over its whole length."""
    if at + 1 >= len(lines) or not lines[at].strip() or _ADORNMENT.match(lines[at]):
        return False
    under = lines[at + 1].rstrip()
    return bool(_ADORNMENT.match(under)) and len(under) >= len(lines[at].strip())


def _packed(blocks: Iterable[_Block], lines: list[str]) -> Iterator[tuple[list[_Block], str]]:
    """Join blocks of one section until they are long enough; a heading stays with the text it introduces."""
    above: list[_Block] = []
    group: list[_Block] = []
    size = 0
    has_text = False
    heading = ""
    for block in blocks:
        length = sum(len(lines[at]) + 1 for at in range(block.first, block.last))
        if has_text and (block.level or size + length > MAX_CHARACTERS):
            yield group, heading
            group, size, has_text = [], 0, False
        if block.level:
            above = [title for title in above if title.level < block.level] + [block]
        else:
            has_text = True
        heading = " > ".join(title.title for title in above if title.title)
        group.append(block)
        size += length
    if group:
        yield group, heading


def _cut(lines: list[str], first: int, last: int, heading: str) -> Iterator[Chunk]:
    """Yield lines *first* to *last* as one chunk, or as several when they are too long."""
    begin = first
    size = 0
    for at in range(first, last):
        size += len(lines[at]) + 1
        if size > MAX_CHARACTERS:
            if at > begin:
                yield from _chunk(lines, begin, at, heading)
                begin, size = at, len(lines[at]) + 1
            if size > MAX_CHARACTERS:
                yield from (Chunk(piece, at + 1, heading) for piece in _pieces(lines[at]))
                begin, size = at + 1, 0
    yield from _chunk(lines, begin, last, heading)


def _chunk(lines: list[str], first: int, last: int, heading: str) -> Iterator[Chunk]:
    while first < last and not lines[first].strip():
        first += 1
    text = "\n".join(lines[first:last]).rstrip()
    if text:
        yield Chunk(text, first + 1, heading)


def _pieces(line: str) -> Iterator[str]:
    """Cut one endless line at spaces."""
    rest = line.strip()
    while len(rest) > MAX_CHARACTERS:
        space = rest.rfind(" ", MAX_CHARACTERS // 2, MAX_CHARACTERS)
        end = space if space > 0 else MAX_CHARACTERS
        yield rest[:end].rstrip()
        rest = rest[end:].lstrip()
    if rest:
        yield rest
