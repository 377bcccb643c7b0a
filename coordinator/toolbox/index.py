"""An FTS5 index over passages, and the walk that fills it file by file."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from pydantic import Field

from coordinator.domain.citing import Passage
from coordinator.domain.errors import Invalid, Refused
from coordinator.toolbox.chunks import chunks
from coordinator.toolbox.folder import Folder, Skipped
from coordinator.toolbox.fulltext import GATHER, TOKENIZER, expression, indexed

IN_MEMORY = ":memory:"
ON_DISK = ""
"""SQLite's own temporary file: deleted with the connection, and in memory only as far as the page cache reaches."""

# `words` keeps no text: what is shown is the chunk, verbatim; what is searched also has identifiers in parts.
_SCHEMA = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE chunk (id INTEGER PRIMARY KEY, source TEXT NOT NULL, line INTEGER NOT NULL,
                    heading TEXT NOT NULL, text TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (text, heading, content = '', tokenize = '{TOKENIZER}');
{GATHER}
"""
# A heading names what its passage is about, so its words weigh double; equals stay in the order of the files.
_SEARCH = """
SELECT chunk.text, chunk.source, chunk.line, chunk.heading FROM words JOIN chunk ON chunk.id = words.rowid
WHERE words MATCH ? ORDER BY bm25(words, 1.0, 2.0), chunk.id LIMIT ?
"""


class Section(Passage):
    """A passage of a document, with the headings it stands under."""

    heading: str = Field(default="", description="The headings above the passage, outermost first.")


class Stop:
    """Tells blocking work in another thread that nobody waits for it any more."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False

    def ask(self) -> None:
        """Ask the work to stop at the next file."""
        self.asked = True


Document = tuple[str, str]
"""A path relative to its folder, and the text of the file."""


def documents(folder: Folder, names: Iterable[str], skipped: list[Skipped], stop: Stop | None) -> Iterator[Document]:
    """Yield the text of every file of *names* that can be read; the others are added to *skipped* with their reason.

    Raises:
        Refused: `stopped`, when *stop* was asked between two files.
    """
    for name in names:
        if stop is not None and stop.asked:
            raise stopped(folder)
        try:
            yield name, folder.read(name)
        except Invalid as error:
            skipped.append(Skipped(name, error.code))


def stopped(folder: Folder) -> Refused:
    """Return the error for work on *folder* that nobody waits for any more."""
    return Refused(f"reading {folder.root} was stopped", code="stopped")


def index(found: Iterable[Document], where: str = IN_MEMORY) -> sqlite3.Connection:
    """Return a new index over the passages of *found*; the caller closes it."""
    connection = sqlite3.connect(where, check_same_thread=False)
    try:
        connection.executescript(_SCHEMA)
        for name, text in found:
            _add(connection, name, text)
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def search(connection: sqlite3.Connection, query: str, limit: int) -> list[Section]:
    """Return the *limit* passages that match *query* best, the best first; any text is a valid query."""
    wanted = expression(query)
    rows = connection.execute(_SEARCH, (wanted, limit)) if wanted else ()
    return [Section(text=text, source=source, line=line, heading=heading) for text, source, line, heading in rows]


def _add(connection: sqlite3.Connection, name: str, text: str) -> None:
    path = PurePosixPath(name)
    for chunk in chunks(text, path.suffix):
        row = connection.execute(
            "INSERT INTO chunk (source, line, heading, text) VALUES (?, ?, ?, ?)",
            (name, chunk.line, chunk.heading, chunk.text),
        ).lastrowid
        # A file's name is often the only title that a plain text has.
        connection.execute(
            "INSERT INTO words (rowid, text, heading) VALUES (?, ?, ?)",
            (row, indexed(chunk.text), indexed(f"{path.stem} {chunk.heading}")),
        )
