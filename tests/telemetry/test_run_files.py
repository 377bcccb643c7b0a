"""Laws of run files: bounded in number, for the user alone, found by a few letters, read whatever they hold."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator import Invalid, Kind
from coordinator.telemetry import run_files
from coordinator.telemetry.story import tell
from coordinator.telemetry.trace_page import page_of


def made(folder: Path, *runs: str, keep: int = 100) -> None:
    for number, run in enumerate(runs):
        run_files.create(folder, run, keep).close()
        os.utime(folder / f"{run}.jsonl", (number, number))


def test_a_file_is_for_its_user_alone_and_never_committed(tmp_path: Path) -> None:
    folder = tmp_path / ".coordinator" / "runs"
    made(folder, "r-1")
    assert (folder / "r-1.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".coordinator" / ".gitignore").read_text() == "*\n"


def test_the_oldest_files_go_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    made(tmp_path, *(f"r-{number}" for number in range(7)), keep=3)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix) == [
        "notes.txt", "r-4.jsonl", "r-5.jsonl", "r-6.jsonl",
    ]  # fmt: skip


def test_a_run_whose_name_leads_elsewhere_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no file name"):
        run_files.create(tmp_path / "runs", "../../etc/r-1", 5)


def test_a_run_is_found_by_id_beginning_and_as_the_last(tmp_path: Path) -> None:
    made(tmp_path, "r-abc1", "r-abd2", "r-xyz3")
    assert run_files.find(tmp_path).stem == "r-xyz3"
    assert run_files.find(tmp_path, "last").stem == "r-xyz3"
    assert run_files.find(tmp_path, "r-abc1").stem == "r-abc1"
    assert run_files.find(tmp_path, "r-abd").stem == "r-abd2"
    assert run_files.find(tmp_path, "xy").stem == "r-xyz3"


@pytest.mark.parametrize(
    ("asked", "message"), [("r-ab", "2 runs begin with"), ("zz", "no run 'zz'"), ("", "no run ''")]
)
def test_an_unknown_run_names_the_newest(asked: str, message: str, tmp_path: Path) -> None:
    made(tmp_path, "r-abc1", "r-abd2", "r-xyz3")
    with pytest.raises(Invalid, match=message) as raised:
        run_files.find(tmp_path, asked)
    assert "r-abd2, r-abc1" in raised.value.hint


def test_without_any_run_the_hint_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        run_files.find(tmp_path / "nowhere")
    assert raised.value.code == "unknown_run"
    assert "coordinator run" in raised.value.hint


def test_what_was_written_is_read_back(told: Any, file_of: Callable[..., Path]) -> None:
    record = run_files.read(file_of(told))
    assert list(record.events) == told.events
    assert (record.whole, record.missing, record.broken, record.others) == (True, 0, 0, 0)


def test_the_first_line_tells_what_the_command_knew(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "r-1.jsonl"
    path.write_bytes(run_files.header("r-1", {"scenario": Path("one.yaml")}) + told.lines())
    assert run_files.read(path).about["scenario"] == "one.yaml"


def test_of_several_runs_in_a_file_the_last_is_read(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(told.lines().replace(b'"r-1"', b'"r-0"') + told.lines())
    record = run_files.read(path)
    assert (record.events[0].run, record.others) == ("r-1", 1)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_read_as_far_as_it_goes(share: float, told: Any, file_of: Callable[..., Path]) -> None:
    path = file_of(told)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    record = run_files.read(path)
    assert not record.whole
    assert record.broken <= 1
    assert list(record.events) == told.events[: len(record.events)]


def test_events_that_are_missing_in_between_are_counted(told: Any, file_of: Callable[..., Path]) -> None:
    path = file_of(told)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[5:]))
    assert run_files.read(path).missing == 2


@pytest.mark.parametrize("text", [b"", b"\n\n", b"{}", b"no json", b"[1]", b"\xff\xfe\x00", b'{"event": "state"}'])
def test_a_file_without_a_run_is_told_in_one_line(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(text)
    with pytest.raises(Invalid) as raised:
        run_files.read(path)
    assert raised.value.code == "no_events"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        run_files.read(tmp_path / "nowhere.jsonl")
    assert raised.value.code == "missing_file"
    with pytest.raises(Invalid) as raised:
        run_files.read(tmp_path)
    assert raised.value.code == "unreadable_file"


ODD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)
NAMES = ["cost", "ceiling", "state", "member", "tool", "class", "model", "code", "content", "waited_s", "duration_s",
         "attempt", "wait_s", "from", "to", "message", "status", "input_tokens", "decision", "passages"]  # fmt: skip


LINES = st.tuples(
    st.sampled_from(list(Kind)),
    st.sampled_from(["run", "run/a", "run/a/b#2", "", "x"]),
    st.dictionaries(st.sampled_from(NAMES), ODD | st.dictionaries(st.text(max_size=3), ODD, max_size=2)),
    st.floats(-1e300, 1e300),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=12))
def test_whatever_stands_in_a_file_it_has_a_story_or_none(lines: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    with path.open("w") as out:
        for seq, (kind, step, data, at) in enumerate(lines):
            whole = {"event": kind, "run": "r", "seq": seq, "at": at, "tenant": "t", "agent": "a", "step": step}
            out.write(json.dumps({**whole, "data": data}) + "\n")
    try:
        record = run_files.read(path)
    except Invalid:
        return
    story = tell(record)
    assert story.status
    assert page_of(story)
