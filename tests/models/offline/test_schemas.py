"""The offline model fills schemas that nobody designed for it, or says which field it cannot fill and why."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from coordinator.domain.content import StopReason
from coordinator.domain.model import OutputSpec


class Contact(BaseModel):
    email: str | None = Field(default=None, json_schema_extra={"format": "email"})
    name: str | None = None


class Sheet(BaseModel):
    answer_found: bool
    notice_weeks: int | None = Field(default=None, description="Weeks of notice.")
    contact: Contact
    risk: Literal["low", "medium", "high"]
    next_action: Literal["reply", "ask_customer", "escalate_to_person"]
    open_questions: list[str]
    bullets: list[str] = Field(description="The main points.")
    category: Literal["billing", "leave", "other"]
    paid: bool | None
    summary: str


def test_an_undesigned_schema_is_filled_from_the_evidence(world, handbook):
    question = "How long is the notice period for managers? Write to bob@example.com."
    output = world.read(question, handbook, Sheet).output
    Sheet.model_validate(output)
    assert output["answer_found"] is True
    assert output["notice_weeks"] == 16 or output["notice_weeks"] is None
    assert output["contact"] == {"email": "bob@example.com", "name": None}
    assert (output["risk"], output["next_action"], output["category"]) == ("low", "reply", "other")
    assert output["open_questions"] == []
    assert "16 weeks" in output["bullets"][0]
    assert output["paid"] is None


def test_the_same_schema_without_evidence_holds_no_invented_value(world, handbook):
    output = world.read("What is the melting point of tungsten?", handbook, Sheet).output
    assert output["answer_found"] is False
    assert output["notice_weeks"] is None
    assert (output["risk"], output["next_action"]) == ("high", "escalate_to_person")
    assert len(output["open_questions"]) == 1
    assert output["bullets"] == []


def one(**properties: Any) -> OutputSpec:
    return OutputSpec.of("answer", {"type": "object", "properties": properties, "required": list(properties)})


def test_two_numbers_for_one_field_are_no_answer(world):
    spec = one(weeks={"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "Weeks of notice."})
    single, double = (
        "The notice period is 16 weeks for managers.",
        "The notice period is 16 weeks for managers, 4 weeks for others.",
    )
    fields = []
    for text in (single, double):
        tools = {"search_documents": world.search({"n": text})}
        fields.append(
            world.ask("How long is the notice period for managers?", spec, [world.search_spec()], tools).output
        )
    assert fields == [{"weeks": 16}, {"weeks": None}]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^C-[0-9]+$"},
        {"type": "string", "format": "email"},
        {"type": "integer", "description": "The age of the machine."},
        {"enum": ["red", "green"], "description": "The colour."},
        {"type": "boolean", "description": "Whether the bill was paid."},
    ],
)
def test_a_required_field_that_nothing_fills_is_a_refusal_with_its_path(world, schema):
    reply = world.ask(
        "How old is it?", one(detail={"type": "object", "properties": {"field": schema}, "required": ["field"]})
    ).reply
    assert reply.stop is StopReason.REFUSAL
    assert "answer.detail.field" in reply.text


def test_a_free_string_that_nothing_fills_says_so(world):
    assert world.ask("How old is it?", one(colour_of_door={"type": "string"})).output == {
        "colour_of_door": "not found in the sources"
    }


def test_defaults_and_null_come_before_words(world):
    spec = one(door={"type": "string", "default": "closed"}, lamp={"type": ["string", "null"]})
    assert world.ask("How old is it?", spec).output == {"door": "closed", "lamp": None}


def test_a_field_is_filled_from_a_record_with_the_same_key(world):
    spec = world.spec("get_car", "Get one car.", plate={"type": "string", "pattern": r"^[A-Z]{2}\d+$"})
    tool = {
        "get_car": lambda plate: {
            "text": f"Car {plate} is parked in the yard.",
            "source": "cars",
            "mileage": 81000,
            "electric": True,
        }
    }
    output = world.ask(
        "Where is car AB12?", one(mileage={"type": "integer"}, electric={"type": "boolean"}), [spec], tool
    ).output
    assert output == {"mileage": 81000, "electric": True}


def test_an_answer_too_long_for_its_tokens_holds_fewer_quotes(world):
    documents = {
        f"{name}.md": f"The notice period of {name} is {weeks} weeks."
        for name, weeks in (("cooks", 2), ("pilots", 9), ("clerks", 4))
    }
    tool = {"search_documents": world.search(documents)}
    played = [
        world.ask("How long is the notice period?", world.Findings, [world.search_spec()], tool, tokens=tokens)
        for tokens in (4000, 100)
    ]  # fmt: skip
    assert played[1].reply.stop is StopReason.END
    assert 0 < len(played[1].output["facts"]) < len(played[0].output["facts"]) == 3
    assert played[1].reply.usage.output_tokens <= 100


def test_what_fits_no_way_is_cut_and_says_so(world, handbook):
    reply = world.ask("How long is the notice period?", world.Draft, tokens=5).reply
    assert reply.stop is StopReason.MAX_TOKENS
    assert len(reply.text.encode()) <= 20


def test_a_recursive_schema_is_filled_or_refused_but_ends(world):
    node = {"type": "object", "properties": {"child": {"$ref": "#/$defs/Node"}}, "required": ["child"]}
    spec = OutputSpec.of("tree", {"$defs": {"Node": node}, "$ref": "#/$defs/Node"})
    assert world.ask("How old is it?", spec).reply.stop is StopReason.REFUSAL
