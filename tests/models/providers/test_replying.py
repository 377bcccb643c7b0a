"""What headers say of waiting and of what is left: seconds, milliseconds, dates; what cannot be is not believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.model import Quota
from coordinator.models.replying import LONGEST_S, quota, request_id, retry_after, span

NOW = 1_795_176_000.0
"""Fri, 20 Nov 2026 12:00:00 GMT."""
DATE = {"date": "Fri, 20 Nov 2026 12:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:59:00 GMT"}, 0.0),
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "99999999999999999999"}, None),
        ({"retry-after": "86400"}, None),
        ({"retry-after": "Fri, 20 Nov 2099 12:00:00 GMT"}, None),
        ({"retry-after": "tomorrow"}, None),
    ],
)
def test_a_wait_is_read_in_every_form_and_an_absurd_one_is_ignored(headers, seconds):
    assert retry_after(headers, lambda: NOW) == seconds
    assert retry_after({**headers, **DATE}, None) == seconds


def test_a_date_is_told_from_the_date_of_the_reply_and_not_from_a_clock_that_goes_wrong():
    headers = {"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT", **DATE}
    assert retry_after(headers, lambda: NOW + 5000) == 30.0


def test_a_date_without_any_clock_says_nothing():
    assert retry_after({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, None) is None


@given(st.text(max_size=30))
def test_no_header_is_more_than_a_wait_that_may_be(text):
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after({name: text}, lambda: NOW)
        assert seconds is None or 0 <= seconds <= LONGEST_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h", 3600.0),
        ("1m6.5s", 66.5),
        ("", None),
        ("s", None),
        ("9h", None),
    ],
)
def test_a_span_is_read_as_providers_write_it(text, seconds):
    assert span(text) == seconds


ANTHROPIC = {
    "anthropic-ratelimit-requests-remaining": "5", "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:10Z",
    "anthropic-ratelimit-tokens-remaining": "900", "anthropic-ratelimit-tokens-reset": "2026-11-20T12:00:40+00:00",
}  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({}, None),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "9s"}, Quota(5, None, 9.0)),
        ({"x-ratelimit-remaining-tokens": "800", "x-ratelimit-reset-tokens": "1m"}, Quota(None, 800, 60.0)),
        ({"x-ratelimit-remaining-requests": "5"}, Quota(5, None)),
        ({"x-ratelimit-remaining-requests": "many"}, None),
        ({"x-ratelimit-remaining-requests": "-1"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400h"}, Quota(0, None)),
        (ANTHROPIC, Quota(5, 900, 40.0)),
        ({**ANTHROPIC, "anthropic-ratelimit-tokens-reset": "soon"}, Quota(5, 900, 10.0)),
    ],
)
def test_what_is_left_is_read_from_the_headers_of_either_provider(headers, left):
    assert quota(headers, lambda: NOW) == left


def test_a_request_has_the_name_that_its_provider_gives():
    assert request_id({"request-id": "req_1"}) == request_id({"x-request-id": "req_1"}) == "req_1"
    assert request_id({}) == ""
