"""The screens that commands print on."""

import shutil

from rich.console import Console


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Let the edge of the command line tell it: rich would end the process with the code of a flagged run."""
        raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError


def screen(*, stderr: bool = False) -> Console:
    """Return the console of standard output, or of standard error; COLUMNS=0 and LINES=0 say nothing of its size."""
    shown = _Screen(stderr=stderr)
    if min(shown.size) < 1:
        size = shutil.get_terminal_size()
        shown.width, shown.height = size.columns, size.lines
    return shown
