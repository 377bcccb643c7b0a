"""`coordinator doctor`: every wrong thing is one line with its repair, and nothing is sent that should not be."""

import asyncio
import json
import queue
import resource
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

Said = tuple[int, str, str]
Command = Callable[..., Said]
Heard = queue.SimpleQueue[bytes]
PRIORITY = """
team = "crew:team"
[models]
small = "openai:gpt-4o-mini"
large = "openai:gpt-4o-mini"
[providers.openai]
api_key = "sk-test-0123456789"
base_url = "http://127.0.0.1:9/v1"
options = { service_tier = "priority" }
"""
SHELF = '[world]\nshelf = "data/shelf"\n'


@pytest.fixture(autouse=True)
def no_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine is set up for, the tests do not reach for it."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "COMPATIBLE_API_KEY",
                 "OPENAI_BASE_URL", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checks(command: Command, home: Path) -> Callable[..., dict[str, list[dict[str, str]]]]:
    """Run the doctor on a workspace with these settings, and return what it found by the names of the checks."""

    def examine(settings: str = 'team = "crew:team"\n' + SHELF, *more: str) -> dict[str, list[dict[str, str]]]:
        (home / "coordinator.toml").write_text(settings)
        code, out, _ = command("doctor", "--json", *more)
        found = json.loads(out)
        assert code == (0 if found["ok"] else 1)
        assert found["ok"] == (not any(check["state"] == "wrong" for check in found["checks"]))
        assert all(bool(check["fix"]) == (check["state"] != "ok") for check in found["checks"])
        named: dict[str, list[dict[str, str]]] = {}
        for check in found["checks"]:
            named.setdefault(check["name"], []).append(check)
        return named

    return examine


@pytest.fixture
def server() -> Iterator[tuple[int, Heard]]:
    """A server in a thread of its own that takes connections and remembers what they sent."""
    heard: Heard = queue.SimpleQueue()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                heard.put(connection.recv(10_000))
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listening.getsockname()[1], heard
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_healthy_workspace_has_nothing_wrong(checks: Any) -> None:
    found = checks()
    assert {
        "workspace",
        "settings",
        "team",
        "world",
        "models",
        "prices",
        "limits",
        "network",
        "clock",
        "search",
    } <= set(found)
    assert found["team"][0]["said"] == "crew:team: 2 agents, 2 tools"
    assert found["tools"][0]["said"].endswith("need a person: pay")
    assert found["models"][0]["said"] == "small is offline; large is offline"
    assert {check["state"] for name in found for check in found[name]} <= {"ok", "warn"}


def test_people_read_one_line_for_each_check_with_its_repair(command: Command, home: Path) -> None:
    (home / "coordinator.toml").write_text('team = "crew:tem"\nrun_usd = 0.5\n')
    code, out, err = command("doctor")
    assert code == 1
    assert "wrong  module crew has no 'tem'" in out
    assert "→ teams there: crew:team" in out
    assert "1 wrong" in out.splitlines()[-1]
    assert "Traceback" not in err
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("settings", "name", "said", "fix"),
    [
        ('team = "crew:team"\nrun_uds = 1\n', "settings", "run_uds", "correct it in"),
        ("run_usd = -1\ndeadline_s = 0\n", "settings", "run_usd", "correct it in"),
        ("run_usd = ", "settings", "Invalid value", "correct the TOML"),
        ("run_usd = 0.5\nsession_usd = 0.1\n", "settings", "session_usd", "correct it in"),
        ('team = "nowhere:team"\n', "team", "nowhere", "modules there: crew"),
        ('team = "crew:team"\n[rates.take_nothing]\nrequests = 5\n', "team", "take_nothing", "take_note"),
        ('team = "crew:team"\n[world]\nshelf = "nowhere"\n', "world", "there is no", "correct world.shelf"),
        ('[models]\nsmall = "offlin"\n', "models", "offlin", "providers"),
        ('[models]\nsmall = "openai:gpt-4o-mini"\n', "keys", "OPENAI_API_KEY is not set", "set OPENAI_API_KEY"),
        ('team = "crew:team"\nrun_usd = 0.000001\n', "limits", "the shortest reply may cost", "raise run_usd"),
        (PRIORITY, "prices", "service_tier = priority", 'set prices."openai:gpt-4o-mini"'),
        ('[models]\nsmall = "compatible:x"\n', "models", "names no server", "compatible:NAME@URL"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_repair(settings: str, name: str, said: str, fix: str, checks: Any) -> None:
    [found] = [check for check in checks(settings)[name] if check["state"] == "wrong"][:1]
    assert said in found["said"]
    assert fix in found["fix"]


def test_every_wrong_setting_is_told_at_once(checks: Any) -> None:
    found = checks("run_usd = -1\ndeadline_s = 0\nrun_uds = 3\n")["settings"]
    assert {check["said"].partition(":")[0] for check in found} == {"run_usd", "deadline_s", "run_uds"}


@pytest.mark.parametrize(
    ("settings", "name", "said"),
    [
        ('team = "crew:team"\ndeadline_s = 60\n', "limits", "one model call may take 120 s, a whole run 60 s"),
        ('team = "crew:team"\nrun_usd = 0.0003\n', "limits", "its longest reply may cost"),
        ("content = true\n", "content", "hold what is asked"),
        ("run_usd = 1\n", "team", "no team is named"),
    ],
)
def test_what_cannot_be_meant_is_a_warning(settings: str, name: str, said: str, checks: Any) -> None:
    assert any(said in check["said"] for check in checks(settings)[name] if check["state"] == "warn")


def test_fewer_files_than_runs_is_a_warning(checks: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (900, hard))
    try:
        [found] = checks()["files"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (found["state"], found["fix"]) == ("warn", "ulimit -n 1200, or lower admission.runs")


def test_outside_of_a_workspace_the_machine_is_still_looked_at(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = command("doctor")
    assert code == 0
    assert "warn  no coordinator.toml" in out
    assert "coordinator init DIR" in " ".join(out.split())
    assert "SQLite" in out


def test_a_misspelt_variable_is_told(checks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_RUN_UDS", "1")
    [found] = checks()["settings"]
    assert "COORDINATOR_RUN_UDS names no setting" in found["said"]
    assert "COORDINATOR_RUN_USD" in found["fix"]


def test_a_folder_that_cannot_be_written_is_a_warning(checks: Any, home: Path) -> None:
    (home / ".coordinator").write_text("in the way")
    assert [check["state"] for check in checks()["disk"]] == ["warn"]


@pytest.mark.real_time
def test_a_server_in_use_is_reached_and_sent_no_key(
    checks: Any, server: tuple[int, Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, heard = server
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-nobodys-shape")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    found = checks('team = "crew:team"\n' + SHELF + '[models]\nsmall = "openai:gpt-4o-mini"\n')
    assert found["keys"][0]["said"] == "openai: OPENAI_API_KEY is set"
    assert found["network"][0]["state"] == "ok"
    assert "was reached in" in found["network"][0]["said"]
    assert heard.get(timeout=5) == b""
    assert "nothing bounds what all runs of a day cost" in json.dumps(found["limits"])
    assert "a-key-of-nobodys-shape" not in json.dumps(found)


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:{closed}/v1", "onnect"),
        ("https://127.0.0.1:{open}/v1", "TLS"),
        ("http://nowhere.invalid/v1", "there is no such host"),
    ],
)
def test_a_server_that_cannot_be_reached_is_wrong(url: str, said: str, checks: Any, server: tuple[int, Heard]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    place = url.format(open=server[0], closed=closed)
    [found] = checks(f'[models]\nsmall = "compatible:llama@{place}"\n')["network"]
    assert found["state"] == "wrong"
    assert said in found["said"]
    assert found["fix"]


@pytest.mark.real_time
def test_a_proxy_that_is_set_is_what_must_be_reached(
    checks: Any, server: tuple[int, Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server[0]}")
    [found] = checks('[models]\nsmall = "compatible:llama@http://nowhere.invalid/v1"\n')["network"]
    assert found["state"] == "ok"
    assert "nowhere.invalid through the proxy 127.0.0.1" in found["said"]
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{server[0]}")  # as curl takes it, and so does a run
    [found] = checks('[models]\nsmall = "compatible:llama@http://nowhere.invalid/v1"\n')["network"]
    assert found["state"] == "ok"


def test_a_port_that_no_server_can_have_is_wrong(checks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = checks('[models]\nsmall = "compatible:llama@http://127.0.0.1:99999/v1"\n')["network"]
    assert (found["state"], "no address of a server" in found["said"]) == ("wrong", True)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:notaport")
    [found] = checks('[models]\nsmall = "compatible:llama@http://nowhere.invalid/v1"\n')["network"]
    assert (found["state"], "HTTP_PROXY" in found["fix"]) == ("wrong", True)


def test_asked_to_every_model_must_answer(checks: Any) -> None:
    found = checks('team = "crew:team"\n' + SHELF, "--ask")
    [answer] = found["answers"]
    assert answer["state"] == "ok"
    assert "offline:offline answered in" in answer["said"]


@pytest.mark.real_time
def test_asked_a_model_that_does_not_answer_is_wrong(checks: Any, server: tuple[int, Heard]) -> None:
    small = f'small = "compatible:llama@http://127.0.0.1:{server[0]}/v1"'
    prices = '[prices."compatible:*"]\ninput = 0\noutput = 0\n'
    found = checks(f"{prices}\n[retry]\nattempts = 1\n[models]\n{small}\n", "--ask")
    assert [check["state"] for check in found["answers"]] == ["wrong", "ok"]


def test_the_doctor_costs_other_commands_nothing(home: Path) -> None:
    code = "import sys, coordinator.cli; print([m for m in sys.modules if 'cli.checks' in m])"
    done = asyncio.run(_run(sys.executable, "-c", code))
    assert done == "[]"


async def _run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode().strip()
