"""The command `coordinator`, also as `python -m coordinator`.

It takes a moment to import what it needs. Who interrupts it in that moment is not shown what it was importing.
"""

import os
import signal
import sys

INTERRUPTED = 130
"""As `cli/exits.py` has it, which cannot be imported yet."""


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    heard = signal.getsignal(signal.SIGINT)
    if heard is signal.default_int_handler:  # a shell may have asked to ignore interrupts
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from coordinator.cli import main as carry_out  # noqa: PLC0415 - only now

    try:
        if heard is signal.default_int_handler:
            signal.signal(signal.SIGINT, heard)
        carry_out()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
