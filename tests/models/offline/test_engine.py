"""The offline model is a pure function of the request, counts honestly and keeps a bounded cache."""

import random

import orjson
import pytest

from coordinator.domain.content import Message, Origin, StopReason, Text, ToolResult
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.models.offline import OfflineModel, answer


def shuffled(found, seed):
    """Return *found* with the keys of every object in another order."""
    if isinstance(found, list):
        return [shuffled(item, seed) for item in found]
    if not isinstance(found, dict):
        return found
    keys = list(found)
    random.Random(seed).shuffle(keys)
    return {key: shuffled(found[key], seed) for key in keys}


def reordered(part, seed):
    if isinstance(part, ToolResult):
        return ToolResult(
            part.id, part.name, orjson.dumps(shuffled(orjson.loads(part.text), seed)).decode(), part.origin
        )
    return part


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_keys_changes_no_byte(world, handbook, seed):
    request = world.read(
        "How long is the notice period for managers and may dogs come to the office?", handbook
    ).request
    messages = tuple(Message(m.role, tuple(reordered(part, seed) for part in m.parts)) for m in request.messages)
    tools = tuple(ToolSpec.of(t.name, t.description, shuffled(dict(t.schema), seed)) for t in request.tools)
    output = OutputSpec.of(request.output.name, shuffled(dict(request.output.schema), seed))
    assert answer(ModelRequest(messages, tools, output, max_output_tokens=4000)).text == answer(request).text
    first = ModelRequest(request.messages[:2], request.tools, request.output)
    assert answer(ModelRequest(messages[:2], tools, output)).tool_uses == answer(first).tool_uses


async def test_the_same_request_gets_the_same_reply_with_and_without_cache(world, handbook):
    request = world.read("May dogs come to the office?", handbook).request
    cached, uncached = OfflineModel(cache_size=2), OfflineModel(cache_size=0)
    replies = [await model("small", request) for model in (cached, cached, uncached, uncached)]
    assert all(reply == replies[0] for reply in replies)
    assert replies[0].model == "offline:small"


async def test_the_cache_drops_the_least_recently_used_reply(world):
    model = OfflineModel(cache_size=2)
    requests = [ModelRequest((Message("user", (Text(f"What is {word}?"),)),)) for word in ("iron", "zinc", "lead")]
    for index in (0, 1, 0, 2):
        await model("small", requests[index])
    assert model.snapshot() == {"cached": 2, "cache_size": 2}
    kept = {key.split()[-1] for key in model._replies}
    assert kept == {requests[0].digest, requests[2].digest}


async def test_a_request_that_was_cut_down_gets_its_own_reply_whichever_was_asked_first(world, handbook):
    whole = world.read("May dogs come to the office? How long is the notice period?", handbook).request
    short = whole.clamped(10)
    assert short.digest == whole.digest
    for first, second in ((whole, short), (short, whole)):
        model = OfflineModel()
        replies = [await model("small", first), await model("small", second)]
        assert replies == [answer(first, "small"), answer(second, "small")]
    assert answer(short, "small") != answer(whole, "small")


def test_usage_is_bytes_over_four_rounded_up(world):
    request = ModelRequest((Message("user", (Text("Was gibt es über Öl?"),)),))
    reply = answer(request)
    assert reply.usage.input_tokens == -(-request.size // 4)
    assert reply.usage.output_tokens == -(-len(reply.text.encode()) // 4)


def test_tool_calls_have_ids_that_are_unique_in_the_conversation(world, handbook):
    tools = {"search_documents": lambda query: []}
    played = world.ask("How do I terminate the subscription and the membership?", None, [world.search_spec()], tools)
    ids = [part.id for m in played.request.messages for part in m.parts if isinstance(part, ToolResult)]
    assert len(ids) == len(set(ids)) == len(played.calls) > 1


def test_calls_that_do_not_fit_the_output_tokens_are_not_made(world):
    request = ModelRequest(
        (Message("user", (Text("Find the manual of the pump"),)),), (world.search_spec(),), max_output_tokens=2
    )
    reply = answer(request)
    assert (reply.stop, reply.tool_uses) == (StopReason.MAX_TOKENS, ())


@pytest.mark.parametrize(
    "text",
    ["", "   ", "?", "{}", "[1, 2]", '{"request": ""}', "\ud800", "x" * 1500, '{"error": {"code": "x"}}', "null"],
)
def test_any_text_gets_a_reply(world, text):
    request = ModelRequest((Message("user", (Text(text),)),), (world.search_spec(),), world.output(world.Findings))
    assert answer(request).stop in (StopReason.END, StopReason.TOOL_USE)


@pytest.mark.parametrize(
    "result",
    [
        "",
        "not json",
        "null",
        "[]",
        '{"status": "ok"}',
        '{"status": "ok", "result": null}',
        '{"status": 7}',
        '{"a": {"b": [[{"text": 1}]]}}',
    ],
)
def test_any_tool_result_is_survived(world, result):
    first = ModelRequest(
        (Message("user", (Text("Find the pump manual"),)),), (world.search_spec(),), world.output(world.Findings)
    )
    use = answer(first).tool_uses[0]
    done = ToolResult(use.id, use.name, result, Origin("tool", use.name))
    messages = (*first.messages, Message("assistant", (use,)), Message("tool", (done,)))
    assert answer(ModelRequest(messages, first.tools, first.output)).stop in (StopReason.END, StopReason.TOOL_USE)


def test_the_order_of_keys_around_nested_passages_changes_no_byte(world):
    spec = world.spec("get_pump", "Get one pump.", pump={"type": "string", "pattern": r"^P\d$"})
    near = {"text": "Pump P4 leaks at the seal.", "source": "log/1"}
    far = {"text": "Pump P4 leaks at the valve.", "source": "log/2"}
    texts = []
    for result in ({"first": [near], "second": [far]}, {"second": [far], "first": [near]}):
        texts.append(
            world.ask(
                "Where does pump P4 leak?", world.Draft, [spec], {"get_pump": lambda pump, r=result: r}
            ).reply.text
        )
    assert texts[0] == texts[1]
