"""What `--events` names: where every event of a run is written as a line of JSON."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from coordinator.domain.errors import Invalid
from coordinator.domain.events import Event, Observer
from coordinator.telemetry.lines import EventLines

STDERR = "-"


@contextmanager
def recording(target: str | None) -> Iterator[Sequence[Observer]]:
    """Open what `--events` names; a file that was made for a run that never began is taken away again.

    Raises:
        Invalid: `unusable_file`.
    """
    if target is None:
        yield ()
    elif target == STDERR:
        yield [EventLines(sys.stderr.buffer)]
    else:
        path = Path(target)
        existed = path.exists()
        lines = FileLines(path, _appending(path))
        try:
            yield [lines]
        except Invalid:
            lines.close()
            if not existed:
                path.unlink(missing_ok=True)
            raise
        finally:
            lines.close()


class FileLines:
    """Writes events to a file; when that fails it says so once, and the run goes on without.

    Args:
        path: of the file, as the user wrote it.
        out: the file; closed by `close`.
    """

    def __init__(self, path: Path, out: BinaryIO) -> None:
        self._path = path
        self._out = out
        self._write = EventLines(out)
        self._broken = False

    def __call__(self, event: Event) -> None:
        """Write *event*, as long as the file takes it."""
        if not self._broken:
            try:
                self._write(event)
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        try:
            self._out.close()
        except OSError as error:  # it writes what is left
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not self._broken:
            self._broken = True
            print(f"note: --events {self._path}: {error.strerror}: events are missing there", file=sys.stderr)


def _appending(path: Path) -> BinaryIO:
    try:
        return path.open("ab")
    except OSError as error:
        raise Invalid(
            f"--events {path}: {error.strerror}", code="unusable_file", hint="name a file in a folder that exists"
        ) from None
