"""Worlds: the databases and folders that a run works in, loaded once per process and copied for every run."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coordinator.domain.errors import Invalid

MAX_IMAGES = 64
MAX_SQL_BYTES = 64 * 1024 * 1024

# SQL text is data: it may build a database, and reach no other.
_FORBIDDEN = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})


class Snapshots:
    """Images of built databases, kept by key, from which every run gets its own copy.

    An image is plain bytes: copying it is 20 µs for a small shop, needs no lock, and leaves nothing to close.
    """

    def __init__(self, limit: int = MAX_IMAGES) -> None:
        self._limit = limit
        self._images: dict[str, bytes] = {}

    def copy(self, key: str, build: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        """Return an own copy of the database of *key*, which *build* makes when it is not known yet."""
        image = self._images.get(key)
        if image is None:
            image = self._keep(key, _image(build()))
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.deserialize(image)
        return connection

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many images are kept, and their bytes."""
        return {"images": len(self._images), "bytes": sum(map(len, self._images.values()))}

    def _keep(self, key: str, image: bytes) -> bytes:
        # Keys name the state of files, so a service whose files change would gather old images for ever.
        while len(self._images) >= self._limit:
            self._images.pop(next(iter(self._images)), None)
        return self._images.setdefault(key, image)


class FolderWorld:
    """A World of files and folders; a context manager that closes every copy it gave out.

    Args:
        paths: what the world calls each file or folder.
        snapshots: shared by the worlds of a process.
    """

    def __init__(self, paths: Mapping[str, Path], snapshots: Snapshots) -> None:
        self._paths = dict(paths)
        self._snapshots = snapshots
        self._copies: list[sqlite3.Connection] = []

    def path(self, name: str) -> Path:
        """Return the file or folder that the world calls *name*.

        Raises:
            Invalid: `unknown_world_name`; `missing_path` when nothing is there.
        """
        if name not in self._paths:
            known = ", ".join(sorted(self._paths)) or "none"
            raise Invalid(
                f"the world has no {name!r}", code="unknown_world_name", hint=f"it has: {known}; name it under world:"
            )
        path = self._paths[name]
        if not _exists(path):
            raise Invalid(f"world: {name}: there is no {path}", code="missing_path", hint="check the path")
        return path

    def database(self, name: str) -> sqlite3.Connection:
        """Return an own copy of the database whose SQL text the world calls *name*.

        The text is loaded again when its file has changed.

        Raises:
            Invalid: as `path`; `unreadable_database` when the file is no text; `broken_database` when its SQL is wrong,
                with the line.
        """
        path = self.path(name)
        try:
            state = path.stat()
        except OSError as error:
            raise _unreadable(path, error.strerror or "") from None
        return self.snapshot(f"sql {path.resolve()} {state.st_size} {state.st_mtime_ns}", lambda: _load(path))

    def snapshot(self, key: str, build: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        """Return an own copy of the database that *build* makes; it is built once per Snapshots and *key*."""
        connection = self._snapshots.copy(key, build)
        self._copies.append(connection)
        return connection

    def close(self) -> None:
        """Close every copy given out."""
        while self._copies:
            self._copies.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _image(connection: sqlite3.Connection) -> bytes:
    try:
        connection.commit()
        connection.execute("PRAGMA user_version = 0")  # a database without tables has no page to copy before a write
        return connection.serialize()
    finally:
        connection.close()


def _load(path: Path) -> sqlite3.Connection:
    text = _sql_text(path)
    connection = _confined()
    try:
        connection.executescript(text)
    except sqlite3.Error as error:
        connection.close()
        line, reason = _first_error(text) or (None, error)
        place = f"{path}, line {line}" if line else f"{path}"
        raise Invalid(
            f"database {place}: {reason}", code="broken_database", hint="correct the SQL, or write the file anew",
            details={"path": str(path), "line": line},
        ) from None  # fmt: skip
    return connection


def _sql_text(path: Path) -> str:
    if not path.is_file():
        raise _unreadable(path, "it is not a regular file")
    try:
        if path.stat().st_size > MAX_SQL_BYTES:
            raise _unreadable(path, f"it is larger than {MAX_SQL_BYTES:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or "") from None
    if data.startswith(b"SQLite format 3\0"):
        raise _unreadable(path, "it is a binary database")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8 text") from None


def _unreadable(path: Path, reason: str) -> Invalid:
    return Invalid(
        f"database {path} cannot be read: {reason}".rstrip(": "), code="unreadable_database",
        hint="a world's database is SQL text, as `sqlite3 shop.db .dump` writes it",
    )  # fmt: skip


def _confined() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action in _FORBIDDEN else sqlite3.SQLITE_OK)
    return connection


def _first_error(text: str) -> tuple[int, sqlite3.Error] | None:
    """Return the line at which the first statement that fails begins, and its error."""
    connection = _confined()
    try:
        for line, statement in _statements(text):
            try:
                connection.execute(statement)
            except sqlite3.Error as error:
                return line, error
    finally:
        connection.close()
    return None


def _statements(text: str) -> Iterable[tuple[int, str]]:
    begin, held = 1, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not held.strip():
            begin, held = number, ""
        held += line + "\n"
        if line.rstrip().endswith(";") and sqlite3.complete_statement(held):
            yield begin, held
            held = ""
    if held.strip():
        yield begin, held
