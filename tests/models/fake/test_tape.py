"""Tapes: recorded replies that are played again."""

import io

import orjson
import pytest

from coordinator.domain.content import Message, StopReason, Text, ToolUse
from coordinator.domain.errors import Invalid
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.models.fake.tape import Recorder, Tape, TapeReply, read_tape


def asking(text):
    return ModelRequest((Message("user", (Text(text),)),))


def tape(*lines):
    return Tape([TapeReply.model_validate(line) for line in lines])


async def test_lines_are_played_in_order_each_as_often_as_it_says():
    played = tape({"text": "one", "times": 1}, {"text": "two", "times": 2}, {"text": "three"})
    assert [(await played("m", asking("x"))).text for _ in range(5)] == ["one", "two", "two", "three", "three"]


async def test_a_line_waits_for_its_words():
    played = tape({"when": "order", "text": "sent"}, {"text": "hello"})
    assert (await played("m", asking("hi"))).text == "hello"
    assert (await played("m", asking("my order?"))).text == "sent"


async def test_a_line_of_the_very_request_goes_first():
    played = tape({"text": "any"}, {"text": "this", "request": asking("a").digest})
    assert (await played("m", asking("a"))).text == "this"
    assert (await played("m", asking("b"))).text == "any"


async def test_a_tape_that_has_ended_says_so():
    with pytest.raises(Invalid) as met:
        await tape({"text": "one", "times": 1, "when": "z"})("m", asking("x"))
    assert met.value.code == "tape_ended"


async def test_what_was_recorded_is_played_to_the_letter():
    use = ToolUse("call-7", "look", '{"at":"Kiel"}')
    replies = {
        "a": ModelReply("", (use,), StopReason.TOOL_USE, Usage(9, 8, 7, 6, 1), "x:m"),
        "b": ModelReply('{"x":1}', (), StopReason.END, Usage(3, 2), "x:m"),
        "c": ModelReply("Once", (), StopReason.MAX_TOKENS, Usage(3, 2), "x:m"),
    }

    async def words(model, request):
        return replies[request.messages[0].text]

    written = io.StringIO()
    recorder = Recorder(words, written)
    for text in "abcab":
        await recorder("m", asking(text))
    lines = [TapeReply.model_validate_json(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 3
    for text, reply in replies.items():
        played = await Tape(lines)("m", asking(text))
        assert (played.text, played.tool_uses, played.stop, played.usage) == (
            reply.text, reply.tool_uses, reply.stop, reply.usage
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"), [("", 1), ("{}\nnot json", 2), ('{"txt": "x"}', 1), ('{"times": 0}', 1), ('\n{"stop": "why"}', 2)]
)
def test_a_wrong_tape_is_told_with_its_line(tmp_path, text, line):
    path = tmp_path / "tape.jsonl"
    path.write_text(text)
    with pytest.raises(Invalid) as met:
        read_tape(path)
    assert met.value.code == "bad_tape"
    assert f"{path}:{line}:" in met.value.message


async def test_the_tape_ends_in_the_words_of_the_protocol(pair):
    there = pair(words=tape({"text": "one", "times": 1}))
    assert (await there(asking("x"))).text == "one"
    with pytest.raises(Invalid) as met:
        await there(asking("x"))
    assert "tape" in met.value.message


async def test_a_typed_answer_may_be_written_as_json():
    reply = await tape({"output": {"decision": "accept"}})("m", asking("x"))
    assert orjson.loads(reply.text) == {"decision": "accept"}
