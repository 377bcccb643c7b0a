"""Whatever the standard streams are, a run takes place, its result is told where it can be, and no traceback is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Said = tuple[int, str, str]
Command = Callable[..., Said]

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
SCENARIO = "task: hi\nworld: {shelf: data/shelf}\n"


def shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "coordinator", *arguments]
    return subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *words], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.real_time
@pytest.mark.parametrize("more", [[], ["--json"], ["--events", "-"]], ids=" ".join)
def test_closed_streams_change_nothing_but_what_is_seen(more: list[str], home: Path) -> None:
    (home / "one.yaml").write_text(SCENARIO)
    done = shell(">&-", "run", "one.yaml", *more)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    done = shell("2>&-", "run", "one.yaml", *more)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the first note" in done.stdout
    assert shell("<&- >&- 2>&-", "run", "one.yaml", *more).returncode == 0
    assert shell("2>&-", "run", "nowhere.yaml").returncode == 2


@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_size_of_nothing_is_no_size(name: str, command: Command, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv(name, "0")
    assert "the first note [1]" in command("run", "one.yaml", scenario=SCENARIO)[1]
    assert "take_note · version" in command("tools")[1]
    assert "PASS  one" in command("test", "one.yaml", scenario=f"{SCENARIO}expect: {{status: completed}}\n")[1]


@needs_full
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["", "json"])
def test_events_that_find_no_room_are_one_line_and_the_result_is_kept(
    more: list[str], command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    code, out, err = command("run", "one.yaml", "--events", str(FULL), *more, scenario=SCENARIO)
    assert code == 0
    assert "the first note" in out
    assert [line for line in err.splitlines() if line.startswith("note:")] == [
        "note: --events /dev/full: No space left on device: events are missing there"
    ]
    assert caplog.records == []
    if more:
        assert json.loads(out)["status"] == "completed"


@needs_full
@pytest.mark.real_time
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_result_that_finds_no_room_is_a_failure_told_in_one_line(unbuffered: str, home: Path) -> None:
    (home / "one.yaml").write_text(SCENARIO)
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "coordinator", "run", "one.yaml"],
            stdout=full, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, text=True,
            check=False, timeout=30,
        )  # fmt: skip
    assert done.returncode == 5
    told = "error[system]: standard output: No space left on device; make room there, or write it somewhere else"
    assert done.stderr.splitlines()[-1] == told
    assert "Traceback" not in done.stderr


@pytest.mark.real_time
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["", "json"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_reader_that_goes_away_is_never_taken_for_a_status_of_the_run(
    more: list[str], unbuffered: str, home: Path
) -> None:
    (home / "one.yaml").write_text(SCENARIO)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "coordinator", "run", "one.yaml", *more],
            stdout=pipe, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, text=True,
            check=False, timeout=30,
        )  # fmt: skip
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


@needs_full
def test_page_that_finds_no_room_names_its_file(command: Command) -> None:
    assert command("run", "one.yaml", scenario=SCENARIO)[0] == 0
    code, out, err = command("trace", "--html", str(FULL))
    assert (code, out) == (5, "")
    assert err == "error[system]: /dev/full: No space left on device; make room there, or write it somewhere else\n"
