"""Full-text search over a knowledge base: a folder of articles, indexed once and copied for every run."""

import sqlite3
from functools import lru_cache, partial

from coordinator.domain.errors import Invalid
from coordinator.domain.world import World
from coordinator.toolbox.folder import Folder, Skipped
from coordinator.toolbox.index import Section, Stop, documents, index, search


def build(folder: Folder, stop: Stop | None = None) -> sqlite3.Connection:
    """Return an index over all documents of *folder*, in memory; blocking, about a millisecond for every article.

    Args:
        folder: of Markdown, reStructuredText and plain text.
        stop: checked between files.

    Raises:
        Invalid: `too_many_files`; `no_documents` when the folder holds none; the code of the first file that cannot be
            read, because a knowledge base with holes answers wrongly.
        Refused: `stopped`.
    """
    names = folder.listing().files
    if not names:
        raise no_documents(folder)
    skipped: list[Skipped] = []
    connection = index(documents(folder, names, skipped, stop))
    if skipped:
        connection.close()
        raise _unreadable(folder, skipped[0])
    return connection


def no_documents(folder: Folder) -> Invalid:
    """Return the error for a *folder* without a single document."""
    kinds = ", ".join(sorted(folder.suffixes))
    return Invalid(
        f"folder {folder.root} holds no documents", code="no_documents", hint=f"name a folder with {kinds} files"
    )


def _unreadable(folder: Folder, skipped: Skipped) -> Invalid:
    reason = skipped.reason.replace("_", " ")
    try:
        folder.read(skipped.path)
    except Invalid as error:
        reason = error.message
    return Invalid(
        f"knowledge in {folder.root}: {reason}", code=skipped.reason,
        hint=f"repair {skipped.path} or take it out of the folder: a knowledge base with holes answers wrongly",
    )  # fmt: skip


REMEMBERED = 256
"""Searches whose results are kept: what is found in a folder that does not change stays the same."""


class Knowledge:
    """A searchable knowledge base.

    Args:
        connection: an index, as `build` makes it; whoever opened it closes it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._search = lru_cache(REMEMBERED)(partial(search, connection))

    @classmethod
    def of(cls, world: World, folder: Folder) -> "Knowledge":
        """Return the knowledge base in *folder* as a copy of *world*; built anew when a file has changed.

        Raises:
            Invalid: as `build`.
        """
        key = f"knowledge {folder.root} {folder.fingerprint()}"
        return cls(world.snapshot(key, lambda: build(folder)))

    def search(self, query: str, limit: int = 8) -> list[Section]:
        """Return the *limit* passages that match *query* best, the best first; microseconds.

        Args:
            query: any text; its content words are joined by *or*.
            limit: at most so many passages.
        """
        return list(self._search(query, limit))
