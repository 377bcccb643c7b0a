"""A FastAPI service around one Coordinator: answers, live events, clients that go away, a clean end.

Run it from the root of a workspace:

    pip install fastapi uvicorn sse-starlette 'agent-coordinator[prometheus]'
    uvicorn examples.service:app --timeout-graceful-shutdown 30

The server waits for open answers before it ends. Those of runs end with them; the option is for clients that do not
take theirs.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus
from starlette.types import Receive, Scope, Send

from agents import team
from coordinator import Coordinator, Event, Invalid, RunHandle, RunResult, Settings, Status, Team, relax_collector
from coordinator.telemetry.prometheus import CONTENT_TYPE, Metrics

DRAIN_S = 20.0
"""Seconds that runs get to end when the service is told to stop; who is left is cancelled, and hears of it."""

# What a status means in HTTP: the caller is wrong 422, money 402, rights 403, a conflict 409, too much 429 or 503,
# the outside failed 502.
REFUSALS = {"budget_exhausted": 402, "budget_held": 402, "admission_full": 503, "draining": 503, "gate_full": 429}


class Question(BaseModel):
    """What a client asks. With a *key* of its own, asking again joins the same run."""

    task: str = Field(min_length=1, max_length=20_000)
    tenant: str = "default"
    user: str | None = None
    session: str | None = None
    key: str | None = None


def service(team: Team, settings: Settings, drain_s: float = DRAIN_S) -> FastAPI:
    """Return the application; it opens one Coordinator when it starts and drains it when it is told to stop."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        relax_collector()
        AppStatus.enable_automatic_graceful_drain = False  # streams end with their runs
        async with Coordinator(team, settings, observers=[metrics]) as coordinator:
            app.state.coordinator, app.state.ending = coordinator, Ending(coordinator, drain_s)
            metrics.watch(coordinator.snapshot)
            # A server ends the lifespan when all answers are out, which is too late to end what they wait for.
            with told_to_stop(app.state.ending.begin):
                yield
                await app.state.ending.over()

    app = FastAPI(title="Coordinator", lifespan=lifespan)

    @app.exception_handler(Invalid)
    async def invalid(_request: Request, error: Invalid) -> JSONResponse:
        return JSONResponse({"code": error.code, "message": error.message, "hint": error.hint}, status_code=422)

    @app.post("/ask")
    async def ask(question: Question, request: Request) -> Response:
        """Answer *question*; a run that only this client waits for is cancelled when the client goes away."""
        handle = _start(app, question)
        async with _awaited(app, handle, shared=question.key is not None):
            result = await _result_or_gone(handle, request)
        return Response(status_code=499) if result is None else _response(result)

    @app.post("/ask/events")
    async def ask_and_watch(question: Question) -> EventSourceResponse:
        """Answer *question* as server-sent events: what happens, as it happens, and last the result."""
        return LiveEvents(app, _start(app, question), shared=question.key is not None)

    @app.get("/health")
    async def health() -> dict[str, object]:
        """Say how many runs are at work."""
        admission = app.state.coordinator.snapshot().admission
        return {"running": admission.running, "waiting": admission.waiting}

    @app.get("/metrics")
    async def exposed() -> Response:
        """Answer Prometheus."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return app


def _start(app: FastAPI, question: Question) -> RunHandle:
    coordinator: Coordinator = app.state.coordinator
    return coordinator.start(
        question.task, tenant=question.tenant, user=question.user, session=question.session, key=question.key
    )


@asynccontextmanager
async def _awaited(app: FastAPI, handle: RunHandle, *, shared: bool) -> AsyncIterator[None]:
    """Let the run be cancelled when the service ends, and one that is not *shared* when nobody awaits it any more."""
    awaited: list[RunHandle] = app.state.ending.awaited
    awaited.append(handle)
    try:
        yield
    finally:
        awaited.remove(handle)
        if not shared:
            await handle.cancel()  # says nothing to a run that has ended


async def _result_or_gone(handle: RunHandle, request: Request) -> RunResult | None:
    """Return the result, or None when the client went away first."""
    result = asyncio.ensure_future(handle.result())
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({result, gone}, return_when=asyncio.FIRST_COMPLETED)
        return result.result() if result.done() else None
    finally:
        result.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class LiveEvents(EventSourceResponse):
    """The events of a run, and last its result; a run that is not *shared* ends with the response, however that ends.

    Not with its events: of a client that is gone before the first of them, nobody ever asks for one.
    """

    def __init__(self, app: FastAPI, handle: RunHandle, *, shared: bool) -> None:
        super().__init__(_told(handle))
        self._awaited = _awaited(app, handle, shared=shared)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._awaited:
            await super().__call__(scope, receive, send)


async def _told(handle: RunHandle) -> AsyncIterator[ServerSentEvent]:
    async for event in handle.events():
        yield ServerSentEvent(_json(event), event=event.kind.value, id=str(event.seq))
    result = await handle.result()
    yield ServerSentEvent(result.model_dump_json(), event="result")


def _json(event: Event) -> str:
    return bytes(JSONResponse({"step": event.step, "agent": event.agent, **event.data}).body).decode()


def _response(result: RunResult) -> Response:
    status = 200
    if result.status is Status.REFUSED:
        status = REFUSALS.get(result.code, 429)
    elif result.status is Status.FAILED:
        status = 502
    elif result.status is Status.CANCELLED:
        status = 503  # the service ends
    headers = {} if result.retry_after is None else {"Retry-After": str(max(1, round(result.retry_after)))}
    return Response(result.model_dump_json(), status_code=status, headers=headers, media_type="application/json")


class Ending:
    """The end of the service: nobody new, time for who is at work, and then no more of it.

    Args:
        coordinator: to be drained.
        patience_s: seconds after which runs that somebody awaits are cancelled; leaving the coordinator cancels others.
    """

    def __init__(self, coordinator: Coordinator, patience_s: float) -> None:
        self.awaited: list[RunHandle] = []
        """One entry for each answer that is open."""
        self._coordinator = coordinator
        self._patience_s = patience_s
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin, if that has not happened yet."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def over(self) -> None:
        """Wait until it is over."""
        self.begin()
        assert self._task is not None
        await self._task

    async def _drain(self) -> None:
        await self._coordinator.drain(self._patience_s)
        await asyncio.gather(*(handle.cancel() for handle in self.awaited))


@contextmanager
def told_to_stop(begin: Callable[[], None]) -> Iterator[None]:
    """Call *begin* in the running loop when a signal tells the process to stop, beside what the server does then."""
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread
        return
    servers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)
        server = servers[signal.Signals(number)]
        assert callable(server)
        server(number, frame)

    heard = [number for number, server in servers.items() if callable(server)]
    for number in heard:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, servers[number])


app = service(team, Settings())
