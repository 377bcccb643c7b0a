"""`coordinator run`: the reply on standard output, everything else on standard error, the status as the exit code."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from rich.console import Console

from coordinator.cli.exits import OF_STATUS
from coordinator.cli.report import tell
from coordinator.domain.result import Issue, RunResult, Status

Said = tuple[int, str, str]
Command = Callable[..., Said]
FAILING = "model: scripted\nscript: [{fail: error, times: null}]\nsettings: {retry: {base_s: 0.001}}"
ROOT = Path(__file__).parent.parent.parent
SCRIPT = "model: scripted\nscript: [{text: 'I say '}]"


def test_reply_citations_and_facts_are_standard_output(command: Command) -> None:
    code, out, _ = command("run", "one.yaml", scenario=f"task: ask\n{SCRIPT}")
    assert code == 0
    reply, citations, facts = out.strip().split("\n\n")
    assert reply == "default hears: I say the first note [1]"
    assert citations == "[1] notes/alpha:1"
    assert facts.startswith("completed · 1 turn · 3 steps · ")
    assert " of $0.5000 · scripted · r-" in facts


def test_progress_names_the_agent_of_every_step(command: Command) -> None:
    _, _, err = command("run", "one.yaml", scenario=f"task: ask\n{SCRIPT}")
    steps = [line.split(": ")[0] for line in err.splitlines() if ": " in line]
    assert steps == ["boss", "boss", "boss", "clerk", "boss"]
    assert "clerk: tool take_note: ok" in err


@pytest.mark.parametrize(
    ("scenario", "code", "status"),
    [
        ("task: hi", 0, "completed"),
        ("task: doubt", 1, "flagged"),
        (f"task: ask\n{SCRIPT}\nsettings: {{run_usd: 0.000001}}", 3, "refused"),
        ("task: pay", 4, "escalated"),
        (f"task: ask\n{FAILING}", 5, "failed"),
    ],
)  # fmt: skip
def test_exit_code_is_that_of_the_status(scenario: str, code: int, status: str, command: Command) -> None:
    found, out, _ = command("run", "one.yaml", scenario=scenario)
    assert found == code
    assert out.strip().splitlines()[-1].split(" · ")[0] == status
    found, out, _ = command("run", "one.yaml", "--json")
    assert found == code
    assert json.loads(out)["status"] == status


def test_every_status_has_an_exit_code() -> None:
    assert set(OF_STATUS) == set(Status)


def test_json_is_the_whole_of_standard_output(command: Command) -> None:
    code, out, err = command("run", "one.yaml", "--json", scenario=f"task: ask\n{SCRIPT.replace('I', 'É')}")
    assert code == 0
    result = json.loads(out)
    assert out.count("\n") == 1
    assert out.isascii()
    wanted = {"status", "code", "text", "citations", "cost_usd", "run_id", "model", "issues"}
    assert wanted <= set(result)
    assert "the boss says something" in err


def test_what_a_team_prints_is_no_result(command: Command) -> None:
    _, out, err = command("run", "one.yaml", scenario="task: hi")
    assert "says something" not in out
    assert "crew is imported" in err


def test_options_replace_what_the_file_says(command: Command, home: Path) -> None:
    scenario = "task: hi\ninputs: {shelf: data/shelf}\nworld: {shelf: '${shelf}'}\n"
    code, out, _ = command(
        "run", "one.yaml", "--task", "doubt", "--tenant", "acme", "--set", "shelf=data/other", scenario=scenario
    )
    assert code == 1
    assert out.startswith("acme hears: another note")


def test_reply_cannot_steer_the_terminal(command: Command) -> None:
    script = 'model: scripted\nscript: [{text: "a\\e[31mred\\a\\u202e b\\tc\\r\\nd"}]'
    _, out, _ = command("run", "one.yaml", scenario=f"task: ask\n{script}")
    assert "a�[31mred�� b    c\nd" in out
    assert "\x1b" not in out


def test_expectations_are_not_judged(command: Command) -> None:
    code, _, _ = command("run", "one.yaml", scenario="task: hi\nexpect: {status: failed, mentions: [never]}")
    assert code == 0


def test_decisions_are_noted_as_not_asked_for(command: Command) -> None:
    decisions = "decisions: [{tool: pay, approve: true}, {tool: pay, approve: false}]"
    _, out, err = command("run", "one.yaml", "--json", scenario=f"task: hi\n{decisions}")
    assert json.loads(out)["status"] == "completed"
    assert [line for line in err.splitlines() if line.startswith("note:")] == [
        "note: one.yaml: decisions about pay are not asked for yet: tools that need a person are refused"
    ]


def test_events_go_to_a_file_as_lines_without_gaps(command: Command, home: Path) -> None:
    command("run", "one.yaml", "--events", "events.jsonl", scenario="task: hi")
    events = [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["run"] for event in events}) == 1
    assert events[0]["event"] == "run.started"


def test_events_of_a_second_run_are_appended(command: Command, home: Path) -> None:
    for _ in range(2):
        command("run", "one.yaml", "--events", "events.jsonl", scenario="task: hi")
    runs = [json.loads(line)["run"] for line in (home / "events.jsonl").read_text().splitlines()]
    assert len(set(runs)) == 2


@pytest.mark.real_time
def test_events_on_standard_error_replace_the_plain_lines(home: Path) -> None:
    (home / "one.yaml").write_text("task: hi\nworld: {shelf: data/shelf}\n")
    done = subprocess.run(
        [sys.executable, "-m", "coordinator", "run", "one.yaml", "--events", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("crew", "the boss"))]
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))


@pytest.mark.real_time
def test_terminal_that_does_not_know_a_sign_is_no_failure(home: Path) -> None:
    script = "model: scripted\nscript: [{text: 'costs €5 '}]"
    (home / "one.yaml").write_text(f"task: ask\n{script}\nworld: {{shelf: data/shelf}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "coordinator", "run", "one.yaml"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )  # fmt: skip
    assert b"costs ?5 the first note" in done.stdout


BAD = [
    (["run"], "", "Missing argument"),
    (["run", "nowhere.yaml"], "", "there is no file nowhere.yaml"),
    (["run", "data"], "", "data is a folder"),
    (["run", "one.yaml", "--bogus"], "task: hi", "No such option"),
    (["run", "one.yaml", "--set", "shelf"], "task: hi", "--set 'shelf' is not NAME=VALUE"),
    (
        ["run", "one.yaml", "--set", "shelf="],
        "task: hi\ninputs: {shelf: x}\nworld: {shelf: '${shelf}'}",
        "is an empty path",
    ),
    (["run", "one.yaml", "--model", "offline:foo"], "task: hi", "--model: there is no model 'offline:foo'"),
    (["run", "one.yaml", "--set", "a=1", "--set", "a=2"], "task: hi", "--set a is given twice"),
    (["run", "one.yaml", "--set", "shelf=x"], "task: hi", "no input named 'shelf'"),
    (["run", "one.yaml", "--task", ""], "task: hi", "the given task is empty"),
    (["run", "one.yaml", "--model", "nowhere:x"], "task: hi", "no model 'nowhere:x'"),
    (["run", "one.yaml", "--events", "no/such/file"], "task: hi", "--events no/such/file: No such file"),
    (["run", "one.yaml", "--events", "data"], "task: hi", "--events data: Is a directory"),
    (["run", "one.yaml"], "tusk: hi", "unknown key 'tusk'"),
    (["run", "one.yaml"], "task: 3", "task should be text"),
    (["run", "one.yaml"], "task: [", "not valid YAML"),
    (["run", "one.yaml"], "task: hi\nteam: nowhere:team", "team module nowhere does not exist"),
    (["run", "one.yaml"], "task: hi\nfaults: [{tool: x, fail: error}]", "no tool named 'x'"),
    (["run", "one.yaml"], "task: hi\nworld: {shelf: nowhere}\n", "shelf cannot be read"),
    (["run", "one.yaml"], "task: hi\nworld: {shelf: crew.py}\n", "crew.py is no shelf"),
    (["run", "one.yaml"], "task: hi\nkind: huge", "no task type named 'huge'"),
    (["test", "nowhere.yaml"], "", "there is no file nowhere.yaml"),
    (["test", "one.yaml"], "task: hi", "expects nothing"),
    (["test"], "", "there are no scenarios in"),
    (["test", "data"], "", "there are no scenarios in data"),
    (["tools", "nowhere:team"], "", "team module nowhere does not exist"),
    (["tools", "crew"], "", "'crew' does not name a team"),
]


BAD += [([*arguments, "--json"], scenario, said) for arguments, scenario, said in BAD if arguments[0] == "run"]


@pytest.mark.parametrize(("arguments", "scenario", "said"), BAD, ids=lambda value: "".join(value)[:40])
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], scenario: str, said: str, command: Command, home: Path
) -> None:
    if scenario:
        command("schema", scenario=scenario)
    before = sorted(home.rglob("*.*"))
    code, out, err = command(*arguments)
    lines = [line for line in err.splitlines() if line != "crew is imported"]
    assert code == 2
    assert out == ""
    assert len(lines) == 1
    assert lines[0].startswith("error[")
    assert said in lines[0]
    assert [path for path in sorted(home.rglob("*.*")) if "__pycache__" not in str(path)] == before


REFERENCE = "team: agents:team\ntask: Where is order 1042?\n"


@pytest.mark.parametrize(
    ("database", "knowledge", "said"),
    [
        (b"CREATE TABLE x (a);\nINSERT INTO y VALUES (1);\n", "help", "{}/one.yaml:3: database {}/one.sql, line 2: "),
        (
            b"SQLite format 3\0....",
            "help",
            "{}/one.yaml:3: database {}/one.sql cannot be read: it is a binary",
        ),
        (b"\xff\xfe\x00", "help", "{}/one.yaml:3: database {}/one.sql cannot be read: it is not UTF-8"),
        (b"CREATE TABLE x (a);\n", "help", "{}/one.yaml:3: database {}/one.sql is not a shop"),
        (b"", "bad", "{}/one.yaml:3: knowledge in {}/bad: file 'a.md' is not UTF-8 text; repair a.md"),
        (b"", "nowhere", "{}/one.yaml:3: knowledge cannot be read: {}/nowhere: No such file"),
    ],
)
def test_world_that_is_broken_is_one_line_and_exit_code_2(
    database: bytes, knowledge: str, said: str, command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "one.sql").write_bytes(database)
    (home / "help").mkdir()
    (home / "help/a.md").write_text("# A\n\nText.\n")
    (home / "bad").mkdir()
    (home / "bad/a.md").write_bytes(b"\xff")
    (home / "coordinator.toml").unlink()
    monkeypatch.chdir(ROOT)  # the reference team works in a world outside of its workspace
    scenario = f"{REFERENCE}world: {{database: one.sql, knowledge: {knowledge}}}\n"
    code, out, err = command("run", str(home / "one.yaml"), scenario=scenario)
    assert (code, out) == (2, "")
    assert said.replace("{}", str(home)) in err
    assert err.count("\n") == 1


def test_events_file_of_a_run_that_never_began_is_taken_away(command: Command, home: Path) -> None:
    scenario = "task: hi\nworld: {shelf: crew.py}\n"
    assert command("run", "one.yaml", "--events", "new.jsonl", scenario=scenario)[0] == 2
    assert not (home / "new.jsonl").exists()
    (home / "old.jsonl").write_text("{}\n")
    assert command("run", "one.yaml", "--events", "old.jsonl")[0] == 2
    assert (home / "old.jsonl").read_text() == "{}\n"


@contextmanager
def waiting(home: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run that waits for ever, and yield it when it does."""
    (home / "one.yaml").write_text("task: wait\nworld: {shelf: data/shelf}\n")
    with subprocess.Popen(
        [sys.executable, "-m", "coordinator", "run", "one.yaml", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it in what it runs behind
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("boss: listen"):
                    break
            yield process
        finally:
            process.kill()  # leaving the block waits for its end


@pytest.mark.real_time
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["", "json"])
def test_interrupted_run_is_cancelled_without_a_traceback(more: list[str], home: Path) -> None:
    with waiting(home, *more) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "interrupted\n"
    if more:
        result = json.loads(out)
        assert (result["status"], result["code"]) == ("cancelled", "cancelled")
        assert result["run_id"].startswith("r-")
    else:
        assert out == ""


@pytest.mark.real_time
@pytest.mark.parametrize("pause", [0.0, 0.002, 0.02, 0.1])
def test_run_that_is_interrupted_again_and_again_ends_with_130(pause: float, home: Path) -> None:
    with waiting(home) as process:
        for _ in range(3 if pause else 40):
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(pause or 0.005)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_what_the_reply_says_itself_is_not_told_again_beside_its_cause() -> None:
    said = io.StringIO()
    cause, reason = Issue(code="denied", message="wrong key"), Issue(code="could_not_look", message="nobody could look")
    for issues in ([cause, reason], [reason]):
        text = "This goes to a person: nobody could look."
        tell(RunResult(status=Status.ESCALATED, text=text, issues=issues), Console(file=said, width=200))
    assert [line for line in said.getvalue().splitlines() if line.startswith("!")] == [
        "! denied: wrong key", "! could_not_look: nobody could look",
    ]  # fmt: skip
