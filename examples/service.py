"""A FastAPI service around one Coordinator: answers, live events, clients that go away, a clean end.

Run it from the root of a workspace:

    pip install fastapi uvicorn sse-starlette 'agent-coordinator[prometheus]'
    uvicorn examples.service:app
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from agents import team
from coordinator import Coordinator, Event, Invalid, RunHandle, RunResult, Settings, Status, Team, relax_collector
from coordinator.telemetry.prometheus import CONTENT_TYPE, Metrics

DRAIN_S = 20.0
"""Seconds that runs get to end when the service is told to stop."""

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


def service(team: Team, settings: Settings) -> FastAPI:
    """Return the application; it opens one Coordinator when it starts and drains it when it stops."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        relax_collector()
        async with Coordinator(team, settings, observers=[metrics]) as coordinator:
            app.state.coordinator = coordinator
            metrics.watch(coordinator.snapshot)
            yield
            await coordinator.drain(DRAIN_S)

    app = FastAPI(title="Coordinator", lifespan=lifespan)

    @app.exception_handler(Invalid)
    async def invalid(_request: Request, error: Invalid) -> JSONResponse:
        return JSONResponse({"code": error.code, "message": error.message, "hint": error.hint}, status_code=422)

    @app.post("/ask")
    async def ask(question: Question, request: Request) -> Response:
        """Answer *question*; a run that only this client waits for is cancelled when the client goes away."""
        handle = _start(app, question)
        try:
            result = await _result_or_gone(handle, request)
        finally:
            if question.key is None:
                await handle.cancel()  # says nothing to a run that has ended
        return Response(status_code=499) if result is None else _response(result)

    @app.post("/ask/events")
    async def ask_and_watch(question: Question) -> EventSourceResponse:
        """Answer *question* as server-sent events: what happens, as it happens, and last the result."""
        return LiveEvents(_start(app, question), shared=question.key is not None)

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

    def __init__(self, handle: RunHandle, *, shared: bool) -> None:
        super().__init__(_told(handle))
        self._handle = handle
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if not self._shared:
                await self._handle.cancel()


async def _told(handle: RunHandle) -> AsyncIterator[ServerSentEvent]:
    async for event in handle.events():
        yield ServerSentEvent(_json(event), event=event.kind.value, id=str(event.seq))
    result = await handle.result()
    yield ServerSentEvent(result.model_dump_json(), event="result")


def _json(event: Event) -> str:
    return JSONResponse({"step": event.step, "agent": event.agent, **event.data}).body.decode()


def _response(result: RunResult) -> Response:
    status = 200
    if result.status is Status.REFUSED:
        status = REFUSALS.get(result.code, 429)
    elif result.status is Status.FAILED:
        status = 502
    headers = {} if result.retry_after is None else {"Retry-After": str(max(1, round(result.retry_after)))}
    return Response(result.model_dump_json(), status_code=status, headers=headers, media_type="application/json")


app = service(team, Settings())
