"""Laws of the reviewer's checks in code: what they reject, no model is asked about."""

from pathlib import Path

import pytest

import agents
from agents.checks import problems
from agents.constraints import must_escalate
from agents.reports import Draft
from coordinator import Citation, Passage

PASSAGES = [
    Passage(text="Standard delivery takes 3 to 5 working days.", source="delivery-times.md", line=7),
    Passage(text="Order 1042 is in transit.", source="orders/1042"),
]
GOOD = Draft(
    text="Order 1042 is in transit. [1] Standard delivery takes 3 to 5 working days. [2]",
    citations=[
        Citation(source="orders/1042", quote="Order 1042 is in transit."),
        Citation(source="delivery-times.md", line=7, quote="takes 3 to 5  working days"),
    ],
)
REQUEST = "Where is order 1042?"


def changed(**more: object) -> Draft:
    return GOOD.model_copy(update=more)


def test_a_grounded_draft_passes() -> None:
    assert problems(GOOD, REQUEST, PASSAGES) == []


@pytest.mark.parametrize(
    ("draft", "complaint"),
    [
        (changed(text=""), "the draft is empty"),
        (changed(text="Order 1042 " * 500 + "[1]"), "at most 4000"),
        (changed(text="As an AI I say order 1042 is there [1]"), "as an ai"),
        (changed(citations=[]), "cites nothing"),
        (changed(citations=[Citation(source="made-up.md", quote="")]), "invented"),
        (changed(citations=[Citation(source="orders/1042", quote="Order 1042 was delivered.")]), "does not stand in"),
        (changed(text="Order 1042 is in transit."), "no statement of the draft is marked"),
        (changed(text="Order 1042 is in transit. [3]"), "no such citation"),
        (changed(text="Order 1042 arrives in 9 days. [1]"), "the number 9 stands in no source"),
        (changed(text="It is in transit. [1]"), "does not mention it"),
    ],
)
def test_what_code_can_see_is_rejected_by_name(draft: Draft, complaint: str) -> None:
    assert any(complaint in problem for problem in problems(draft, REQUEST, PASSAGES))


@pytest.mark.parametrize(
    "request_", ["I will sue you", "you hear from my lawyer", "I take this to court", "small claims!"]
)
def test_legal_matters_always_go_to_a_person(request_: str) -> None:
    assert must_escalate(request_)


@pytest.mark.parametrize(
    "request_", ["Please refund order 1042", "Refund me!", "I want a full refund", "I want my money back now"]
)
def test_money_back_always_goes_to_a_person(request_: str) -> None:
    assert "only a person pays" in must_escalate(request_)


@pytest.mark.parametrize(
    "request_",
    ["Where is order 1042?", "Do you deliver to Court Road?", "an issue with my order", "How long does a refund take?"],
)
def test_other_matters_do_not(request_: str) -> None:
    assert not must_escalate(request_)


def test_analyst_and_reviewer_only_read_and_the_writer_has_no_tools() -> None:
    members = {**agents.team.agents, **agents.documents.agents}
    for name in ("analyst", "researcher", "reviewer"):
        assert all(tool.contract.effect == "read" for tool in members[name].tools)
    assert members["writer"].tools == ()


def test_prompts_carry_no_run_id_stamp_or_tenant() -> None:
    for prompt in Path(agents.__file__).parent.glob("prompts/*.md"):
        text = prompt.read_text(encoding="utf-8")
        assert "{" not in text, prompt
