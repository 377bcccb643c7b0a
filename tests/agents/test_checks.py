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


ORDERS = GOOD.citations[0]


def cited(**more: object) -> Citation:
    return GOOD.citations[1].model_copy(update=more)


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
        (changed(citations=[cited(line=999), ORDERS]), "no tool retrieved line 999 of delivery-times.md"),
        (changed(citations=[cited(line=6), ORDERS]), "no tool retrieved line 6"),
        (changed(citations=[Citation(source="orders/1042", line=1, quote=ORDERS.quote)]), "no tool retrieved line 1"),
        (changed(citations=[cited(quote=""), ORDERS]), "which says nothing"),
        (changed(citations=[cited(quote="a"), ORDERS]), "which says nothing"),
        (changed(citations=[cited(quote="to the"), ORDERS]), "which says nothing"),
        (
            changed(text=f"{GOOD.text} It will definitely arrive tomorrow, and you get a free car."),
            "no cited source says 'It will definitely arrive tomorrow",
        ),
        (changed(text="Order 1042 was stolen by pirates. [1]"), "no cited source says"),
        (changed(text="Order 1042 is in transit. [2]"), "no cited source says"),
    ],
)
def test_what_code_can_see_is_rejected_by_name(draft: Draft, complaint: str) -> None:
    assert any(complaint in problem for problem in problems(draft, REQUEST, PASSAGES))


@pytest.mark.parametrize("line", [7, 9])
def test_a_citation_may_name_any_line_of_its_passage(line: int) -> None:
    passages = [
        Passage(text="# Times\n\nStandard delivery takes 3 to 5 working days.\n", source="delivery-times.md", line=7)
    ]
    assert (
        problems(
            changed(citations=[cited(line=line)], text="Standard delivery takes 3 to 5 working days. [1]"), "", passages
        )
        == []
    )
    assert problems(changed(citations=[cited(line=10)]), "", passages)


@pytest.mark.parametrize(
    "text",
    [
        "According to the sources: Order 1042 is in transit. [1]",
        "Possibly related, from the sources: Standard delivery takes 3 to 5 working days. [2] Order 1042 is here. [1]",
        "Your order 1042 is in transit [1]. Standard deliveries take 3 to 5 working days [2].",
        f"{GOOD.text}\n\nNot found in the sources: dress, code.",
        f"{GOOD.text} Could not look with lookup_customer: the tool has crashed.",
        f"{GOOD.text} I could not find the dress code.",
    ],
)
def test_rewording_and_naming_what_is_missing_are_grounded(text: str) -> None:
    gaps = ["Not found in the sources: dress, code.", "Could not look with lookup_customer: the tool has crashed."]
    assert problems(changed(text=text), f"{REQUEST} What is the dress code?", PASSAGES, gaps) == []


def test_a_claim_does_not_pass_as_something_missing() -> None:
    draft = changed(text=f"{GOOD.text} It could not be easier, the supervisor personally drives to Hamburg.")
    assert problems(draft, REQUEST, PASSAGES)


@pytest.mark.parametrize(
    "request_", ["Where are orders 1042 and 1050?", "Orders #1042, #1050?", "Order 1042 or order 1050?"]
)
def test_every_order_of_a_list_must_be_mentioned(request_: str) -> None:
    assert problems(GOOD, request_, PASSAGES) == ["the request asks about 1050, and the draft does not mention it"]


@pytest.mark.parametrize(
    "request_",
    [
        "I will sue you", "I will sue!", "I am suing.", "sue the company", "SUE", "You will be sued",
        "you hear from my lawyer", "my barrister", "I need legal advice", "our legal team writes to you",
        "I take this to court", "take the matter to court", "a court case", "see you in court", "See you in Court!",
        "small claims!", "litigation follows", "the tribunal decides",
        "We'll see each other before the judge.", "This is fraud, I will go to the police.", "I call the police",
        "I will file a complaint with the consumer protection agency.", "cease-and-desist!", "a class-action",
        "small-claims court", "I will see a judge about this", "Let a judge decide.", "This is fraud!",
        "Expect a letter from my advocate", "initiate a chargeback", "a charge-back", "I dispute the charge with you",
        "I will hold you liable", "You will be held liable for this", "we hold your company accountable",
        "see you in small-claims-court", "legal-action", "law-suit", "I report you to the consumer-protection office",
    ],
)  # fmt: skip
def test_legal_matters_always_go_to_a_person(request_: str) -> None:
    assert must_escalate(request_)


@pytest.mark.parametrize(
    "request_", ["Please refund order 1042", "Refund me!", "I want a full refund", "I want my money back now"]
)
def test_money_back_always_goes_to_a_person(request_: str) -> None:
    assert "only a person pays" in must_escalate(request_)


@pytest.mark.parametrize(
    "request_",
    [
        "Where is order 1042?",
        "Do you deliver to Court Road?",
        "an issue with my order",
        "How long does a refund take?",
        "A gift for my aunt Sue",
        "The food court voucher",
        "Is the courtyard a pick-up point?",
        "I pursue no discount",
        "Is there a customer protection plan?",
        "Do you sell a consumer protection plan for phones?",
        "How do I judge the quality?",
        "Can I judge before I buy?",
        "A police uniform for my son",
        "the police uniform costume in size M",
        "What is your return policy?",
        "Are batteries covered by the warranty?",
        "Which size do you advocate?",
        "Is there an extra charge for delivery?",
        "The parcel went to the police station next door",
    ],
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
