"""The client over real sockets: what each way of failing to talk means, and that connections are used and let go."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.domain.errors import Fault, Invalid, Reached
from coordinator.models.http import Http
from coordinator.models.openai_chat import OpenAIChat
from tests.models.providers.recordings import KEY, PROTOCOLS, WITH_TOOLS

pytestmark = pytest.mark.real_time

PEM = Path(__file__).parent / "recordings" / "self_signed.pem"  # made for these tests, and trusted by nobody
BODY = PROTOCOLS["openai_chat"]["streams"]["text"]["body"].encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))


@asynccontextmanager
async def listening(answer: Answer, tls: ssl.SSLContext | None = None) -> Any:
    """Serve on the loopback; gives the address and the number of connections that were made."""
    made: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(writer)
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}", made
    finally:
        server.close()
        for writer in made:
            writer.transport.abort()
        await server.wait_closed()


@asynccontextmanager
async def speaking(url: str) -> Any:
    http = Http()
    try:
        yield OpenAIChat(key=KEY, base_url=url, client=http)
    finally:
        await http.close()


async def lost(url: str) -> Fault:
    async with speaking(url) as model:
        with pytest.raises(Fault) as caught:
            await model("gpt-5-mini", WITH_TOOLS)
    assert KEY not in repr(caught.value) + str(caught.value)
    cause: BaseException | None = caught.value
    while cause is not None:
        assert KEY not in repr(cause)
        cause = cause.__cause__ or cause.__context__
    assert "\n" not in str(caught.value)
    return caught.value


async def well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(reader)
        writer.write(HEAD + chunked(BODY) + b"0\r\n\r\n")
        await writer.drain()


async def test_a_connection_is_used_again():
    async with listening(well) as (place, made), speaking(f"http://{place}/v1") as model:
        for _ in range(5):
            assert (await model("gpt-5-mini", WITH_TOOLS)).text == "Größe: 3 m² 🙂"
        assert len(made) == 1


async def test_a_connection_is_used_again_when_its_last_chunk_comes_late():
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(HEAD + chunked(BODY))
            await writer.drain()
            await asyncio.sleep(0.02)  # the network's part: without it both would come as one
            writer.write(b"0\r\n\r\n")

    async with listening(late) as (place, made), speaking(f"http://{place}/v1") as model:
        for _ in range(3):
            await model("gpt-5-mini", WITH_TOOLS)
        assert len(made) == 1


async def test_hundreds_of_calls_are_in_flight_at_once():
    waiting = asyncio.Event()
    here = 0

    async def together(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal here
        await read_request(reader)
        here += 1
        if here == 300:
            waiting.set()
        await waiting.wait()
        writer.write(HEAD + chunked(BODY) + b"0\r\n\r\n")
        await writer.drain()

    async with listening(together) as (place, _), speaking(f"http://{place}/v1") as model:
        async with asyncio.timeout(20):
            replies = await asyncio.gather(*(model("gpt-5-mini", WITH_TOOLS) for _ in range(300)))
        assert {reply.text for reply in replies} == {"Größe: 3 m² 🙂"}


async def test_nobody_listening_is_unreached():
    async with listening(well) as (place, _):
        pass
    fault = await lost(f"http://{place}/v1")
    assert (fault.code, fault.reached, fault.transient, fault.began) == ("unreached", Reached.NO, True, False)
    assert place in str(fault)


async def test_a_name_that_does_not_exist_is_unreached():
    fault = await lost("http://no-such-host.invalid/v1")
    assert (fault.code, fault.reached) == ("unreached", Reached.NO)
    assert "no-such-host.invalid" in str(fault)


async def test_a_certificate_that_nobody_vouches_for_is_unreached_and_not_tried_again():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    async with listening(well, tls) as (place, _):
        fault = await lost(f"https://{place}/v1")
    assert (fault.code, fault.reached, fault.transient) == ("unreached", Reached.NO, False)
    assert "certificate" in str(fault)
    assert "SSL_CERT_FILE" in str(fault)


async def test_a_certificate_that_the_user_trusts_is_taken(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    async with listening(well, tls) as (place, _), speaking(f"https://{place}/v1") as model:
        assert (await model("gpt-5-mini", WITH_TOOLS)).text == "Größe: 3 m² 🙂"


async def test_tls_to_a_server_that_speaks_none_is_unreached_and_not_tried_again():
    async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        await writer.drain()

    async with listening(complain) as (place, _):
        fault = await lost(f"https://{place}/v1")
    assert (fault.code, fault.reached, fault.transient) == ("unreached", Reached.NO, False)
    assert f"http://{place}" in fault.hint


async def test_a_page_that_refuses_plain_words_on_a_port_of_tls_points_at_the_base_url():
    page = b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>"
    head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n" % len(page)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head + page)
        await writer.drain()

    async with listening(refuse) as (place, _), speaking(f"http://{place}/v1") as model:
        with pytest.raises(Fault) as caught:
            await model("gpt-5-mini", WITH_TOOLS)
    assert caught.value.code == "wrong_base_url"
    assert "OPENAI_BASE_URL" in caught.value.hint


async def test_a_connection_closed_behind_the_request_may_have_been_answered():
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with listening(leave) as (place, _):
        fault = await lost(f"http://{place}/v1")
    assert (fault.code, fault.reached, fault.transient) == ("cut_off", Reached.MAYBE, True)


async def test_a_connection_reset_behind_the_request_may_have_been_answered():
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.transport.abort()

    async with listening(reset) as (place, _):
        fault = await lost(f"http://{place}/v1")
    assert (fault.code, fault.reached) == ("cut_off", Reached.MAYBE)


async def test_what_is_no_http_is_told_with_the_base_url_and_may_have_been_answered():
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()

    async with listening(babble) as (place, _):
        fault = await lost(f"http://{place}/v1")
    assert (fault.code, fault.reached) == ("unreadable_reply", Reached.MAYBE)
    assert fault.message == "openai:gpt-5-mini answered what is no HTTP (Bad status line)"
    assert f"http://{place}" in fault.hint


@pytest.mark.parametrize("end", [1, 200, 700])
async def test_a_stream_cut_on_the_wire_may_have_been_billed(end):
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunked(BODY[:end]))
        await writer.drain()

    async with listening(cut) as (place, _):
        fault = await lost(f"http://{place}/v1")
    assert (fault.code, fault.reached, fault.transient) == ("cut_off", Reached.MAYBE, True)


async def test_a_whole_reply_does_not_wait_for_a_server_that_never_ends_its_stream(monkeypatch):
    monkeypatch.setattr("coordinator.models.adapter.LINGER_S", 0.05)

    async def linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunked(BODY))
        await writer.drain()
        await reader.read()

    async with listening(linger) as (place, _), speaking(f"http://{place}/v1") as model:
        async with asyncio.timeout(5):
            assert (await model("gpt-5-mini", WITH_TOOLS)).text == "Größe: 3 m² 🙂"


async def test_a_cancelled_call_leaves_no_connection_behind():
    gone = asyncio.Event()
    begun = asyncio.Event()

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunked(BODY[:300]))
        await writer.drain()
        begun.set()
        await reader.read()
        gone.set()

    async with listening(half) as (place, _), speaking(f"http://{place}/v1") as model:
        call = asyncio.ensure_future(model("gpt-5-mini", WITH_TOOLS))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_client_from_outside_is_not_closed():
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    http = Http(client)
    await http.close()
    assert not client.is_closed
    await client.aclose()


async def test_every_request_carries_the_headers_of_the_hook():
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500)

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    with pytest.raises(Fault):
        await OpenAIChat(key=KEY, client=Http(client, lambda: trace))("gpt-5-mini", WITH_TOOLS)
    assert seen[0].headers["traceparent"] == trace["traceparent"]
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("proxy", ["odd://127.0.0.1:1", "http://127.0.0.1:x"])
async def test_a_proxy_that_cannot_be_used_is_told_with_its_variable(proxy, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", proxy)
    async with speaking("http://provider.example/v1") as model:
        with pytest.raises(Invalid) as caught:
            await model("gpt-5-mini", WITH_TOOLS)
    assert caught.value.code == "bad_proxy"
    assert "ALL_PROXY" in str(caught.value)


@pytest.mark.parametrize("variable", ["ALL_PROXY", "http_proxy"])
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "socks5h://me:secret@127.0.0.1:1", "socks4://127.0.0.1:1"])
async def test_a_socks_proxy_is_told_in_one_line_without_what_it_holds(variable, proxy, monkeypatch):
    monkeypatch.setenv(variable, proxy)
    async with speaking("http://provider.example/v1") as model:
        with pytest.raises(Invalid) as caught:
            await model("gpt-5-mini", WITH_TOOLS)
    assert (caught.value.code, "\n" in str(caught.value), "secret" in str(caught.value)) == ("bad_proxy", False, False)
    assert proxy.partition(":")[0] in caught.value.message
    assert "NO_PROXY" in caught.value.hint


async def test_a_socks_proxy_that_is_not_for_this_host_stops_nothing(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with listening(well) as (place, _), speaking(f"http://{place}/v1") as model:
        assert (await model("gpt-5-mini", WITH_TOOLS)).text == "Größe: 3 m² 🙂"


async def test_a_proxy_that_is_down_means_that_nothing_was_sent(monkeypatch):
    async with listening(well) as (place, _):
        pass
    monkeypatch.setenv("ALL_PROXY", f"http://{place}")
    fault = await lost("http://provider.example/v1")
    assert (fault.code, fault.reached) == ("unreached", Reached.NO)
    assert "proxy" in fault.message
    assert "ALL_PROXY" in fault.hint


@pytest.mark.parametrize("host", ["a..b", "a" * 300])
async def test_a_host_that_cannot_be_one_was_never_reached(host):
    async with speaking(f"http://{host}/v1") as model:
        with pytest.raises((Fault, Invalid)) as caught:
            await model("gpt-5-mini", WITH_TOOLS)
    assert caught.value.code in ("unreached", "bad_base_url")


@pytest.mark.parametrize("url", ["http://h:abc/v1", "http://[::1/v1", "http://xn--/v1"])
def test_an_address_that_cannot_be_one_is_told_before_anything_is_sent(url):
    with pytest.raises(Invalid) as caught:
        OpenAIChat(key=KEY, base_url=url)
    assert caught.value.code == "bad_base_url"
