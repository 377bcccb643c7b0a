"""The edge of the command line: every mistake of a user is one line on standard error, with a fixed exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import coordinator
from coordinator import cli, public
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Reached, Refused, UnknownOutcome


def raising(error: BaseException) -> dict[str, object]:
    def command() -> None:
        raise error

    return {"fail": command, "other": command}


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Invalid("x is wrong", code="bad_x", hint="mend it"), 2, "error[bad_x]: x is wrong; mend it"),
        (Invalid("two\n  lines"), 2, "error[invalid]: two lines"),
        (Refused("no money"), 3, "error[refused]: no money"),
        (Fault("it broke", reached=Reached.YES), 5, "error[fault]: it broke"),
        (UnknownOutcome("it is lost"), 5, "error[unknown_outcome]: it is lost"),
        (CoordinatorError("anything"), 5, "error[error]: anything"),
        (
            FileNotFoundError(2, "No such file", "x.yaml"),
            2,
            "error[unusable_file]: x.yaml: No such file; check the path",
        ),
        (
            PermissionError(13, "Permission denied", "x"),
            2,
            "error[unusable_file]: x: Permission denied; check the path",
        ),
        (OSError(28, "No space left on device", "x"), 5, "error[system]: x: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_is_one_line_and_a_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "COMMANDS", raising(error))
    assert cli.execute(["fail"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(line)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["init"], "`coordinator init --help`"),
        (["init", "--bogus"], "`coordinator init --help`"),
        (["init", "a", "b"], "`coordinator init --help`"),
        (["unheard-of"], "`coordinator --help`"),
        (["--bogus"], "`coordinator --help`"),
        (["init", "--package"], "--help`"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_command_and_its_help(
    arguments: list[str], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error[usage]: coordinator")
    assert where in said.err
    assert said.err.count("\n") == 1


def test_defect_of_ours_is_not_dressed_up_as_a_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.execute(["fail"])


def test_exit_code_of_a_command_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", {"flagged": lambda: 1, "silent": lambda: None})
    assert cli.execute(["flagged"]) == 1
    assert cli.execute(["silent"]) == 0


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["init", "--help"]])
def test_asking_what_it_is_succeeds(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(arguments) == 0
    said = capsys.readouterr()
    assert "oordinator" in said.out
    assert said.err == ""


def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    cli.execute(["--help"])
    listing = " ".join(capsys.readouterr().out.partition("Commands:")[2].split())
    for name, command in cli.COMMANDS.items():
        assert command.__doc__
        assert f"{name} {command.__doc__.partition(chr(10))[0]}" in listing


@pytest.mark.real_time
def test_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "coordinator", "--version"]
    # Buffered as in a shell, so that Python has something left to flush when it exits.
    buffered = {name: word for name, word in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, env=buffered, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.real_time
def test_interrupt_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    script = tmp_path / "wait.py"
    script.write_text(
        "import asyncio, sys\nfrom coordinator import cli\n\n"
        "async def wait():\n    print('waiting', flush=True)\n    await asyncio.Event().wait()\n\n"
        "cli.COMMANDS['wait'] = lambda: asyncio.run(wait())\nsys.argv = ['coordinator', 'wait']\ncli.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it in what it runs behind
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=20)
        finally:
            process.kill()  # leaving the block waits for its end
    assert (process.returncode, told) == (130, b"interrupted\n")


INTERRUPTED_AT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it runs behind
sys.meta_path.insert(0, Interrupting())
from coordinator.__main__ import main
main()
"""


@pytest.mark.real_time
@pytest.mark.parametrize("module", ["coordinator.cli", "coordinator.app", "coordinator.cli.trace", "rich.console"])
def test_interrupt_while_it_is_still_being_imported_ends_with_130_and_no_traceback(module: str) -> None:
    script = INTERRUPTED_AT.replace("MODULE", repr(module))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.real_time
def test_the_command_is_there_to_be_interrupted_before_it_imports_anything_of_weight() -> None:
    listed = "import sys; old = set(sys.modules); import coordinator.__main__; print(*sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name.startswith("coordinator")} == {
        "coordinator", "coordinator.__main__"
    }  # fmt: skip
    assert not {"asyncio", "pydantic", "typer", "rich"} & set(done.stdout.split())


def test_the_public_names_are_all_there_and_nothing_else() -> None:
    assert coordinator.__all__ == public.__all__
    assert all(getattr(coordinator, name) is getattr(public, name) for name in public.__all__)
    assert set(public.__all__) <= set(dir(coordinator))
    with pytest.raises(AttributeError, match="module 'coordinator' has no attribute 'Cordinator'"):
        coordinator.Cordinator  # noqa: B018 - to look at it is the test
