"""Laws of the scripted model: it plays what it is given, in order, and counts honestly."""

import pytest

from coordinator import Fault, Invalid
from coordinator.domain.content import Message, StopReason, Text
from coordinator.domain.model import ModelRequest
from coordinator.models.scripted import ScriptedModel, ScriptedReply


def asked(text: str) -> ModelRequest:
    return ModelRequest((Message("user", (Text(text),)),))


async def test_replies_are_played_in_order_and_each_as_often_as_it_says() -> None:
    model = ScriptedModel([ScriptedReply(text="a", times=2), ScriptedReply(text="b")])
    assert [(await model("m", asked("x"))).text for _ in range(3)] == ["a", "a", "b"]
    with pytest.raises(Invalid, match="no reply left"):
        await model("m", asked("x"))


async def test_a_reply_waits_for_its_words() -> None:
    model = ScriptedModel([ScriptedReply(text="late", when="please"), ScriptedReply(text="first", times=None)])
    assert [(await model("m", asked(text))).text for text in ("x", "please", "please")] == ["first", "late", "first"]


async def test_tool_wishes_keep_raw_arguments_and_stop_as_told() -> None:
    wish = ScriptedReply.model_validate({"tools": [{"name": "look", "arguments": '{"cut'}], "stop": "max_tokens"})
    reply = await ScriptedModel([wish])("m", asked("x"))
    assert (reply.tool_uses[0].arguments, reply.stop) == ('{"cut', StopReason.MAX_TOKENS)


async def test_tokens_are_a_quarter_of_the_bytes_rounded_up() -> None:
    reply = await ScriptedModel([ScriptedReply(text="äb")])("m", asked("12345"))
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (2, 1)


@pytest.mark.parametrize(("fail", "reached"), [("throttled", "yes"), ("error", "yes"), ("unreached", "no")])
async def test_a_reply_may_be_a_fault(fail: str, reached: str) -> None:
    with pytest.raises(Fault) as caught:
        await ScriptedModel([ScriptedReply.model_validate({"fail": fail})])("m", asked("x"))
    assert (caught.value.code, caught.value.reached) == (fail, reached)
