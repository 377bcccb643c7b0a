"""Reading and searching a folder that nobody prepared, up to ten thousand files; all methods block."""

import sqlite3
from collections.abc import Callable, Iterator

from pydantic import Field

from coordinator.domain.citing import Passage
from coordinator.domain.errors import Invalid
from coordinator.domain.value import value
from coordinator.toolbox.chunks import lines_of
from coordinator.toolbox.folder import Folder, Skipped
from coordinator.toolbox.fulltext import GATHER, TOKENIZER, expression, indexed
from coordinator.toolbox.index import ON_DISK, Document, Section, Stop, documents, index, search, stopped
from coordinator.toolbox.knowledge import no_documents

# Cutting every file into passages costs three times as much as indexing it whole; beyond so many files only the best
# are cut, when they are asked for.
CUT_ALL_UP_TO = 1_000
CANDIDATES = 40
PAGE_CHARACTERS = 8_000
NAMED_SKIPS = 3

_SCHEMA = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE file (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', tokenize = '{TOKENIZER}');
{GATHER}
"""
_BEST_FILES = """
SELECT file.name FROM words JOIN file ON file.id = words.rowid
WHERE words MATCH ? ORDER BY bm25(words), file.id LIMIT ?
"""


class Page(Passage):
    """A piece of a file as it stands there, and where the next piece begins."""

    next_line: int | None = Field(default=None, description="The line at which the file goes on; null at its end.")


@value
class Indexed:
    """What indexing a folder came to; *seconds* by the caller's clock."""

    files: int
    seconds: float
    skipped: tuple[Skipped, ...]

    def __str__(self) -> str:
        """Say it in one line for people."""
        told = f"{self.files:,} files indexed in {self.seconds:.1f} s"
        if not self.skipped:
            return told
        names = ", ".join(f"{one.path} ({one.reason})" for one in self.skipped[:NAMED_SKIPS])
        more = ", …" if len(self.skipped) > NAMED_SKIPS else ""
        return f"{told}; {len(self.skipped):,} left out: {names}{more}"


class Files:
    """The text files of one folder: read by name, searched through an index that lives as long as this object.

    Args:
        folder: the folder that may be read, and nothing outside it.
        cut_all_up_to: number of files up to which every one is cut into passages when the index is built.
    """

    def __init__(self, folder: Folder, *, cut_all_up_to: int = CUT_ALL_UP_TO) -> None:
        self.folder = folder
        self.cut_all_up_to = cut_all_up_to
        self.indexed: Indexed | None = None
        """What the last `index` came to; None before it."""
        self._index: sqlite3.Connection | None = None
        self._cut = True
        """Whether the index knows passages, or only whole files."""

    def check(self) -> None:
        """Look through the folder without reading a file; 40 ms for ten thousand of them.

        Raises:
            Invalid: `too_many_files` or `no_documents`.
        """
        if not self.folder.listing().files:
            raise no_documents(self.folder)

    def index(self, clock: Callable[[], float], stop: Stop | None = None) -> Indexed:
        """Read and index the whole folder.

        Args:
            clock: seconds, such as the event loop's `time`.
            stop: checked between files.

        Raises:
            Invalid: `too_many_files`, or `no_documents` when there is none that can be read.
            Refused: `stopped`.
        """
        started = clock()
        listing = self.folder.listing()
        skipped = list(listing.skipped)
        found = documents(self.folder, listing.files, skipped, stop)
        cut = len(listing.files) <= self.cut_all_up_to
        built = index(found, ON_DISK) if cut else _index_whole(found)
        files = len(listing.files) - (len(skipped) - len(listing.skipped))
        # Only a caller who still waits gets the index: by now another may have taken this one's place.
        if not files or (stop is not None and stop.asked):
            built.close()
            raise stopped(self.folder) if files else no_documents(self.folder)
        self.close()
        self._index, self._cut = built, cut
        self.indexed = Indexed(files, clock() - started, tuple(skipped))
        return self.indexed

    def search(self, query: str, limit: int = 8) -> list[Section]:
        """Return the *limit* passages that match *query* best, the best first.

        Args:
            query: any text; its content words are joined by *or*.
            limit: at most so many passages.

        Raises:
            Invalid: `not_indexed`, when `index` was not called before.
        """
        if self._index is None:
            raise Invalid(f"folder {self.folder.root} is not indexed", code="not_indexed", hint="call index first")
        if self._cut:
            return search(self._index, query, limit)
        wanted = expression(query)
        best = [name for (name,) in self._index.execute(_BEST_FILES, (wanted, CANDIDATES))] if wanted else []
        candidates = index(documents(self.folder, best, [], None))
        try:
            return search(candidates, query, limit)
        finally:
            candidates.close()

    def read(self, name: str, start_line: int = 1) -> Page:
        """Return about PAGE_CHARACTERS of the file *name* from *start_line*, in whole lines.

        Args:
            name: path relative to the folder.
            start_line: counted from 1.

        Raises:
            Invalid: as `Folder.read`, or `line_out_of_range`.
        """
        lines = lines_of(self.folder.read(name))
        if not 1 <= start_line <= len(lines):
            raise Invalid(
                f"file {name!r} has no line {start_line}", code="line_out_of_range", hint=f"it has {len(lines)} lines"
            )
        end = _page_end(lines, start_line - 1)
        text = "\n".join(lines[start_line - 1 : end])
        return Page(text=text, source=name, line=start_line, next_line=end + 1 if end < len(lines) else None)

    def close(self) -> None:
        """Drop the index."""
        if self._index is not None:
            self._index.close()
        self._index = self.indexed = None


def _page_end(lines: list[str], first: int) -> int:
    """Return the line after the last one that fits; at least one line does."""
    size = 0
    for at in range(first, len(lines)):
        size += len(lines[at]) + 1
        if size > PAGE_CHARACTERS and at > first:
            return at
    return len(lines)


def _index_whole(found: Iterator[Document]) -> sqlite3.Connection:
    """Return an index that knows which words stand in which file, and keeps no text."""
    connection = sqlite3.connect(ON_DISK, check_same_thread=False)
    try:
        connection.executescript(_SCHEMA)
        for row, (name, text) in enumerate(found):
            connection.execute("INSERT INTO file VALUES (?, ?)", (row, name))
            connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row, f"{name}\n{indexed(text)}"))
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection
