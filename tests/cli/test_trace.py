"""`coordinator run` leaves a file, and `coordinator trace` tells what stands in it, whatever became of it."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.telemetry.run_files import read
from coordinator.telemetry.story import tell

Said = tuple[int, str, str]
Command = Callable[..., Said]
SCRIPT = "model: scripted\nscript: [{text: 'I say '}]"
ASK = f"task: ask\n{SCRIPT}"
DOWN = "faults: [{tool: take_note, tier: 0, fail: timeout}]\nsettings: {retry: {base_s: 0.001}}"
RUNS = Path(".coordinator/runs")


def runs(home: Path) -> list[Path]:
    return sorted((home / RUNS).glob("*")) if (home / RUNS).exists() else []


def run_id(out: str) -> str:
    return re.findall(r"r-[0-9a-f]{12}", out)[-1]


def test_a_run_leaves_one_file_with_its_events(command: Command, home: Path) -> None:
    _, out, err = command("run", "one.yaml", scenario=ASK)
    [path] = runs(home)
    assert path.name == f"{run_id(out)}.jsonl"
    first, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert (first["name"], first["scenario"], first["content"]) == ("one", "one.yaml", False)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert not any(line.startswith("note:") for line in err.splitlines())


def test_the_file_lies_at_the_root_of_the_workspace(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "below").mkdir()
    command("run", "one.yaml", scenario=ASK)
    monkeypatch.chdir(home / "below")
    command("run", "../one.yaml")
    assert len(runs(home)) == 2
    assert not (home / "below" / ".coordinator").exists()
    assert command("trace")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "scenario"),
    [
        (["run", "one.yaml", "--no-file"], ASK),
        (["run", "one.yaml"], f"{ASK}\nsettings: {{run_files: 0}}"),
        (["test", "one.yaml"], f"{ASK}\nexpect: {{status: completed}}"),
        (["load", "one.yaml", "--runs", "3", "--virtual"], "task: hi"),
        (["run", "one.yaml"], "task: hi\nworld: {shelf: nowhere}"),
    ],
    ids=["flag", "setting", "test", "load", "invalid"],
)  # fmt: skip
def test_no_file_is_left_where_none_is_wanted(
    arguments: list[str], scenario: str, command: Command, home: Path
) -> None:
    command(*arguments, scenario=scenario)
    assert runs(home) == []


def test_the_oldest_files_are_removed(command: Command, home: Path) -> None:
    ids = [run_id(command("run", "one.yaml", scenario=f"{ASK}\nsettings: {{run_files: 2}}")[1]) for _ in range(3)]
    assert {path.stem for path in runs(home)} == set(ids[1:])


def test_without_content_no_word_of_it_is_kept(command: Command, home: Path) -> None:
    command("run", "one.yaml", scenario="task: ask of marzipan\nmodel: scripted\nscript: [{text: marzipan}]")
    kept = [line for line in runs(home)[0].read_text().splitlines() if '"state"' not in line]  # the team's own words
    assert "marzipan" not in "".join(kept)
    command("run", "one.yaml", "--content")
    assert any("marzipan" in path.read_text() for path in runs(home))
    assert "marzipan" in Path(_page(command)).read_text()


def _page(command: Command) -> str:
    code, out, _ = command("trace", "--html", "page.html")
    assert code == 0
    assert "the page is in page.html" in out
    return "page.html"


def test_a_folder_that_cannot_be_written_is_one_note_and_the_run_goes_on(command: Command, home: Path) -> None:
    (home / ".coordinator").write_text("in the way")
    code, out, err = command("run", "one.yaml", scenario=ASK)
    assert code == 0
    assert "the first note" in out
    assert len([line for line in err.splitlines() if line.startswith("note:")]) == 1
    assert "events are missing there" in err


@pytest.mark.real_time
def test_a_file_that_finds_no_room_is_one_note_and_the_run_goes_on(home: Path) -> None:
    (home / "one.yaml").write_text(f"{ASK}\nworld: {{shelf: data/shelf}}\n")
    words = [sys.executable, "-B", "-m", "coordinator", "run", "one.yaml"]
    little = ["/bin/sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *words]  # no file may grow beyond a kilobyte
    done = subprocess.run(little, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, "the first note" in done.stdout) == (0, True)
    told = [line for line in done.stderr.splitlines() if line.startswith("note:")]
    assert [line.rsplit(": ", 2)[1:] for line in told] == [["File too large", "events are missing there"]]
    traced = subprocess.run([*words[:-2], "trace"], capture_output=True, text=True, check=False, timeout=30)
    assert "the record ends before the run" in traced.stdout


def test_no_key_of_the_environment_reaches_the_file(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-nobodys-shape")
    command("run", "one.yaml", "--content", "--events", "all.jsonl", scenario="task: my key is a-key-of-nobodys-shape")
    for path in (*runs(home), home / "all.jsonl"):
        assert "a-key-of-nobodys-shape" not in path.read_text()
        assert "my key is [redacted]" in path.read_text()


def test_the_tree_shows_time_money_retries_and_the_end(command: Command) -> None:
    command("run", "one.yaml", scenario=f"{ASK}\n{DOWN}")
    code, out, _ = command("trace")
    assert code == 0
    for wanted in ("boss", "listen ask", "scripted", "clerk", "take_note",
                   "attempt 2 after timeout", "take_note#0 is down (timeout); take_note#1 is tried",
                   "! tool_degraded:", " of $0.5000", "1 fallback", "flagged"):  # fmt: skip
        assert wanted in out
    assert max(map(len, out.splitlines()[:12])) <= 80


def test_money_of_an_attempt_without_a_reply_is_told_where_it_went_and_the_bill_adds_up(
    command: Command, home: Path
) -> None:
    lost = "faults: [{model: scripted, fail: timeout, times: 1}]\nsettings: {retry: {base_s: 0.001}}"
    command("run", "one.yaml", scenario=f"{ASK}\n{lost}")
    code, out, _ = command("trace")
    assert code == 0
    assert re.search(r"charged \$[\d.]+ for scripted\S* although no answer came", out)
    story = tell(read(runs(home)[0]))
    assert story.cost == story.tree.cost == sum(one.cost for one in story.by_target()) > 0


def test_a_refusal_is_told_where_it_befell(command: Command) -> None:
    command("run", "one.yaml", scenario="task: pay")
    _, out, _ = command("trace")
    line = next(line for line in out.splitlines() if "refused: " in line)
    assert "which a person must" in line
    assert "1 refusal" in out


@pytest.mark.parametrize("asked", ["id", "beginning", "last", "file", None])
def test_a_run_is_named_by_id_beginning_last_or_file(asked: str | None, command: Command, home: Path) -> None:
    run = run_id(command("run", "one.yaml", scenario=ASK)[1])
    names = {"id": run, "beginning": run[2:7], "last": "last", "file": str(RUNS / f"{run}.jsonl")}
    code, out, _ = command("trace", *([names[asked]] if asked else []))
    assert (code, out.split()[0]) == (0, run)


def test_the_file_of_events_is_traced_too(command: Command) -> None:
    command("run", "one.yaml", "--events", "all.jsonl", "--no-file", scenario=ASK)
    run = run_id(command("run", "one.yaml", "--events", "all.jsonl", "--no-file")[1])
    code, out, _ = command("trace", "all.jsonl")
    assert code == 0
    assert out.startswith(f"{run} · default")
    assert "the last of 2 runs in all.jsonl" in out


def test_an_unknown_run_is_one_line_with_the_newest(command: Command) -> None:
    run = run_id(command("run", "one.yaml", scenario=ASK)[1])
    code, out, err = command("trace", "r-nothere")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error[unknown_run]: there is no run 'r-nothere'")
    assert run in err


@pytest.mark.parametrize(
    ("asked", "told"),
    [("last", "no run has been recorded"), ("none.jsonl", "there is no file none.jsonl"), ("one.yaml", "no events")],
)  # fmt: skip
def test_where_nothing_was_recorded_one_line_says_so(asked: str, told: str, command: Command, home: Path) -> None:
    (home / "one.yaml").write_text("task: hi\n")
    code, out, err = command("trace", asked)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_outside_of_a_workspace_a_file_can_be_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("run", "one.yaml", "--events", str(tmp_path / "all.jsonl"), scenario=ASK)
    monkeypatch.chdir(tmp_path)
    assert command("trace", "all.jsonl")[0] == 0
    code, _, err = command("trace")
    assert code == 2
    assert "name the file" in err


def test_a_file_that_was_cut_is_told_as_far_as_it_goes(command: Command, home: Path) -> None:
    command("run", "one.yaml", scenario=ASK)
    [path] = runs(home)
    path.write_bytes(path.read_bytes()[:-700])
    code, out, _ = command("trace")
    assert code == 0
    assert "! the record ends before the run: its process was stopped, or it still runs" in out
    assert "! 1 line of the file could not be read" in out
    assert out.strip().splitlines()[-1].startswith("unfinished")
    assert command("trace", "--html", "page.html")[0] == 0


def test_signs_that_steer_a_terminal_are_not_printed(command: Command, home: Path) -> None:
    command("run", "one.yaml", scenario=ASK)
    [path] = runs(home)
    path.write_text(path.read_text().replace('"scripted:scripted"', '"scripted:\\u001b[2Jevil"'))
    assert "\x1b" not in command("trace")[1]


def test_a_page_that_cannot_be_written_is_one_line(command: Command) -> None:
    command("run", "one.yaml", scenario=ASK)
    code, _, err = command("trace", "--html", "nowhere/page.html")
    assert (code, err.count("\n")) == (2, 1)
    assert "error[unusable_file]: nowhere/page.html" in err


@pytest.mark.real_time
def test_a_run_that_is_killed_can_be_traced(home: Path) -> None:
    (home / "one.yaml").write_text("task: wait\nworld: {shelf: data/shelf}\n")
    words = [sys.executable, "-m", "coordinator"]
    with subprocess.Popen([*words, "run", "one.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 20
        while not any(b"listen" in path.read_bytes() for path in runs(home)) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run([*words, "trace"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0
    assert "the record ends before the run" in done.stdout
    assert "boss unfinished" in done.stdout
