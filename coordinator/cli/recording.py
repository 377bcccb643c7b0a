"""Where every event of a run is written as a line of JSON: what `--events` names, and the run's own file."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from coordinator.domain.errors import Invalid
from coordinator.domain.events import Event, Observer
from coordinator.settings import Settings
from coordinator.telemetry import run_files
from coordinator.telemetry.lines import EventLines
from coordinator.telemetry.redaction import secrets_of

STDERR = "-"

Open = Callable[[str], BinaryIO]
"""Opens the file for the events of a run, given its id."""


@contextmanager
def recording(target: str | None, secrets: Sequence[str]) -> Iterator[Sequence[Observer]]:
    """Open what `--events` names; a file that was made for a run that never began is taken away again.

    Args:
        target: a file, `-` for standard error, or None for nothing.
        secrets: what must not be written.

    Raises:
        Invalid: `unusable_file`.
    """
    if target is None:
        yield ()
    elif target == STDERR:
        yield [EventLines(sys.stderr.buffer, secrets)]
    else:
        path = Path(target)
        existed = path.exists()
        out = _appending(path)
        lines = FileLines(f"--events {path}", lambda _: out, secrets)
        try:
            yield [lines]
        except Invalid:
            lines.close()
            out.close()
            if not existed:
                path.unlink(missing_ok=True)
            raise
        finally:
            lines.close()


@contextmanager
def run_file(root: Path, keep: int, about: Mapping[str, Any], secrets: Sequence[str]) -> Iterator[Sequence[Observer]]:
    """Keep the events of a run in a file of its own below *root*, which `coordinator trace` reads.

    Args:
        root: of the workspace.
        keep: files to keep, the oldest are removed; 0 writes none.
        about: what the first line says of the run.
        secrets: what must not be written.
    """
    if not keep:
        yield ()
        return
    folder = root / run_files.FOLDER

    def opened(run: str) -> BinaryIO:
        out = run_files.create(folder, run, keep)
        try:
            out.write(run_files.header(run, about))
        except OSError:
            out.close()
            raise
        return out

    with ExitStack() as stack:
        lines = FileLines(f"the file of this run in {folder}", opened, secrets)
        stack.callback(lines.close)
        yield [lines]


def keys_of(settings: Settings) -> tuple[str, ...]:
    """Return the keys that *settings* and the environment hold, which no event may show."""
    given = (provider.api_key for provider in settings.providers.values())
    return (*secrets_of(os.environ), *(key.get_secret_value() for key in given if key is not None))


class FileLines:
    """Writes events to a file; when that fails it says so once, and the run goes on without.

    Args:
        name: of the file, as it is told.
        opened: opens the file, at the first event; closed by `close`.
        secrets: what must not be written.
    """

    def __init__(self, name: str, opened: Open, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets
        self._name = name
        self._open = opened
        self._out: BinaryIO | None = None
        self._write: Observer | None = None
        self._broken = False

    def __call__(self, event: Event) -> None:
        """Write *event*, as long as the file takes it."""
        if self._broken:
            return
        try:
            if self._write is None:
                self._out = self._open(event.run)
                self._write = EventLines(self._out, self._secrets)
            self._write(event)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        try:
            if self._out is not None:
                self._out.close()
        except OSError as error:  # it writes what is left
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not self._broken:
            self._broken = True
            print(f"note: {self._name}: {error.strerror}: events are missing there", file=sys.stderr)


def _appending(path: Path) -> BinaryIO:
    try:
        return path.open("ab")
    except OSError as error:
        raise Invalid(
            f"--events {path}: {error.strerror}", code="unusable_file", hint="name a file in a folder that exists"
        ) from None
