"""Schemas as providers take them: narrower than ours, never wider."""

from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from coordinator.domain.briefs import Plan
from coordinator.domain.choice import Choice
from coordinator.domain.model import OutputSpec, ToolSpec
from coordinator.domain.result import Reply
from coordinator.models.once import MOST, Once
from coordinator.models.schemas import answer_tool, for_anthropic, for_google, plain_name, strict


class Colour(Enum):
    RED = "red"


class Decision(Choice):
    YES = "yes", "it may go on"
    NO = "no", "it must stop"


class Leaf(BaseModel):
    name: str = Field(min_length=1, pattern="^a", description="its name")
    number: float | None = Field(default=None, ge=0)


class Tree(BaseModel):
    """Holds much."""

    colour: Colour = Field(Colour.RED, description="of the crown")
    decision: Decision = Decision.YES
    kind: Literal["oak", "elm"] = "oak"
    only: Literal["one"] = "one"
    leaves: list[Leaf] = Field([], max_length=3)
    first: Leaf | int = 3


class Node(BaseModel):
    children: list["Node"] = []


class Loose(BaseModel):
    anything: Any


class Table(BaseModel):
    cells: dict[str, int]


class Pair(BaseModel):
    both: tuple[int, str]


def nodes(schema: Any) -> Any:
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from nodes(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from nodes(inner)


@pytest.mark.parametrize("kind", [Tree, Node, Reply, Plan])
def test_the_strict_mode_gets_every_field_required_and_none_beside(kind):
    schema = strict(kind.model_json_schema())
    assert schema is not None
    assert schema["type"] == "object"
    for node in nodes(schema):
        if "properties" in node and node.get("type") == "object":
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False
        if "$ref" in node:
            assert set(node) == {"$ref"}
        assert not {"default", "title", "pattern", "minLength", "oneOf", "allOf", "discriminator"} & {
            name for name in node if not isinstance(node[name], dict)
        }


def test_choices_keep_their_meanings_in_the_strict_mode():
    schema = strict(Tree.model_json_schema())
    assert schema is not None
    decision = schema["$defs"]["Decision"] if "Decision" in schema["$defs"] else schema["properties"]["decision"]
    assert decision["anyOf"] == [
        {"const": "yes", "description": "it may go on", "type": "string"},
        {"const": "no", "description": "it must stop", "type": "string"},
    ]


@pytest.mark.parametrize("kind", [Loose, Table, Pair])
def test_what_the_strict_mode_cannot_say_is_not_forced_into_it(kind):
    assert strict(kind.model_json_schema()) is None


class Many(BaseModel):
    """As many unions as Anthropic takes, and one more."""

    __annotations__ = {f"field_{number}": int | None for number in range(17)}


class Odd(BaseModel):
    """A value that is no plain one."""

    pair: Literal["a"] = Field("a", json_schema_extra={"enum": [["a", "b"]], "const": ["a"], "type": "array"})


@pytest.mark.parametrize("kind", [Tree, Reply, Plan])
def test_anthropic_gets_no_bounds_and_every_field_required(kind):
    schema = for_anthropic(kind.model_json_schema())
    assert schema is not None
    for node in nodes(schema):
        assert not {"minItems", "maxItems", "minimum", "maximum"} & node.keys()
        if "properties" in node and node.get("type") == "object":
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False


@pytest.mark.parametrize("kind", [Node, Loose, Table, Pair, Many, Odd])
def test_what_anthropic_refuses_is_not_sent(kind):
    assert for_anthropic(kind.model_json_schema()) is None


def test_a_converted_schema_leaves_the_original_alone():
    before = Tree.model_json_schema()
    schema = Tree.model_json_schema()
    strict(schema)
    for_google(schema)
    for_anthropic(schema)
    answer_tool(OutputSpec.of("Tree", schema))
    assert schema == before


class Told(BaseModel):
    """An answer whose parts are told about, as pydantic writes it: a reference with a description beside it."""

    inner: Table = Field(description="the inner thing")


def test_a_schema_that_is_all_of_one_other_is_that_one():
    schema = {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}], "description": "x"}}}
    assert for_google(schema)["properties"]["a"] == {"type": "string"}


@pytest.mark.parametrize("kind", [Tree, Node, Loose, Table, Pair, Told])
def test_google_gets_only_words_that_it_knows(kind):
    known = set(
        "type title description enum items prefixItems properties required additionalProperties anyOf oneOf $ref $defs"
        " minItems maxItems minimum maximum format".split()
    )

    def check(node: dict[str, Any]) -> None:
        assert set(node) <= known
        assert "$ref" not in node or all(name.startswith("$") for name in node)
        for name in ("properties", "$defs"):
            for inner in node.get(name, {}).values():
                check(inner)
        for name in ("anyOf", "oneOf", "prefixItems"):
            for inner in node.get(name, ()):
                check(inner)
        for name in ("items", "additionalProperties"):
            if isinstance(node.get(name), dict):
                check(node[name])

    check(for_google(kind.model_json_schema()))


def test_a_field_may_have_the_name_of_a_word_of_the_language():
    schema = {"type": "object", "properties": {"default": {"type": "string"}, "title": {"type": "string"}}}
    assert set(for_google(schema)["properties"]) == {"default", "title"}
    found = strict(schema)
    assert found is not None
    assert found["required"] == ["default", "title"]


def test_a_type_that_holds_itself_has_an_object_at_its_root():
    assert answer_tool(OutputSpec.of("Node", Node.model_json_schema())).schema["type"] == "object"


def test_names_are_written_in_signs_that_all_providers_take():
    assert plain_name("Report[int]") == "Report_int_"
    assert len(plain_name("x" * 100)) == 64


def test_what_was_made_once_is_found_by_identity_and_forgotten_in_the_end():
    made: list[ToolSpec] = []
    once = Once(lambda spec: made.append(spec) or len(made))
    specs = [ToolSpec.of("a", "b", {}) for _ in range(MOST + 1)]
    assert once(specs[0]) == once(specs[0]) == 1
    assert once(specs[1]) == 2, "an equal one is another"
    for spec in specs:
        once(spec)
    assert len(once._known) <= MOST
