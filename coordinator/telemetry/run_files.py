"""The files that runs leave behind: a line for each event, kept in a folder of the workspace, and read back."""

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from coordinator.domain.errors import Invalid
from coordinator.domain.events import Event, Kind
from coordinator.domain.value import value

FOLDER = Path(".coordinator", "runs")
"""Below the root of a workspace."""
SUFFIX = ".jsonl"
LAST = "last"
DEEPEST = 60
"""Parts of a step's id beyond which a line was not written by a run of ours."""

NUMBERS = (
    "attempt", "bytes", "bytes_left", "cache_write", "cached", "ceiling", "cost", "duration_s", "input_tokens",
    "late_s", "output_tokens", "overrun", "passages", "reasoning", "reasons", "saved", "settled", "size", "tool_uses",
    "wait_s",
)  # fmt: skip
"""Facts that are calculated with."""
LARGEST = 1e15
DOOMSDAY = 2.5e11
"""A stamp, in the year 9892, that no calendar of Python's goes far beyond."""


def create(folder: Path, run: str, keep: int) -> BinaryIO:
    """Make the file of *run* in *folder*, for the user's eyes alone, and remove the oldest beyond *keep* files.

    Raises:
        OSError: it cannot be made.
    """
    if Path(run).name != run:
        raise OSError(errno.EINVAL, "its name is no file name", run)
    folder.mkdir(parents=True, exist_ok=True)
    ignored = folder.parent / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")
    file = os.open(folder / f"{run}{SUFFIX}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for old in files(folder)[max(1, keep) :]:
        old.unlink(missing_ok=True)
    return os.fdopen(file, "wb", buffering=0)


def files(folder: Path) -> list[Path]:
    """Return the files of runs in *folder*, the newest first; none when there is no such folder."""
    try:
        with os.scandir(folder) as found:
            dated = [(entry.stat().st_mtime_ns, entry.name) for entry in found if entry.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    return [folder / name for _, name in sorted(dated, reverse=True)]


def find(folder: Path, asked: str = LAST) -> Path:
    """Return the file of the run *asked* in *folder*: by its id, the beginning of it, or `last`.

    Raises:
        Invalid: `unknown_run`, with the newest there are.
    """
    known = {path.name.removesuffix(SUFFIX): path for path in files(folder)}
    if not known:
        raise Invalid(
            f"no run has been recorded in {folder}", code="unknown_run",
            hint="`coordinator run SCENARIO` records one, unless run_files is 0",
        )  # fmt: skip
    if asked == LAST:
        return next(iter(known.values()))
    if asked in known:
        return known[asked]
    begun = [run for run in known if run.startswith((asked, f"r-{asked}"))] if asked else []
    if len(begun) == 1:
        return known[begun[0]]
    what = f"{len(begun)} runs begin with {asked!r}" if begun else f"there is no run {asked!r} in {folder}"
    newest = ", ".join((begun or list(known))[:5])
    raise Invalid(what, code="unknown_run", hint=f"the newest: {newest}")


@value
class Record:
    """What a file says of one run.

    *about* is what the command said of it; *broken* counts lines that are no events, *others* the file's other runs.
    """

    path: Path
    about: Mapping[str, Any]
    events: tuple[Event, ...]
    broken: int = 0
    others: int = 0
    alarms: tuple[Event, ...] = ()
    """Those that the run raised; an alarm is the process's own, and names the run."""

    @property
    def whole(self) -> bool:
        """Whether the run is told to its end."""
        return any(event.kind is Kind.RUN_ENDED for event in self.events)

    @property
    def missing(self) -> int:
        """How many events in between are not there: they are numbered without gaps."""
        return max(0, max(event.seq for event in self.events) - len(self.events))


def read(path: Path) -> Record:
    """Read what the file at *path* says of its last run; a line that is no event is counted and left out.

    Raises:
        Invalid: `missing_file`, `unreadable_file`, or `no_events` when it holds no run.
    """
    about: dict[str, Mapping[str, Any]] = {}
    runs: dict[str, dict[int, Event]] = {}
    alarms: list[Event] = []
    broken = 0
    for line in _lines(path):
        event = _event(line)
        if isinstance(event, Event) and event.kind is Kind.ALARM:
            alarms.append(event)
        elif isinstance(event, Event):
            runs.setdefault(event.run, {})[event.seq] = event
        elif event is not None:
            about[str(event.get("run"))] = event
        else:
            broken += 1
    if not runs:
        raise Invalid(f"{path} holds no events of a run", code="no_events", hint="name a file that a run has written")
    run, told = list(runs.items())[-1]
    events = tuple(told[seq] for seq in sorted(told))
    own = tuple(alarm for alarm in alarms if alarm.data.get("run") == run)
    return Record(path, about.get(run, {}), events, broken, len(runs) - 1, own)


def header(run: str, about: Mapping[str, Any]) -> bytes:
    """Return the first line of a run's file: what the command knows of the run, beside its events."""
    return orjson.dumps({"event": "recorded", "run": run, **about}, default=str) + b"\n"


def _lines(path: Path) -> Iterable[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        raise Invalid(f"there is no file {path}", code="missing_file", hint="check the path") from None
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}", code="unreadable_file", hint="check its permissions") from None


def _event(line: bytes) -> Event | Mapping[str, Any] | None:
    """Return the event of *line*, or what the first line tells of a run, or None when it is neither."""
    try:
        said = orjson.loads(line)
        if said["event"] == "recorded":
            return dict(said)
        run, step, data = str(said["run"]), str(said["step"]), dict(said["data"])
        if step.count("/") > DEEPEST or not _is_sound(data) or not 0 <= float(said["at"]) < DOOMSDAY:
            return None
        seq, at, kind = int(said["seq"]), float(said["at"]), Kind(said["event"])
        return Event(run, seq, at, kind, str(said["tenant"]), str(said["agent"]), step, data)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _is_sound(data: Mapping[str, Any]) -> bool:
    """Say whether what is calculated with is numbers, and what was said is text: anybody may write a file."""
    waited, said = data.get("waited_s", {}), data.get("content", [])
    numbers = [data[name] for name in NUMBERS if name in data] + list(waited.values())
    if not all(isinstance(number, int | float) and abs(number) < LARGEST for number in numbers):
        return False
    return all(isinstance(one["role"], str) and isinstance(one["text"], str) for one in said)
