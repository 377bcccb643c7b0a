"""What providers mean by the errors that they put into words and codes of their own."""

import json
from typing import Any

import pytest

from coordinator.domain.errors import CoordinatorError, Fault, Invalid
from coordinator.domain.outcomes import Outcome, outcome
from coordinator.models.failures import Failure, Sender, failure
from coordinator.models.keys import ANTHROPIC, COMPATIBLE, GOOGLE, OPENAI, Vendor
from tests.models.providers.recordings import KEY, WITH_TOOLS, answering


def meant(body: Any, status: int, vendor: Vendor = OPENAI, key: str = KEY) -> CoordinatorError:
    """Return the error that *body* means."""
    return failure(Sender(vendor, "m-1", key, None), Failure(status, {}, json.dumps(body).encode()))


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


CREATED = {"type": "response.created", "response": {"id": "r-1"}}


def told(code: str) -> dict[str, str]:
    return {"code": code, "message": "Your input exceeds the limits, and so on."}


def failed(code: str) -> dict[str, Any]:
    held = {"id": "r-1", "model": "m", "status": "failed", "error": told(code), "output": [], "usage": None}
    return {"type": "response.failed", "response": held}


CODES = [
    ("context_length_exceeded", "context_too_long", Outcome.INVALID),
    ("invalid_prompt", "bad_request", Outcome.INVALID),
    ("rate_limit_exceeded", "throttled", Outcome.THROTTLED), ("insufficient_quota", "no_quota", Outcome.DENIED),
    ("server_error", "server_error", Outcome.FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("said", "code", "row"), CODES, ids=[code for code, *_ in CODES])
@pytest.mark.parametrize(
    "event", [lambda said: {"type": "error", "error": told(said)}, failed], ids=["error", "failed"]
)
async def test_an_error_that_comes_in_a_stream_means_what_its_code_says(event, said, code, row):
    model = answering("openai_responses", stream(CREATED, event(said)))
    with pytest.raises(CoordinatorError) as caught:
        await model("gpt-5.5", WITH_TOOLS)
    assert (caught.value.code, outcome(caught.value)) == (code, row)


async def test_an_error_amid_a_reply_is_a_failure_that_is_charged_whatever_its_code_says():
    begun = {"type": "response.output_text.delta", "delta": "I"}
    model = answering("openai_responses", stream(CREATED, begun, failed("context_length_exceeded")))
    with pytest.raises(Fault) as caught:
        await model("gpt-5.5", WITH_TOOLS)
    assert (caught.value.code, caught.value.began) == ("server_error", True)


def test_the_code_of_a_request_that_is_too_long_counts_at_any_status_and_words_only_below_500():
    of_llama = {"code": 500, "message": "exceeds the available context size", "type": "exceed_context_size_error"}
    assert meant({"error": of_llama}, 500, COMPATIBLE).code == "context_too_long"
    assert meant({"error": {"message": "no context window is free"}}, 503, COMPATIBLE).code == "server_error"
    assert meant({"error": {"message": "it exceeds the context window"}}, 400, COMPATIBLE).code == "context_too_long"


def of_google(message: str, quota: str) -> dict[str, Any]:
    details = [{"violations": [{"quotaId": quota}]}, {"retryDelay": "35s"}]
    return {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}}


@pytest.mark.parametrize(
    ("message", "quota", "code"),
    [
        ("Quota exceeded", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "no_quota"),
        ("Quota exceeded for metric: free_tier_requests, limit: 0", "GenerateRequestsPerMinute", "no_quota"),
        ("Quota exceeded for metric: requests, limit: 0, model: m", "GenerateRequestsPerMinute", "no_quota"),
        ("Quota exceeded for metric: requests, limit: 05", "GenerateRequestsPerMinute", "throttled"),
        ("Quota exceeded for metric: requests, limit: 0.5", "GenerateRequestsPerMinute", "throttled"),
        ("Quota exceeded for metric: requests, limit: 10", "GenerateRequestsPerMinute", "throttled"),
    ],
)
def test_a_quota_of_a_day_or_of_nothing_is_used_up_and_not_waited_for(message, quota, code):
    error = meant(of_google(message, quota), 429, GOOGLE)
    assert (error.code, getattr(error, "retry_after", None)) == (code, 35.0 if code == "throttled" else None)


@pytest.mark.parametrize(
    "details", [None, 7, "x", [7], [{"violations": 7}], [{"violations": [7]}], [{"retryDelay": 7}]]
)
def test_details_of_any_shape_are_no_more_than_a_throttle(details):
    body = {"error": {"message": "slow", "status": "RESOURCE_EXHAUSTED", "details": details}}
    assert meant(body, 429, GOOGLE).code == "throttled"


def test_a_short_word_that_stands_for_a_key_is_left_in_what_is_said():
    assert "the company" in str(meant({"error": {"message": "ask the company"}}, 400, key="any"))
    assert KEY not in str(meant({"error": {"message": f"{KEY} is wrong"}}, 400))


@pytest.mark.parametrize(
    ("detail", "said"),
    [("Unauthorised model", "Unauthorised model"), ([{"loc": ["body", "n"], "msg": "extra"}], "extra"), (7, "400")],
)
def test_what_a_server_calls_detail_is_told(detail, said):
    error = meant({"detail": detail}, 400, COMPATIBLE)
    assert isinstance(error, Invalid)
    assert said in str(error)


def test_a_page_that_asks_to_come_back_later_is_a_throttle_and_one_that_is_too_much_is_too_long():
    page = b"<html><title>Slow down</title></html>"
    sender = Sender(ANTHROPIC, "m-1", KEY, None)
    codes = {status: failure(sender, Failure(status, {}, page)).code for status in (429, 413, 402, 408)}
    assert codes == {429: "throttled", 413: "context_too_long", 402: "no_quota", 408: "server_error"}
