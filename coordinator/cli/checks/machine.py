"""Checks of the machine: clock, disk, full-text search, open files."""

import platform
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import coordinator
from coordinator.cli.checks.check import Check
from coordinator.settings import Settings
from coordinator.telemetry import run_files

ROOM = 200_000_000
"""Bytes below which a disk is as good as full."""
FILES_BESIDE = 200
"""Files that a process has open beside one connection for each run at work."""
AHEAD_S = 120.0
DAY_S = 86_400.0


def machine(root: Path, settings: Settings | None) -> Iterator[Check]:
    """Yield what is right and wrong about the machine, for the workspace in *root* as far as its settings are known."""
    yield Check("version", "ok", f"coordinator {version('agent-coordinator')}, Python {platform.python_version()}")
    yield _clock(root)
    yield _search()
    if settings is None:
        return
    yield _disk(root, settings.run_files)
    yield _open_files(settings.admission.runs)
    if settings.content:
        said = "events and the files of runs hold what is asked, answered and found"
        yield Check("content", "warn", said, "leave content out of the settings, unless that is wanted")


def _clock(root: Path) -> Check:
    """Days of ceilings begin by this clock; it cannot be earlier than files that were written by it."""
    now = time.time()
    seen = max(path.stat().st_mtime for path in (Path(coordinator.__file__), root))
    told = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if now + AHEAD_S < seen:
        fix = "set the clock: days of ceilings begin and end by it"
        return Check("clock", "wrong", f"it says {told}, and files here are newer", fix)
    return Check("clock", "ok", told)


def _disk(root: Path, keep: int) -> Check:
    folder = root / run_files.FOLDER
    if not keep:
        return Check("disk", "ok", "no files of runs are kept")
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".coordinator-"):
            free = shutil.disk_usage(place).free
    except OSError as error:
        fix = "make it writable, or set run_files = 0"
        return Check("disk", "warn", f"{folder}: {error.strerror}: files of runs are not kept", fix)
    said = f"{free / 1e9:,.1f} GB free, {len(run_files.files(folder))} of at most {keep} files of runs"
    if free < ROOM:
        return Check("disk", "warn", said, "make room, or lower run_files")
    return Check("disk", "ok", said)


def _search() -> Check:
    try:
        with sqlite3.connect(":memory:") as database:
            database.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        database.close()
    except sqlite3.OperationalError as error:
        fix = "use a Python whose SQLite has FTS5; teams that search documents need it"
        return Check("search", "wrong", f"SQLite {sqlite3.sqlite_version}: {error}", fix)
    return Check("search", "ok", f"SQLite {sqlite3.sqlite_version} with full-text search")


def _open_files(runs: int) -> Check:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    said = "as many as memory allows" if most == resource.RLIM_INFINITY else f"a process may open {most:,}"
    if most != resource.RLIM_INFINITY and most < runs + FILES_BESIDE:
        fix = f"ulimit -n {runs + FILES_BESIDE}, or lower admission.runs"
        return Check("files", "warn", f"{said}, and {runs:,} runs may work at once", fix)
    return Check("files", "ok", said)
