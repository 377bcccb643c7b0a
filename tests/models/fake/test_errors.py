"""What the real providers refuse is refused here, in their words, and means to the adapters what it should."""

import orjson
import pytest

from coordinator.domain.content import Message, Origin, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Throttle
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.fake.answers import Question
from coordinator.models.fake.faults import FAILURES, TOLD, WireFault
from coordinator.models.fake.openai_errors import span
from coordinator.models.replying import span as read_span

ASK = ModelRequest((Message("user", (Text("Hello, are you there? " * 20),)),), max_output_tokens=300)
SAID = ModelReply("Fine, and how are you?", (), StopReason.END, Usage(100, 20), "x:m")
LOOK = ToolSpec.of("look", "Looks.", {"type": "object", "properties": {}})


async def meets(pair, request=ASK, **conduct):
    with pytest.raises(CoordinatorError) as met:
        await pair(SAID, **conduct)(request)
    return met.value


async def test_a_model_that_does_not_exist_is_denied_by_name(pair):
    error = await meets(pair, models=("m-2",))
    assert isinstance(error, Fault)
    assert (error.code, error.turned_away) == ("no_such_model", Throttle.DENIED)
    assert "m-1" in error.message


async def test_another_key_is_denied_and_not_repeated(pair):
    error = await meets(pair, key="sk-another")
    assert isinstance(error, Fault)
    assert (error.code, error.turned_away) == ("denied", Throttle.DENIED)
    assert "sk-any-key-1" not in str(error)


async def test_a_missing_key_is_told_apart(pair, name):
    there = pair(SAID, key="sk-another")
    answer = await there.post(b"{}")
    assert answer.status == (403 if name == "google" else 401)
    assert b"key" in answer.parts[0].lower()


async def test_any_key_is_let_in_where_none_is_asked_for(pair):
    there = pair(SAID)
    assert (await there(ASK)).text == SAID.text


async def test_a_prompt_that_is_too_long_is_invalid_by_its_own_code(pair):
    error = await meets(pair, context=50)
    assert isinstance(error, Invalid)
    assert error.code == "context_too_long"


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[1]", b"{}", b'{"model":"m-1","messages":7,"input":7,"contents":7}']
)
async def test_what_is_no_request_is_a_bad_request(pair, body):
    answer = await pair(SAID).post(body)
    assert answer.status == 400
    assert orjson.loads(answer.parts[0])["error"]["message"]


async def test_fields_that_the_protocol_does_not_know_are_refused(pair):
    there = pair(SAID)
    await there(ASK)
    body = {**orjson.loads(there.wired.questions[0].body), "temprature": 1}
    answer = await there.post(orjson.dumps(body))
    assert answer.status == 400
    assert b"temprature" in answer.parts[0]


async def test_a_result_that_nobody_asked_for_is_refused(pair):
    lost = ToolResult("call-9", "look", '{"status":"ok"}', Origin("tool", "look"))
    error = await meets(pair, ModelRequest((*ASK.messages, Message("tool", (lost,))), (LOOK,)))
    assert (type(error), error.code) == (Invalid, "bad_request")
    assert "Invalid request body" not in error.message  # it is foreseen, and said in the provider's words


async def test_a_call_without_its_result_is_refused(pair):
    use = Message("assistant", (ToolUse("call-1", "look", "{}"),))
    error = await meets(pair, ModelRequest((*ASK.messages, use, Message("user", (Text("And?"),))), (LOOK,)))
    assert (type(error), error.code) == (Invalid, "bad_request")
    assert "call" in error.message


async def test_a_tool_whose_name_no_provider_takes_is_refused(pair):
    error = await meets(pair, ModelRequest(ASK.messages, (ToolSpec.of("look up!", "Looks.", LOOK.schema),)))
    assert (type(error), error.code) == (Invalid, "bad_request")
    assert "name" in error.message


async def test_a_tool_whose_arguments_are_no_object_is_refused(pair):
    error = await meets(pair, ModelRequest(ASK.messages, (ToolSpec.of("look", "Looks.", {"type": "string"}),)))
    assert (type(error), error.code) == (Invalid, "bad_request")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"oneOf": []}}, "required": ["a"], "additionalProperties": False},
        {"type": "string"},
    ],
    ids=["open", "optional", "oneOf", "no object"],
)
@pytest.mark.parametrize("of", ["openai", "openai-responses"])
async def test_a_schema_that_breaks_the_strict_mode_is_refused(pairs, of, schema):
    there = pairs[of](SAID)
    await there(ModelRequest(ASK.messages, (), OutputSpec.of("A", {"type": "object", "properties": {}})))
    body = orjson.loads(there.wired.questions[0].body)
    held = body["text"]["format"] if "text" in body else body["response_format"]["json_schema"]
    held |= {"schema": schema, "strict": True}
    answer = await there.post(orjson.dumps(body))
    assert answer.status == 400
    assert b"Invalid schema" in answer.parts[0]


async def test_google_takes_no_schema_of_the_reply_beside_tools(pairs):
    there = pairs["google"](SAID)
    await there(ModelRequest(ASK.messages, (LOOK,)))
    body = orjson.loads(there.wired.questions[0].body)
    body["generationConfig"] |= {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}
    answer = await there.post(orjson.dumps(body))
    assert (answer.status, b"unsupported" in answer.parts[0]) == (400, True)


async def test_a_path_that_is_not_there_is_a_wrong_base_url(pair):
    there = pair(SAID)
    answer = await there.post(b"{}", "/elsewhere")
    assert answer.status == 404


async def test_the_models_are_listed(pair):
    there = pair(SAID, models=("m-1", "m-2"))
    path, given = there.provider.protocol.list, {"anthropic-version": "2023-06-01"}
    answer = await there.provider(Question("GET", path, given, {}, b""))
    assert answer.status == 200
    assert b"m-1" in answer.parts[0]
    assert (await there.post(b"", path)).status == 404


def test_every_failure_says_what_it_is():
    assert set(TOLD) == set(FAILURES)


ROWS = {
    "error": ("server_error", None), "server_error": ("server_error", None), "denied": ("denied", Throttle.DENIED),
    "overloaded": ("throttled", Throttle.THROTTLED), "no_quota": ("no_quota", Throttle.DENIED),
    "throttled": ("throttled", Throttle.THROTTLED), "html": ("server_error", None),
    "invalid_json": ("unreadable_reply", None), "error_midway": ("server_error", None),
}  # fmt: skip


@pytest.mark.parametrize("fail", sorted(ROWS))
async def test_every_failure_means_to_the_adapter_what_it_is(pair, name, fail):
    error = await meets(pair, faults=(WireFault(fail=fail),))
    assert isinstance(error, Fault)
    code, away = ROWS[fail]
    if fail == "overloaded" and name != "anthropic":
        code, away = "server_error", None  # only Anthropic says it by a status of its own
    assert (error.code, error.turned_away) == (code, away)


@pytest.mark.parametrize("fail", ["throttled", "throttled_until"])
async def test_the_time_to_wait_is_told_as_each_provider_does(pair, fail):
    error = await meets(pair, faults=(WireFault(fail=fail, retry_after_s=7),))
    assert isinstance(error, Fault)
    assert error.turned_away is Throttle.THROTTLED
    assert error.retry_after == 7 if fail == "throttled" else 0 <= error.retry_after <= 7


@pytest.mark.parametrize("fail", ["wrong_usage", "overrun"])
async def test_a_wrong_bill_arrives_as_it_was_told(pair, fail):
    reply = await pair(SAID, faults=(WireFault(fail=fail),))(ASK)
    assert reply.text == SAID.text
    assert (reply.usage.input_tokens > ASK.size) == (fail == "overrun")


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.12, 1, 1.5, 59.9, 60, 61, 360, 3599, 3600])
def test_spans_of_time_are_written_as_they_are_read(seconds):
    assert read_span(span(seconds)) == pytest.approx(seconds, abs=1.0 if seconds > 60 else 0.001)
