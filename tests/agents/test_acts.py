"""Laws of what users order: done in code with their rights, or left to a person openly; never passed over."""

import pytest

from agents.acts import acts, asks_more


@pytest.mark.parametrize(
    ("request_", "numbers"),
    [
        ("Please cancel order 9166", ("9166",)),
        ("Hi team, cancel my order 9166.", ("9166",)),
        ("Can you cancel order #9166?", ("9166",)),
        ("I want to cancel order 9166, I do not need it any more.", ("9166",)),
        ("Please cancel order 9166, and when do I get my money?", ("9166",)),
        ("Cancel orders 9166 and 9167.", ("9166", "9167")),
        ("Please cancel order 9166 of 3 March 2026.", ("9166",)),
    ],
)
def test_a_certain_cancellation_of_named_orders_may_be_carried_out(request_: str, numbers: tuple[str, ...]) -> None:
    (act,) = acts(request_)
    assert (act.cancels, act.numbers) == (True, numbers)


@pytest.mark.parametrize(
    "request_",
    [
        "If it is not here tomorrow, cancel order 9166.",
        "Please cancel order 9166, not 9167.",
        "Please cancel order 9166 or 9167.",
        "Please cancel order 9166. Never mind, keep it.",
        "Please cancel my order.",
        "They want to ship it and cancel order 9166.",
        "Where is order 1042, please cancel order 9166?",
        "Please cancel my subscription number 9166.",
        "Please change the address of order 9166.",
        "Could you send me a copy of the invoice of order 9166?",
        "Please refund order 9166.",
        "Block my gift card GC-12, it was stolen.",
        "Could you reserve a jacket for me?",
    ],
)
def test_an_order_in_doubt_or_beyond_the_tools_is_seen_and_not_carried_out(request_: str) -> None:
    assert acts(request_)
    assert not any(act.cancels for act in acts(request_))


@pytest.mark.parametrize(
    "request_",
    [
        "Where is order 9166?",
        "Can I cancel order 9166?",
        "How do I cancel order 9166?",
        "How do I change the address and cancel order 9166?",
        "Tell me how to pay and cancel order 9166.",
        "Do not cancel order 9166.",
        "Please don't cancel order 9166!",
        "I cancelled order 9166.",
        'My friend wrote "cancel order 9166".',
        "> Please cancel order 9166.\nIs this mail from you?",
        "How do I change my address?",
        "Refund policy, please?",
        "Do not refund order 9166.",
        "Can I reserve a jacket?",
        "Please send me the details of order 9166.",
    ],
)
def test_questions_prohibitions_reports_and_quotes_order_nothing(request_: str) -> None:
    assert acts(request_) == ()


@pytest.mark.parametrize(
    ("request_", "more"),
    [
        ("Hello, please cancel order 9166. Thanks!", False),
        ("Please cancel order 9166. How long does the refund take?", True),
        ("Please cancel order 9166, and when do I get my money?", True),
    ],
)
def test_what_is_asked_beside_an_order_is_answered_too(request_: str, more: bool) -> None:
    assert asks_more(request_) is more


async def test_an_ordered_cancellation_happens_once_and_is_told_with_its_source(play) -> None:
    played = await play.run("Please cancel order 9166")
    assert played.tools == {("cancel_order", "ok"): 1}
    assert (played.ended.status, played.ended.text) == ("completed", "Order 9166 is cancelled. [1]")
    assert [citation.source for citation in played.ended.citations] == ["orders/9166"]
    assert played.states == ["triage", "act", "finalize"]


async def test_a_question_beside_the_order_is_answered_and_citations_keep_their_numbers(play) -> None:
    played = await play.run("Please cancel order 9166. How long is a gift card valid?")
    assert played.ended.status == "completed"
    assert "3 years" in played.ended.text
    number = len(played.ended.citations)
    assert f"Order 9166 is cancelled. [{number}]" in played.ended.text
    assert played.ended.citations[-1].source == "orders/9166"


@pytest.mark.parametrize(
    ("number", "code"), [("1042", "order_not_cancellable"), ("1002", "order_not_found"), ("99999", "order_not_found")]
)
async def test_what_the_order_system_denies_is_never_completed(play, number: str, code: str) -> None:
    played = await play.run(f"Please cancel order {number}")
    assert played.tools["cancel_order", code] == 1
    assert played.ended.status in ("flagged", "escalated")
    assert code in played.codes
    assert f"Order {number} was not cancelled" in played.ended.text


@pytest.mark.parametrize(
    "request_", ["Please send me an e-mail about order 1042", "Change my address", "If it is late, cancel order 9166."]
)
async def test_an_order_that_code_may_not_carry_out_becomes_a_ticket(play, request_: str) -> None:
    played = await play.run(request_)
    assert played.tools["open_ticket", "ok"] == 1
    assert played.tools["cancel_order", "ok"] == 0
    assert played.ended.status in ("flagged", "escalated")
    assert "not_done" in played.codes
    assert "ticket 1" in played.ended.text


async def test_a_legal_threat_stops_an_order_too(play) -> None:
    played = await play.run("Please cancel order 9166 or I will sue!")
    assert played.tools == {("record_escalation", "ok"): 1}
