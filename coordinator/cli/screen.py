"""The screens that commands print on."""

import shutil

from rich.console import Console


def screen(*, stderr: bool = False) -> Console:
    """Return the console of standard output, or of standard error; COLUMNS=0 and LINES=0 say nothing of its size."""
    shown = Console(stderr=stderr)
    if min(shown.size) < 1:
        size = shutil.get_terminal_size()
        shown.width, shown.height = size.columns, size.lines
    return shown
