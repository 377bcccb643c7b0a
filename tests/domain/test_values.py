"""Laws of the words: frozen values, integer money, digests by content, layers in order."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from coordinator import Choice, Effect, Invalid, Team, agent, tool
from coordinator.domain.content import Message, Text, ToolUse
from coordinator.domain.layer import onion
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Price, Usage, micros
from coordinator.domain.tool import Tier


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Usage(1, 2).input_tokens = 3  # type: ignore[misc]  # the law under test


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_prices_round_up_once_per_call(per_input: int, per_output: int, inputs: int, outputs: int) -> None:
    cost = Price(per_input, per_output).cost(Usage(inputs, outputs))
    exact = inputs * per_input + outputs * per_output
    assert exact <= cost * 1_000_000 < exact + 1_000_000


@pytest.mark.parametrize(("usd", "expected"), [(0.15, 150_000), ("0.0000001", 1), (0, 0), (3, 3_000_000)])
def test_dollars_become_whole_micro_dollars_rounded_up(usd: Any, expected: int) -> None:
    assert micros(usd) == expected


@pytest.mark.parametrize("usd", [-1, float("nan"), float("inf"), "much"])
def test_what_is_no_amount_of_dollars_is_an_error(usd: Any) -> None:
    with pytest.raises(ValueError, match="dollars"):
        micros(usd)


@given(st.text(), st.text())
def test_the_bound_is_never_below_the_bytes_that_are_sent(text: str, arguments: str) -> None:
    request = ModelRequest((Message("user", (Text(text), ToolUse("i", "n", arguments))),))
    assert request.size >= len(text.encode("utf-8", "surrogatepass")) + len(arguments.encode("utf-8", "surrogatepass"))


def test_equal_requests_have_equal_digests_whatever_the_order_of_keys() -> None:
    def request(schema: dict[str, Any]) -> ModelRequest:
        spec = ToolSpec.of("n", "d", schema)
        return ModelRequest((Message("user", (Text("x"),)),), (spec,), OutputSpec.of("o", schema))

    assert request({"a": 1, "b": 2}).digest == request({"b": 2, "a": 1}).digest
    assert request({"a": 1}).digest != request({"a": 2}).digest


async def test_the_first_layer_listed_is_the_outermost() -> None:
    class Mark:
        def __init__(self, name: str) -> None:
            self.name = name

        async def __call__(self, call: str, then: Any) -> str:
            return f"{self.name}({await then(call + self.name)})"

    async def core(call: str) -> str:
        return call

    assert await onion(core, Mark("a"), Mark("b"))("") == "a(b(ab))"


def test_choices_carry_their_meaning_into_the_schema() -> None:
    class Colour(Choice):
        RED = "red", "stop"
        GREEN = "green", "go"

    class Light(BaseModel):
        colour: Colour

    assert Light.model_json_schema()["$defs"]["Colour"]["anyOf"] == [
        {"const": "red", "description": "stop"},
        {"const": "green", "description": "go"},
    ]
    assert Light.model_validate_json('{"colour":"red"}').colour is Colour.RED


@pytest.mark.parametrize("effect", list(Effect))
def test_the_effect_ends_the_description_that_a_model_is_sent(effect: Effect) -> None:
    @tool(effect=effect)
    async def act(word: str) -> str:
        """Do it.

        Args:
            word: how.
        """
        return word

    spec = act.contract.spec
    assert spec.description == f"Do it. {effect.sentence}"
    assert spec.schema["properties"]["word"]["description"] == "how."
    assert effect.needs_person is (effect not in (Effect.READ, Effect.WRITE))


def test_a_tool_must_say_what_it_takes_and_returns() -> None:
    with pytest.raises(Invalid, match="annotation"):

        @tool()
        async def bare(word) -> str:  # type: ignore[no-untyped-def]  # the law under test
            return str(word)

    with pytest.raises(Invalid, match="returns"):

        @tool()
        async def silent(word: str):  # type: ignore[no-untyped-def]  # the law under test
            return word


def test_tiers_of_a_tool_take_the_same_parameters() -> None:
    async def other(term: str) -> str:
        return term

    with pytest.raises(Invalid, match="other parameters"):

        @tool(fallbacks=[other])
        async def look(word: str) -> str:
            return word


def test_names_are_unique_in_a_team() -> None:
    def make() -> Any:
        @agent()
        async def helper(brief: Any, ctx: Any) -> str:
            return "x"

        return helper

    @agent(delegates=[make(), make()])
    async def manager(brief: Any, ctx: Any) -> str:
        return "x"

    with pytest.raises(Invalid, match="two agents are named helper"):
        Team(manager)


async def _awaits(it: Any) -> Any:
    return await it


async def _enters(it: Any) -> None:
    async with it:
        pass


async def _iterates(it: Any) -> None:
    async for _ in it:
        pass


async def _collects(it: Any) -> Any:
    return [one async for one in it]


async def _glances(it: Any) -> Any:
    return [one for one in it]  # noqa: C416 - a comprehension is what must not be mistaken for an await


@pytest.mark.parametrize(
    ("function", "waits"),
    [
        (_awaits, True), (_enters, True), (_iterates, True), (_collects, True), (_glances, False),
        (partial(_glances), True),
    ],
    ids=["await", "with", "for", "comprehension", "none of them", "unknown"],
)  # fmt: skip
def test_whether_a_tool_may_wait_is_seen_in_its_code(function: Any, waits: bool) -> None:
    assert Tier(function).waits is waits
