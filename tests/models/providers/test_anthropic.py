"""What is Anthropic's own: answers bound to a schema, and prompts that are kept for the next turn."""

import json
from typing import Any

import httpx
import pytest

from coordinator.domain.content import Message, Text
from coordinator.domain.model import ModelRequest, OutputSpec
from coordinator.models.reasoning import forced, typed
from tests.models.providers.recordings import LOOK_UP, TALK, VERDICT, adapter

ASKED = Message("user", (Text("Where is 1042?"),))
OFF = {"thinking": {"type": "disabled"}}


async def sent(request: ModelRequest, model: str = "claude-haiku-4-5", **options: Any) -> dict[str, Any]:
    """Return the body of *request*."""
    seen: list[dict[str, Any]] = []

    def handle(asked: httpx.Request) -> httpx.Response:
        seen.append(json.loads(asked.content))
        return httpx.Response(500)

    with pytest.raises(Exception, match="500"):
        await adapter("anthropic", handle, options=options)(model, request)
    return seen[0]


@pytest.mark.parametrize("tools", [(), (LOOK_UP,)], ids=["alone", "beside tools"])
@pytest.mark.parametrize(
    ("model", "options"), [("claude-haiku-4-5", {}), ("claude-opus-5-5", {}), ("claude-opus-5-5", OFF)]
)
async def test_an_answer_is_bound_to_its_schema_without_a_tool_and_without_force(tools, model, options):
    body = await sent(ModelRequest((ASKED,), tools, VERDICT), model, **options)
    assert body["output_config"]["format"]["schema"]["required"] == ["accept", "why"]
    assert "tool_choice" not in body
    assert "final_answer" not in json.dumps(body)


async def test_the_format_of_an_answer_stands_beside_other_words_on_the_output():
    body = await sent(ModelRequest((ASKED,), (), VERDICT), output_config={"effort": "low"})
    assert (body["output_config"]["effort"], body["output_config"]["format"]["type"]) == ("low", "json_schema")
    assert (await sent(ModelRequest((ASKED,)), output_config={"effort": "low"}))["output_config"] == {"effort": "low"}


async def test_bounds_are_told_in_words():
    number = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "description": "how many"}}}
    body = await sent(ModelRequest((ASKED,), (), OutputSpec.of("N", number)))
    assert body["output_config"]["format"]["schema"]["properties"]["n"] == {
        "type": "integer", "description": "how many (minimum 1)",
    }  # fmt: skip


FAMILIES = {
    "any": (False, True), "claude-3-5-haiku-latest": (False, True), "claude-sonnet-4-20250514": (False, True),
    "claude-opus-4-1-20250805": (False, True), "claude-haiku-4-5-20251001": (True, True),
    "claude-opus-4-8": (True, True), "claude-sonnet-5": (True, True), "claude-opus-5-20260601": (True, True),
    "claude-opus-5-5": (True, False), "claude-fable-5-1": (True, False), "claude-haiku-6": (True, False),
}  # fmt: skip


@pytest.mark.parametrize("model", FAMILIES)
def test_what_a_model_takes_is_known_by_its_family_and_new_ones_take_what_the_newest_take(model):
    assert (typed(model), forced(model, OFF)) == FAMILIES[model]


@pytest.mark.parametrize(
    ("request_", "kept"),
    [
        (ModelRequest((ASKED,)), False), (ModelRequest((ASKED,), (), VERDICT), False),
        (ModelRequest((ASKED,), (LOOK_UP,)), True), (ModelRequest(TALK), True),
    ],
    ids=["one question", "one typed question", "tools", "a conversation"],
)  # fmt: skip
async def test_the_prompt_of_what_goes_on_is_kept_and_of_nothing_else(request_, kept):
    assert (await sent(request_)).get("cache_control") == ({"type": "ephemeral"} if kept else None)


@pytest.mark.parametrize("off", [None, False])
async def test_options_say_how_a_prompt_is_kept_or_that_it_is_not(off):
    hour = {"type": "ephemeral", "ttl": "1h"}
    assert (await sent(ModelRequest(TALK), cache_control=hour))["cache_control"] == hour
    assert "cache_control" not in await sent(ModelRequest(TALK), cache_control=off)
