"""The sockets of a fake provider, in the process of the test."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from coordinator.domain.content import StopReason
from coordinator.domain.errors import Invalid
from coordinator.domain.model import ModelReply
from coordinator.domain.money import Usage
from coordinator.models.fake.faults import WireFault
from coordinator.models.fake.protocols import PROTOCOLS
from coordinator.models.fake.provider import Conduct, Provider
from coordinator.models.fake.server import Server, listen

pytestmark = pytest.mark.real_time

BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
ASK = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
SAID = ModelReply("Fine, and how are you today?", (), StopReason.END, Usage(9, 9), "x:m")


async def fine(model, request):
    return SAID


@asynccontextmanager
async def served(words=fine, **conduct) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A server in these words, and one connection to it."""
    there = listen(0)
    server = Server(Provider(PROTOCOLS["openai"], words, Conduct(**conduct), lambda: 0.5, time.time))
    await server.start(there)
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*there.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            await server.close()


async def test_a_connection_is_used_again():
    async with served() as (reader, writer):
        for _ in range(3):
            writer.write(ASK)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert b"text/event-stream" in head
            assert (await reader.readuntil(b"data: [DONE]\n\n")).startswith(b"data: {")


async def test_a_paced_stream_comes_piece_by_piece():
    async with served(tokens_per_s=1000) as (reader, writer):
        writer.write(ASK)
        assert b"chunked" in (await reader.readuntil(b"\r\n\r\n")).lower()
        assert (await reader.readuntil(b"0\r\n\r\n")).count(b"data: ") > 4


async def test_whoever_leaves_leaves_no_work_behind():
    begun, left = asyncio.Event(), asyncio.Event()

    async def waiting(model, request):
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            left.set()

    async with served(waiting) as (_, writer):
        writer.write(ASK)
        await begun.wait()
        writer.close()
        await left.wait()


@pytest.mark.parametrize("fail", ["cut", "unreached"])
async def test_a_connection_that_is_cut_ends(fail):
    async with served(faults=(WireFault(fail=fail),)) as (reader, writer):
        writer.write(ASK)
        said = await reader.read()
        assert (b"200 OK" in said) == (fail == "cut")
        assert b"[DONE]" not in said


async def test_what_is_no_http_is_refused_and_the_server_goes_on():
    async with served() as (reader, writer):
        writer.write(b"what?\r\n\r\n")
        assert b"400 Bad Request" in await reader.read()


async def test_a_port_is_taken_once():
    with listen(0) as there, pytest.raises(Invalid) as met:
        listen(there.getsockname()[1])
    assert met.value.code == "unusable_port"
