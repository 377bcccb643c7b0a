"""`coordinator fake-provider` as a real process, with real adapters at the other end of real sockets."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from coordinator.cli import execute
from coordinator.cli.fake_provider import Spoken
from coordinator.domain.content import Message, Text
from coordinator.domain.errors import Fault, Invalid, Reached, Throttle
from coordinator.domain.model import ModelRequest
from coordinator.models.anthropic import Anthropic
from coordinator.models.fake.protocols import PROTOCOLS
from coordinator.models.google import Google
from coordinator.models.openai_chat import OpenAIChat
from coordinator.models.openai_responses import OpenAIResponses
from coordinator.scenario import run_scenario

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parent.parent.parent
ASK = ModelRequest((Message("user", (Text("Hello? " * 30),)),), max_output_tokens=300)
ADAPTERS = {"openai": OpenAIChat, "openai-responses": OpenAIResponses, "anthropic": Anthropic, "google": Google}
TAPE = '{"text": "Fine, and how are you today? I hope that you are well."}'


@contextmanager
def serving(protocol: str, *options: str, signed: int = signal.SIGTERM) -> Iterator[dict[str, str]]:
    """Start a fake provider, yield the variables that it asks to set, end it, and see that it ends as it should."""
    words = [sys.executable, "-m", "coordinator", "fake-provider", "--protocol", protocol, *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(process.stderr.read())
        try:
            yield dict(pair.split("=", 1) for pair in line.partition(": set ")[2].split())
        except BaseException:
            process.kill()
            raise
        process.send_signal(signed)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[object]]:
    """Ask some times by the adapter *name* of a provider that was started with *options*; return what comes of it."""

    def ask(name: str, *options: str, times: int = 1, timeout_s: float = 30) -> list[object]:
        (tmp_path / "tape.jsonl").write_text(TAPE)
        with serving(name.partition("-")[0], "--tape", str(tmp_path / "tape.jsonl"), *options) as variables:
            for variable, text in variables.items():
                monkeypatch.setenv(variable, text)
            return [asyncio.run(once(name, timeout_s)) for _ in range(times)]

    return ask


async def once(name: str, timeout_s: float) -> object:
    adapter = ADAPTERS[name]()
    try:
        async with asyncio.timeout(timeout_s):
            return await adapter("any", ASK)
    except (Fault, Invalid, TimeoutError) as error:
        return error
    finally:
        await adapter.close()


def test_the_options_name_every_protocol() -> None:
    assert {one.value for one in Spoken} == PROTOCOLS.keys()


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
async def test_whole_scenarios_complete_through_every_protocol(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(protocol) as variables:
        for variable, text in variables.items():
            monkeypatch.setenv(variable, text)
        models = [f"{protocol}:any"]
        if protocol == "anthropic":
            models += ["anthropic:claude-haiku-4-5", "anthropic:claude-opus-5-5"]
        if protocol == "openai":
            models += ["openai-responses:any", f"compatible:any@{variables['OPENAI_BASE_URL']}"]
        for model in models:
            monkeypatch.setenv("COORDINATOR_PRICES", f'{{"{model.partition(":")[0]}:*": {{"input": 1, "output": 2}}}}')
            for name in ("support_ticket", "order_status"):
                result = await run_scenario(ROOT / "scenarios" / f"{name}.yaml", model=model)
                assert (result.status, result.code) == ("completed", "ok"), (model, result)
                assert "1042 is in transit" in result.text
                assert result.cost_usd > 0.005


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_a_load_goes_over_real_sockets_to_the_model_that_it_names(
    protocol: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("load", str(ROOT / "scenarios" / "order_status.yaml"), "--runs", "12", "--concurrency", "4", "--json")
    monkeypatch.setenv("COORDINATOR_PRICES", f'{{"{protocol}:*": {{"input": 1, "output": 2}}}}')
    with serving(protocol) as variables:
        for variable, text in variables.items():
            monkeypatch.setenv(variable, text)
        assert execute([*words, "--model", f"{protocol}:any"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["runs"]) == (True, 12)
    assert set(found["statuses"]) == {"completed", "escalated"}, "the order belongs to one user of ten"
    assert [breaker["dependency"] for breaker in found["breakers"] if ":" in breaker["dependency"]] == [
        f"{protocol}:any"
    ]
    assert found["money"]["spent_usd"] > 12 * 0.005


@pytest.mark.parametrize("signed", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_with_connections_open(signed: int) -> None:
    with serving("openai", "--fail", "stall", signed=signed) as variables:
        port = int(variables["OPENAI_BASE_URL"].rpartition(":")[2].partition("/")[0])
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        body = b'{"model":"any","messages":[{"role":"user","content":"hi"}]}'
        held[0].sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        held[1].sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
    for connection in held:
        with connection, suppress(ConnectionResetError):
            assert not connection.recv(1_000_000).endswith(b"[DONE]\n\n")


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert execute(["fake-provider", "--protocol", "openai", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"error[unusable_port]: cannot listen on port {port}: somebody else listens there; choose")


@pytest.mark.parametrize(
    ("options", "code", "hint"),
    [
        (["--protocol", "cohere"], "usage", "openai"),
        (["--protocol", "openai", "--latency", "fast"], "usage", "0.4,0.8,30"),
        (["--protocol", "openai", "--latency", "1,2,3,4"], "usage", "0.4,0.8,30"),
        (["--protocol", "openai", "--latency", "-1"], "usage", "0.4,0.8,30"),
        (["--protocol", "openai", "--fail", "htlm"], "usage", "did you mean html?"),
        (["--protocol", "openai", "--fail", "html=often"], "usage", "up to 1"),
        (["--protocol", "openai", "--fail", "cut=0.7", "--fail", "stall=0.6"], "usage", "up to 1"),
        (["--protocol", "openai", "--tape", "nowhere.jsonl"], "unusable_file", "path"),
        (["--protocol", "openai", "--faults", "nowhere.yaml"], "missing_file", ""),
        (["--protocol", "openai", "--faults", "wrong.yaml"], "bad_scenario", "did you mean html?"),
    ],
)
def test_wrong_options_are_one_line(
    options: list[str], code: str, hint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text("- {model: '*', fail: htlm}\n")
    assert execute(["fake-provider", *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"error[{code}]")
    assert hint in said


def test_without_the_extra_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['aiohttp'] = None; from coordinator.cli import execute; "
    script += "sys.exit(execute(['fake-provider', '--protocol', 'openai']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert done.stderr.startswith("error[missing_extra]")
    assert "pip install 'agent-coordinator[providers]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_a_connection_that_is_closed_too_early_may_have_cost_something(
    name: str, asking: Callable[..., list[object]], tmp_path: Path
) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("".join(f"- {{fail: {fail}, times: 1}}\n" for fail in ("cut", "lost", "unreached")))
    *errors, reply = asking(name, "--faults", str(faults), times=4)
    assert reply.text.startswith("Fine, and how")
    assert [(type(error), error.code, error.reached) for error in errors] == [(Fault, "cut_off", Reached.MAYBE)] * 3


@pytest.mark.parametrize("fail", ["stall", "stall_midway"])
def test_a_stall_is_ended_by_the_client(fail: str, asking: Callable[..., list[object]]) -> None:
    assert isinstance(asking("anthropic", "--fail", fail, timeout_s=0.3)[0], TimeoutError)


def test_faults_come_from_a_file_and_tools_are_passed_over(tmp_path: Path, asking: Callable[..., list[object]]) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {tool: search, fail: error}\n- {model: 'google:*', fail: throttled, retry_after_s: 3}\n")
    (error,) = asking("google", "--faults", str(faults))
    assert isinstance(error, Fault)
    assert (error.turned_away, error.retry_after) == (Throttle.THROTTLED, 3)


def test_everything_is_set_by_options(asking: Callable[..., list[object]]) -> None:
    options = ["--latency", "0.01,0.01,0.1", "--tokens-per-s", "5000", "--requests", "100", "--tokens", "100000"]
    (reply,) = asking("openai", *options, "--key", "any", "--model", "any", "--context", "1000", "--seed", "7")
    assert reply.text.startswith("Fine, and how")
    assert reply.quota.requests == 99


def test_a_run_is_recorded_and_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = tmp_path / "tape.jsonl"
    texts = []
    monkeypatch.setenv("COORDINATOR_PRICES", '{"openai:*": {"input": 1, "output": 2}}')
    for option in ("--record", "--tape"):
        with serving("openai", option, str(tape)) as variables:
            for variable, text in variables.items():
                monkeypatch.setenv(variable, text)
            scenario = ROOT / "scenarios" / "order_status.yaml"
            result = asyncio.run(run_scenario(scenario, model="openai:any"))
            texts.append((result.text, result.cost_usd))
    assert texts[0] == texts[1]
    assert tape.stat().st_size > 1000
