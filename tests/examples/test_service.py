"""Laws of the embedded service: many clients, some of whom go away, some of whom share a run."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from coordinator import AgentContext, Brief, Coordinator, Invalid, Settings, Status, Team, agent
from examples.service import Ending, service

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parents[2]
CLIENTS = 200


class Diary:
    """Which runs have begun and which have ended; whoever waits for an entry is woken by it."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self._news = asyncio.Event()

    def note(self, entries: list[str], run_id: str) -> None:
        entries.append(run_id)
        self._news.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not happened():
                self._news.clear()
                await self._news.wait()

    async def a_start(self) -> None:
        await self.until(lambda: bool(self.started))


DIARY: Diary
"""Of the test that is under way."""


@agent()
async def manager(brief: Brief, ctx: AgentContext) -> str:
    """Thinks for as long as it is asked to, in seconds."""
    diary = DIARY
    diary.note(diary.started, ctx.run_id)
    try:
        ctx.enter("thinking")
        await asyncio.sleep(float(brief.request))
    finally:
        diary.note(diary.ended, ctx.run_id)
    return f"thought for {brief.request}"


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@pytest.fixture(autouse=True)
async def diary() -> Diary:
    global DIARY
    DIARY = Diary()
    return DIARY


@asynccontextmanager
async def served(app: FastAPI, patience_s: int = 5) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """Serve *app* on a free port of the loopback until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=patience_s)
    server = Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    await server.up.wait()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", server
    finally:
        server.should_exit = True
        await serving
        listening.close()


def app(**more: object) -> FastAPI:
    return service(Team(manager), Settings(**{"world": {}, **more}))  # type: ignore[arg-type]  # settings by name


async def test_two_hundred_clients_some_of_whom_leave_and_some_of_whom_share_a_run(diary: Diary) -> None:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with served(app()) as (url, _), httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:

        async def one(number: int) -> int | None:
            if number % 10 == 0:  # goes away
                with pytest.raises(httpx.ReadTimeout):
                    await client.post("/ask", json={"task": "30"}, timeout=httpx.Timeout(30, read=1))
                return None
            body = {"task": "0.2"} if number % 10 > 2 else {"task": "0.2", "key": f"shared-{number % 3}"}
            return (await client.post("/ask", json=body)).status_code

        statuses = await asyncio.gather(*(one(number) for number in range(CLIENTS)))
        assert [status for status in statuses if status is not None] == [200] * (CLIENTS - CLIENTS // 10)
        await diary.until(lambda: len(diary.ended) == len(diary.started))
        assert len(diary.started) == CLIENTS // 10 + 7 * CLIENTS // 10 + 3
        assert (await client.get("/health")).json() == {"running": 0, "waiting": 0}


async def test_events_are_sent_as_they_happen_and_the_result_last() -> None:
    async with served(app()) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as client:
        kinds: list[str] = []
        async with client.stream("POST", "/ask/events", json={"task": "0.1"}) as response:
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    kinds.append(line.removeprefix("event: "))
    assert kinds == ["run.started", "state", "run.ended", "result"]


async def test_a_watcher_that_goes_away_cancels_its_run(diary: Diary) -> None:
    async with served(app()) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as client:
        async with client.stream("POST", "/ask/events", json={"task": "30"}) as response:
            async for _line in response.aiter_lines():
                break
        await diary.until(lambda: bool(diary.ended))
    assert diary.ended == diary.started


@pytest.mark.parametrize("key", [None, "shared"])
async def test_a_watcher_that_is_gone_before_the_first_event_cancels_the_run_that_only_it_waits_for(
    key: str | None,
) -> None:
    asked, service = json.dumps({"task": "30", "key": key}).encode(), app()
    heard = iter([{"type": "http.request", "body": asked}])

    async def receive() -> dict[str, object]:
        return next(heard, {"type": "http.disconnect"})

    async def send(_message: object) -> None:
        await asyncio.Event().wait()  # nobody takes it any more

    scope = {
        "type": "http", "method": "POST", "path": "/ask/events", "headers": [(b"content-type", b"application/json")],
        "query_string": b"", "http_version": "1.1", "asgi": {"version": "3.0"}, "app": service,
    }  # fmt: skip
    async with Coordinator(Team(manager), Settings(world={})) as coordinator:
        service.state.coordinator, service.state.ending = coordinator, Ending(coordinator, 1)
        await service(scope, receive, send)  # type: ignore[arg-type]  # a server's own types
        assert coordinator.snapshot().admission.running == (0 if key is None else 1)


async def test_a_refusal_says_when_to_come_again(diary: Diary) -> None:
    settings = {"admission": {"runs": 1, "waiting": 0}}
    async with served(app(**settings)) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as client:
        first = asyncio.ensure_future(client.post("/ask", json={"task": "0.5"}))
        await diary.a_start()
        second = await client.post("/ask", json={"task": "0.5"})
        assert (second.status_code, second.json()["code"]) == (503, "admission_full")
        assert int(second.headers["retry-after"]) >= 1
        assert (await first).status_code == 200


async def test_wrong_input_is_422_with_the_remedy() -> None:
    async with served(app()) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as client:
        await client.post("/ask", json={"task": "0", "key": "k"})
        wrong = await client.post("/ask", json={"task": "1", "key": "k"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "key_reused")


async def test_told_to_stop_it_lets_the_runs_end(diary: Diary) -> None:
    async with served(app()) as (url, server), httpx.AsyncClient(base_url=url, timeout=30) as client:
        pending = asyncio.ensure_future(client.post("/ask", json={"task": "0.5"}))
        await diary.a_start()
        server.should_exit = True  # all that its handler of SIGTERM does
        assert (await pending).status_code == 200


@pytest.fixture
def sigterm() -> Iterator[Callable[[], None]]:
    """Send SIGTERM to this process, in which the server hears it; uvicorn raises it again when it has ended."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield lambda: signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)


async def watched(client: httpx.AsyncClient, question: dict[str, str]) -> list[str]:
    """Return the lines of an answer as server-sent events."""
    async with client.stream("POST", "/ask/events", json=question) as response:
        return [line async for line in response.aiter_lines() if line]


@pytest.mark.parametrize("key", [None, "shared"])
async def test_at_sigterm_open_streams_go_on_to_their_result(
    diary: Diary, sigterm: Callable[[], None], key: str | None
) -> None:
    async with served(app()) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as client:
        lines = asyncio.ensure_future(watched(client, {"task": "1.5", **({"key": key} if key else {})}))
        await diary.a_start()
        sigterm()
        event, data = (await lines)[-2:]
    assert event == "event: result"
    assert json.loads(data.removeprefix("data: "))["text"] == "thought for 1.5"


async def test_at_sigterm_what_takes_longer_than_the_drain_is_cancelled_and_says_so(
    diary: Diary, sigterm: Callable[[], None]
) -> None:
    slow = service(Team(manager), Settings(world={}), drain_s=0.3)
    async with served(slow, patience_s=60) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as client:
        asked = asyncio.ensure_future(client.post("/ask", json={"task": "25"}))
        shared = asyncio.ensure_future(client.post("/ask", json={"task": "25", "key": "k"}))
        lines = asyncio.ensure_future(watched(client, {"task": "25"}))
        await diary.until(lambda: len(diary.started) == 3)
        began = asyncio.get_running_loop().time()
        sigterm()
        answers = await asyncio.gather(asked, shared)
        assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(503, "cancelled")] * 2
        event, data = (await lines)[-2:]
        assert (event, json.loads(data.removeprefix("data: "))["status"]) == ("event: result", "cancelled")
    assert len(diary.ended) == 3
    assert asyncio.get_running_loop().time() - began < 5


async def test_a_second_event_loop_is_told_to_open_its_own() -> None:
    async with Coordinator(Team(manager), Settings(world={})) as coordinator:

        def elsewhere() -> str:
            try:
                asyncio.run(coordinator.run("0"))
            except Invalid as error:
                return error.code
            return "no error"

        assert await asyncio.to_thread(elsewhere) == "wrong_loop"


async def test_two_coordinators_with_two_teams_live_in_one_process() -> None:
    @agent()
    async def other(brief: Brief, ctx: AgentContext) -> str:
        return "other"

    async with (
        Coordinator(Team(manager), Settings(world={})) as first,
        Coordinator(Team(other), Settings(world={})) as second,
    ):
        results = await asyncio.gather(first.run("0"), second.run("0"))
    assert [result.text for result in results] == ["thought for 0", "other"]
    assert {result.status for result in results} == {Status.COMPLETED}


def test_the_service_starts_answers_and_ends_on_sigterm() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "examples.service:app", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        answer = _asked(f"http://127.0.0.1:{port}/ask", {"task": "Where is my order 1042?", "user": "u-7"})
        assert answer["status"] == "completed"
        assert "1042" in answer["text"]
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
        assert "Traceback" not in told
    finally:
        process.kill()
        process.wait()


def _asked(url: str, question: dict[str, str]) -> dict[str, str]:
    for _ in range(200):
        try:
            return dict(httpx.post(url, json=question, timeout=10).json())
        except httpx.ConnectError:
            threading.Event().wait(0.05)
    raise AssertionError("the service did not start")


async def test_prometheus_is_answered_with_what_was_counted_and_what_is_held():
    async with served(app()) as (url, _), httpx.AsyncClient() as client:
        await client.post(f"{url}/ask", json={"task": "0"})
        answer = await client.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'coordinator_runs_total{status="completed",surface="default"} 1.0' in answer.text
    assert "coordinator_runs_running 0.0" in answer.text
