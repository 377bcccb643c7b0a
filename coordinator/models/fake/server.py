"""The socket's side of a fake provider: HTTP by aiohttp, answers that end as they should, and those that do not."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from coordinator.domain.errors import Invalid
from coordinator.models.fake.answers import Answer, Question
from coordinator.models.fake.provider import Provider

HOST = "127.0.0.1"
BACKLOG = 8192
CLOSING_S = 0.2
"""Seconds that answers which are on their way get when the server ends."""


def listen(port: int) -> socket.socket:
    """Return a socket that listens on *port* of this machine; 0 takes a free one.

    Raises:
        Invalid: `unusable_port`, when somebody else has it, or the system keeps it.
    """
    there = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        there.bind((HOST, port))
        there.listen(BACKLOG)
    except OSError as error:
        there.close()
        why = "somebody else listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise Invalid(
            f"cannot listen on port {port}: {why}", code="unusable_port",
            hint="choose another, or --port 0, which finds a free one",
        ) from None  # fmt: skip
    there.setblocking(False)
    return there


class Server:
    """Serves *provider* on a socket, in the event loop that starts it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._most = provider.protocol.most_bytes
        self._server: asyncio.Server | None = None
        self._web: web.Server | None = None

    async def start(self, there: socket.socket) -> None:
        """Begin to answer on *there*."""
        loop = asyncio.get_running_loop()
        # Who stops listening is not answered: a handler that stalls ends with its connection.
        self._web = web.Server(
            self._handle,
            request_factory=self._request,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=75,
        )
        self._server = await loop.create_server(self._web, sock=there, backlog=BACKLOG)

    async def close(self) -> None:
        """Stop listening, and cut off what is not finished at once."""
        if self._server is not None:
            self._server.close()
        if self._web is not None:
            await self._web.shutdown(CLOSING_S)

    def _request(self, *given: Any) -> web.BaseRequest:
        make: Any = web.BaseRequest
        request: web.BaseRequest = make(*given, asyncio.get_running_loop(), client_max_size=self._most)
        return request

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): text for name, text in request.headers.items()}
        question = Question(request.method, request.raw_path, headers, request.query, body)
        return await _send(request, await self._provider(question))


async def _send(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    headers = {"content-type": answer.kind, **answer.headers}
    if answer.end == "whole" and not answer.pause_s:
        return web.Response(body=b"".join(answer.parts), status=answer.status, headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    if answer.parts:
        await response.prepare(request)
        await _write(response, answer.parts, answer.pause_s)
    if answer.end == "stall":
        await asyncio.get_running_loop().create_future()
    if answer.end == "cut" and request.transport is not None:
        request.transport.close()
    return response


async def _write(response: web.StreamResponse, parts: Sequence[bytes], pause_s: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    for part in parts:
        await response.write(part)
        due += pause_s
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
