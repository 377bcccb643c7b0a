"""The command line: parse, call, print. One file per command; here are their table and the edge where errors end."""

import asyncio
import atexit
import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

from coordinator.app.collector import relax_collector
from coordinator.app.own_loop import LEFT
from coordinator.cli.doctor import doctor
from coordinator.cli.exits import FAILED, INTERRUPTED, INVALID, OK, REFUSED
from coordinator.cli.fake_provider import fake_provider
from coordinator.cli.init import init
from coordinator.cli.load import load_scenario
from coordinator.cli.run import run
from coordinator.cli.schema import schema
from coordinator.cli.simulate import simulate_scenario
from coordinator.cli.test import judge_scenarios
from coordinator.cli.tools import tools
from coordinator.cli.trace import trace
from coordinator.domain.errors import CoordinatorError, Invalid, Refused

COMMANDS: dict[str, Callable[..., int | None]] = {
    "init": init,
    "run": run,
    "test": judge_scenarios,
    "simulate": simulate_scenario,
    "load": load_scenario,
    "trace": trace,
    "doctor": doctor,
    "fake-provider": fake_provider,
    "tools": tools,
    "schema": schema,
}
"""Every command by name. A command returns its exit code; None is 0."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What the system says when it cannot write; whoever writes a file names it, standard output has no name."""

LEAVE_S = 0.2
"""Seconds that threads have to end with the process; those that are idle need less."""

PIPE_CLOSED = 141
"""The exit code of a process whose reader went away, as shells count it: 128 and the number of SIGPIPE."""


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    heard = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    left: list[asyncio.Task[Any]] = []
    LEFT.set(left)
    relax_collector()
    _stand_in()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # replies quote documents, and a terminal may not know every sign
    try:
        code = execute(sys.argv[1:])
        if heard:  # whoever runs it behind has asked it to ignore interrupts
            _end_when_interrupted()
    except KeyboardInterrupt:  # again, while the first one was being told
        code = INTERRUPTED
        _end_when_interrupted()
    _leave(code, left)


def _end_when_interrupted() -> None:
    """Let a further interrupt end the process at once, with the code of one: what was to be told has been told."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    # The interpreter gives its last moments back to the system, which would end the process by signal.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def _leave(code: int, left: Sequence[asyncio.Task[Any]]) -> NoReturn:
    """End the process, and wait neither for tasks that were *left* nor for threads in which a tool may block."""
    until = time.monotonic() + LEAVE_S
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if left or any(thread.is_alive() for thread in others):
        atexit._run_exitfuncs()  # noqa: SLF001 - all that an orderly end does before it waits for threads
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _stand_in() -> None:
    """Let the void stand in for standard streams that the shell has closed, which Python leaves out."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            void = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
            setattr(sys, name, void)


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what goes wrong becomes one line on standard error.

    Args:
        arguments: the words after `coordinator`.

    Returns:
        The code of the command, or 2 for wrong usage and invalid input, 3 for a refusal, 5 for a failure, 130 when
        interrupted, 141 when the reader of standard output went away.
    """
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except CoordinatorError as error:
        return _tell(error)
    except typer.TyperException as error:
        return _tell(_misuse(error))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        _drop_output()
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except OSError as error:
        _drop_output()
        return _tell(_unusable(error))
    return code


def _drop_output() -> None:
    """Let standard output that cannot be written lead nowhere: Python flushes once more at its end, and complains."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def application() -> typer.Typer:
    """Return the command line as a typer application."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(_root)
    for name, command in COMMANDS.items():
        app.command(name, short_help=(command.__doc__ or "").partition("\n")[0])(command)
    return app


def _root(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Run teams of LLM agents as bounded, accountable workflows."""
    if show_version:
        print(f"coordinator {version('agent-coordinator')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def _invoke(arguments: Sequence[str]) -> int:
    command: Any = get_command(application())
    try:
        with command.make_context("coordinator", list(arguments)) as context:
            return command.invoke(context) or OK
    except typer.Exit as finished:
        return finished.exit_code


def _tell(error: CoordinatorError) -> int:
    joint = " " if error.message.endswith("?") else "; "
    line = f"{error.message}{joint}{error.hint}" if error.hint else error.message
    print(f"error[{error.code}]: {' '.join(line.split())}", file=sys.stderr)
    if isinstance(error, Invalid):
        return INVALID
    return REFUSED if isinstance(error, Refused) else FAILED


def _misuse(error: typer.TyperException) -> Invalid:
    context: typer.Context | None = getattr(error, "ctx", None)
    command = context.command_path if context else "coordinator"
    return Invalid(
        f"{command}: {error.format_message().strip().rstrip('.')}", code="usage", hint=f"see `{command} --help`"
    )


def _unusable(error: OSError) -> CoordinatorError:
    """What the system refused, as an error of ours: a wrong file is the user's to repair, a full disk is a failure."""
    what = error.strerror or type(error).__name__
    message = f"{error.filename}: {what}" if error.filename is not None else what
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return Invalid(message, code="unusable_file", hint="check the path and its permissions")
    if error.errno in NO_ROOM:
        where = "" if error.filename is not None else "standard output: "
        return CoordinatorError(f"{where}{message}", code="system", hint="make room there, or write it somewhere else")
    return CoordinatorError(message, code="system")
