"""The contract of every wire adapter, over recordings of its protocol's shape."""

import json
import string
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.content import Message, StopReason, Text
from coordinator.domain.effects import Effect
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Reached
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.domain.outcomes import Charge, Outcome, consequence, outcome, permits
from tests.models.providers.recordings import (
    FULL,
    KEY,
    PROTOCOLS,
    STREAM,
    WITH_TOOLS,
    Chunks,
    adapter,
    answering,
    asked,
    expected,
    plain,
)

STREAMS = [(name, case) for name, protocol in PROTOCOLS.items() for case in protocol["streams"]]
ERRORS = [(name, case) for name, protocol in PROTOCOLS.items() for case in protocol["errors"]]
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
every_stream = pytest.mark.parametrize(("protocol", "case"), STREAMS, ids=["-".join(pair) for pair in STREAMS])
every_error = pytest.mark.parametrize(("protocol", "case"), ERRORS, ids=["-".join(pair) for pair in ERRORS])


def recorded(protocol: str, case: str) -> tuple[bytes, dict[str, str], ModelReply]:
    held = PROTOCOLS[protocol]["streams"][case]
    return held["body"].encode(), held["headers"], expected(held["reply"])


async def ask(model: Any, protocol: str, request: ModelRequest = WITH_TOOLS) -> ModelReply:
    return plain(await model(PROTOCOLS[protocol]["model"], request))


async def failure(model: Any, protocol: str, request: ModelRequest = WITH_TOOLS) -> CoordinatorError:
    with pytest.raises(CoordinatorError) as caught:
        await ask(model, protocol, request)
    return caught.value


async def settled(work: Awaitable[ModelReply]) -> ModelReply | Fault:
    try:
        return await work
    except Fault as fault:
        return fault


@every_protocol
async def test_a_request_says_all_that_it_holds_and_nothing_else(protocol):
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500)

    await failure(adapter(protocol, handle), protocol, FULL)
    said = json.loads(seen[0].content)
    assert said == PROTOCOLS[protocol]["sent"]
    assert str(seen[0].url) == PROTOCOLS[protocol]["url"]
    access = PROTOCOLS[protocol]["access"]
    assert {name: seen[0].headers[name] for name in access} == access
    assert KEY not in str(seen[0].url)
    assert len(seen) == 1, "the adapter itself retries nothing"


@every_stream
async def test_a_stream_gives_the_whole_reply(protocol, case):
    body, headers, reply = recorded(protocol, case)
    assert await ask(answering(protocol, body, headers), protocol, asked(case)) == reply


@every_stream
@pytest.mark.parametrize("lines", [b"\r\n", b"\r"])
async def test_lines_may_end_as_the_standard_allows(protocol, case, lines):
    body, headers, reply = recorded(protocol, case)
    assert await ask(answering(protocol, body.replace(b"\n", lines), headers), protocol, asked(case)) == reply


@every_stream
@pytest.mark.parametrize("error", [None, httpx.ReadError("the connection was reset")], ids=["ended", "reset"])
async def test_a_stream_cut_at_any_byte_is_whole_or_an_uncertain_fault_and_never_a_part(protocol, case, error):
    body, headers, reply = recorded(protocol, case)
    whole = end = 0

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={**STREAM, **headers}, stream=Chunks([body[:end]], error))

    model = adapter(protocol, handle)
    for end in [*range(0, len(body), 5 if error else 1), len(body)]:
        outcome = await settled(ask(model, protocol, asked(case)))
        if isinstance(outcome, Fault):
            assert not whole, f"a longer part of the stream, {end} bytes, was called broken again"
            assert (outcome.reached, outcome.transient, outcome.code) == (Reached.MAYBE, True, "cut_off"), end
            assert consequence(outcome).money is Charge.UNCERTAIN
            assert permits(consequence(outcome).retry, Effect.READ, keyed=False)
        else:
            whole += 1
            assert (outcome.text, outcome.tool_uses, outcome.stop) == (reply.text, reply.tool_uses, reply.stop), end
            # Cut behind its last word and before its bill, the reply stands, and is billed at the bound.
            bound = Usage(asked(case).size, asked(case).max_output_tokens)
            assert outcome.usage in (reply.usage, bound), end
            assert outcome.uncertain == (outcome.usage != reply.usage), end
    assert whole


@every_stream
@settings(max_examples=25, deadline=None)
@given(data=st.data())
async def test_a_stream_may_come_in_any_pieces(protocol, case, data):
    body, headers, reply = recorded(protocol, case)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=12)))
    pieces = [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert await ask(answering(protocol, pieces, headers), protocol, asked(case)) == reply


@every_stream
async def test_a_stream_may_come_byte_by_byte(protocol, case):
    body, headers, reply = recorded(protocol, case)
    pieces = [body[place : place + 1] for place in range(len(body))]
    assert await ask(answering(protocol, pieces, headers), protocol, asked(case)) == reply


@every_protocol
async def test_a_server_that_does_not_stream_is_understood(protocol):
    held = PROTOCOLS[protocol]["whole"]
    model = answering(protocol, held["body"].encode(), {"content-type": "application/json"})
    assert await ask(model, protocol) == expected(held["reply"])


@every_protocol
async def test_a_call_that_was_cut_at_the_limit_is_not_handed_on(protocol):
    body, headers, _ = recorded(protocol, "cut_at_its_limit")
    reply = await ask(answering(protocol, body, headers), protocol)
    assert (reply.stop, reply.tool_uses) == (StopReason.MAX_TOKENS, ())


@every_error
async def test_an_error_is_the_right_row_of_the_outcome_table_in_one_line_that_says_what_to_do(protocol, case):
    held = PROTOCOLS[protocol]["errors"][case]
    kind = {"content-type": "application/json", **held.get("headers", {})}
    error = await failure(answering(protocol, held["body"].encode(), kind, status=held["status"]), protocol)
    assert (outcome(error), error.code) == (Outcome(held["row"]), held["code"])
    assert held.get("says", "") in str(error)
    assert "\n" not in str(error)
    assert getattr(error, "retry_after", None) == held.get("after")
    if held["row"] in ("denied", "throttled") or held.get("began") is False:
        assert isinstance(error, Fault)
        assert not error.began
    assert isinstance(error, Invalid) or error.transient == (held["row"] in ("throttled", "failed"))


@every_error
async def test_no_error_holds_the_key(protocol, case):
    held = PROTOCOLS[protocol]["errors"][case]
    body = held["body"].replace('"message":"', f'"message":"{KEY} Bearer {KEY} sk-proj-abcdef123456 ')
    error = await failure(answering(protocol, body.encode(), status=held["status"]), protocol)
    told = f"{error} {error!r} {error.message} {error.hint} {error.details} {error.args}"
    assert KEY not in told
    assert "abcdef123456" not in told


@every_protocol
async def test_an_adapter_does_not_show_its_key(protocol):
    model = answering(protocol, b"")
    assert KEY not in f"{model!r} {model}"


@every_protocol
async def test_an_error_at_the_begin_of_a_stream_is_free(protocol):
    fault = await failure(answering(protocol, PROTOCOLS[protocol]["broken"]["at_once"].encode()), protocol)
    assert (outcome(fault), fault.code) == (Outcome.FAILED, "server_error")
    assert isinstance(fault, Fault)
    assert not fault.began


@every_protocol
async def test_an_error_in_the_middle_of_a_stream_is_charged(protocol):
    fault = await failure(answering(protocol, PROTOCOLS[protocol]["broken"]["midway"].encode()), protocol)
    assert (outcome(fault), fault.code) == (Outcome.FAILED, "server_error")
    assert isinstance(fault, Fault)
    assert fault.began
    assert fault.transient


HTML = b"<!DOCTYPE html><html><head><title>Sign in\n to the network</title></head><body>Hello</body></html>"


@every_protocol
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "text/event-stream", ""])
async def test_a_page_in_place_of_a_reply_is_told_with_its_title(protocol, kind):
    fault = await failure(answering(protocol, HTML, {"content-type": kind}), protocol)
    assert (outcome(fault), fault.code) == (Outcome.FAILED, "unreadable_reply")
    assert "an HTML page (Sign in to the network)" in str(fault)
    assert "BASE_URL" in str(fault)
    assert isinstance(fault, Fault)
    assert not fault.transient


@every_protocol
@pytest.mark.parametrize(
    ("status", "row"),
    [(400, "denied"), (401, "denied"), (403, "denied"), (404, "denied"), (302, "denied"), (502, "failed")],
)
async def test_a_page_with_an_error_status_is_told_with_its_title(protocol, status, row):
    fault = await failure(answering(protocol, HTML, {"content-type": "text/html"}, status=status), protocol)
    assert outcome(fault) is Outcome(row)
    assert "an HTML page (Sign in to the network)" in str(fault)
    assert "BASE_URL" in str(fault)
    assert fault.code == ("wrong_base_url" if row == "denied" else "server_error")


@every_protocol
async def test_a_proxy_that_wants_to_know_who_asks_is_told_with_its_variable(protocol):
    fault = await failure(answering(protocol, HTML, {"content-type": "text/html"}, status=407), protocol)
    assert (outcome(fault), fault.code) == (Outcome.DENIED, "denied")
    assert "HTTPS_PROXY" in fault.hint


@every_protocol
@pytest.mark.parametrize("status", [404, 405, 301])
async def test_a_wrong_base_url_is_told_with_its_variable(protocol, status):
    body = b'{"detail":"Not Found"}'
    fault = await failure(answering(protocol, body, {"content-type": "application/json"}, status=status), protocol)
    assert (outcome(fault), fault.code) == (Outcome.DENIED, "wrong_base_url")
    assert "BASE_URL" in str(fault)


@every_protocol
async def test_a_failure_that_is_not_the_providers_own_may_have_been_billed(protocol):
    fault = await failure(answering(protocol, b"upstream timed out", status=504), protocol)
    assert isinstance(fault, Fault)
    assert fault.began


ODD = [
    b"data: {not json}\n\n",
    b"data: null\n\n",
    b"data: []\n\n",
    b'data: "text"\n\n',
    b"data: 7\n\n",
    b"data: \xff\n\n",
]


@every_protocol
@pytest.mark.parametrize("body", ODD)
async def test_json_that_is_none_is_an_unreadable_reply(protocol, body):
    fault = await failure(answering(protocol, body), protocol)
    assert (outcome(fault), fault.code) == (Outcome.FAILED, "unreadable_reply")


@every_protocol
@pytest.mark.parametrize("body", [b"hello there", b"Service is starting\n\n", b"[]"])
async def test_a_body_without_any_event_is_an_unreadable_reply(protocol, body):
    for kind in ("text/plain", STREAM["content-type"]):
        fault = await failure(answering(protocol, [body[:3], body[3:]], {"content-type": kind}), protocol)
        assert (outcome(fault), fault.code) == (Outcome.FAILED, "unreadable_reply")


@every_protocol
async def test_a_body_that_is_cut_json_is_an_unreadable_reply(protocol):
    whole = PROTOCOLS[protocol]["whole"]["body"].encode()
    for end in range(0, len(whole), 7):
        model = answering(protocol, whole[:end], {"content-type": "application/json"})
        assert (await failure(model, protocol)).code == "unreadable_reply"


def mutated(body: str, choose: Any) -> bytes:
    """Return a stream in one of whose events something is of another type, or missing."""
    lines = body.split("\n")
    places = [place for place, line in enumerate(lines) if line.startswith("data: {")]
    place = choose(st.sampled_from(places))
    event = json.loads(lines[place][6:])
    holder: Any = event
    while True:
        name = choose(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        inner = holder[name]
        if not isinstance(inner, dict | list) or not inner or choose(st.booleans()):
            break
        holder = inner
    odd = st.sampled_from([None, 7, -1, 2.5, "odd", [], {}, [None], {"a": {}}, True, "DROP"])
    value = choose(odd)
    if value == "DROP" and isinstance(holder, dict):
        del holder[name]
    else:
        holder[name] = value
    lines[place] = "data: " + json.dumps(event)
    return "\n".join(lines).encode()


@every_stream
@settings(max_examples=60, deadline=None)
@given(data=st.data())
async def test_whatever_stands_in_an_event_it_is_a_reply_or_an_error_of_ours(protocol, case, data):
    body = mutated(PROTOCOLS[protocol]["streams"][case]["body"], data.draw)
    try:
        reply = await ask(answering(protocol, body), protocol, asked(case))
    except CoordinatorError:
        return
    assert isinstance(reply.text, str)
    assert all(isinstance(part, str) for use in reply.tool_uses for part in (use.id, use.name, use.arguments))
    assert all(isinstance(number, int) for number in (reply.usage.input_tokens, reply.usage.output_tokens))
    assert reply.stop in (StopReason.END, StopReason.TOOL_USE) or not reply.tool_uses


@every_protocol
@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200) | st.text(string.printable + "\r\n:data", max_size=200).map(str.encode))
async def test_no_bytes_of_a_provider_are_more_than_an_error_of_ours(protocol, body):
    for kind in (STREAM["content-type"], "application/json"):
        with pytest.raises(CoordinatorError):
            await ask(answering(protocol, body, {"content-type": kind}), protocol)


LOST = [
    (httpx.ConnectError("[Errno 111] Connection refused"), "unreached", Outcome.UNREACHED),
    (httpx.ConnectTimeout("too slow"), "unreached", Outcome.UNREACHED),
    (httpx.PoolTimeout("no connection free"), "unreached", Outcome.UNREACHED),
    (httpx.ProxyError("407"), "unreached", Outcome.UNREACHED),
    (httpx.ReadTimeout("silence"), "timeout", Outcome.UNCERTAIN),
    (httpx.WriteTimeout("silence"), "timeout", Outcome.UNCERTAIN),
    (httpx.ReadError("reset by peer"), "cut_off", Outcome.UNCERTAIN),
    (httpx.WriteError("reset by peer"), "cut_off", Outcome.UNCERTAIN),
    (httpx.RemoteProtocolError("no status line"), "cut_off", Outcome.UNCERTAIN),
    (httpx.DecodingError("no gzip"), "unreadable_reply", Outcome.FAILED),
]


@every_protocol
@pytest.mark.parametrize(("error", "code", "row"), LOST, ids=[type(error).__name__ for error, *_ in LOST])
async def test_what_is_lost_on_the_way_is_told_as_far_as_it_came(protocol, error, code, row):
    def handle(_: httpx.Request) -> httpx.Response:
        raise error

    fault = await failure(adapter(protocol, handle), protocol)
    assert (fault.code, outcome(fault)) == (code, row)


@every_protocol
async def test_half_a_character_does_not_stop_a_request(protocol):
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.content.decode())
        return httpx.Response(500)

    await failure(adapter(protocol, handle), protocol, ModelRequest((Message("user", (Text("so \ud83d?"),)),)))
    assert "so ??" in seen[0]


@every_protocol
async def test_options_go_with_every_request_and_never_replace_a_limit(protocol):
    seen: list[dict[str, Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        return httpx.Response(500)

    sent = PROTOCOLS[protocol]["sent"]
    limit = next(name for name in sent if "max_" in name or name == "generationConfig")
    of_google = limit == "generationConfig"
    options = {"temperature": 0.5, limit: {"maxOutputTokens": 9, "topK": 3} if of_google else 9}
    await failure(adapter(protocol, handle, options=options), protocol, FULL)
    assert seen[0]["temperature"] == 0.5
    assert seen[0][limit] == ({"maxOutputTokens": 300, "topK": 3} if of_google else 300)
