"""What `coordinator doctor` asks of the machine: clock, disk, full-text search, open files."""

import os
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
from coordinator.cli.checkup import Check
from coordinator.settings import Settings
from coordinator.telemetry import run_files

ROOM = 200_000_000
"""Bytes below which a disk is as good as full."""
FILES_BESIDE = 200
"""Files that a process has open beside one connection for each run at work."""
AHEAD_S = 120.0
DAY_S = 86_400.0


def machine(root: Path, settings: Settings) -> Iterator[Check]:
    """Yield what is right and wrong about the machine, for the workspace in *root*."""
    yield Check("version", "ok", f"coordinator {version('agent-coordinator')}, Python {platform.python_version()}")
    yield _clock(root)
    yield from _disk(root, settings)
    yield _search()
    yield _open_files(settings)
    if settings.content:
        said = "events and the files of runs hold what is asked, answered and found"
        yield Check("content", "warn", said, "leave content out of the settings, unless that is wanted")


def _clock(root: Path) -> Check:
    """Days of ceilings begin by this clock; it cannot be earlier than files that were written by it."""
    now = time.time()
    seen = max(path.stat().st_mtime for path in (Path(coordinator.__file__), root))
    told = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if now + AHEAD_S < seen:
        return Check(
            "clock", "wrong", f"it says {told}, and files here are newer", "set the clock: ceilings of a day go by it"
        )
    return Check("clock", "ok", told)


def _disk(root: Path, settings: Settings) -> Iterator[Check]:
    folder = root / run_files.FOLDER
    if not settings.run_files:
        yield Check("disk", "ok", "no files of runs are kept")
        return
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".coordinator-"):
            free = shutil.disk_usage(place).free
    except OSError as error:
        fix = "make it writable, or set run_files = 0"
        yield Check("disk", "warn", f"{folder}: {error.strerror}: files of runs are not kept", fix)
        return
    kept = len(run_files.files(folder))
    said = f"{free / 1e9:,.1f} GB free, {kept} of {settings.run_files} files of runs kept"
    fix = "make room, or lower run_files" if free < ROOM else ""
    yield Check("disk", "warn" if fix else "ok", said, fix)


def _search() -> Check:
    try:
        with sqlite3.connect(":memory:") as database:
            database.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        database.close()
    except sqlite3.OperationalError as error:
        return Check(
            "search", "wrong", f"SQLite {sqlite3.sqlite_version}: {error}", "use a Python whose SQLite has FTS5"
        )
    return Check("search", "ok", f"SQLite {sqlite3.sqlite_version} with full-text search")


def _open_files(settings: Settings) -> Check:
    most, wanted = resource.getrlimit(resource.RLIMIT_NOFILE)[0], settings.admission.runs + FILES_BESIDE
    said = f"a process may open {'any number of' if most == resource.RLIM_INFINITY else f'{most:,}'} files"
    if most != resource.RLIM_INFINITY and most < wanted:
        fix = f"ulimit -n {wanted}, or lower admission.runs ({settings.admission.runs:,})"
        return Check("files", "warn", f"{said}, and {settings.admission.runs:,} runs may work at once", fix)
    return Check("files", "ok", said)
