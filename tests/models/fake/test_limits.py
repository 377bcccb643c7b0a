"""Rate limits: what is let in, what is told of what is left, and when to come again."""

import asyncio

import pytest

from coordinator.domain.content import Message, StopReason, Text
from coordinator.domain.errors import Fault
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.models.fake.limits import Bucket, RateLimits
from coordinator.models.fake.wire import WireError

ASK = ModelRequest((Message("user", (Text("Hello " * 100),)),))
SAID = ModelReply("Fine.", (), StopReason.END, Usage(100, 50), "x:m")


def test_in_any_minute_a_bucket_gives_at_most_twice_its_size_and_in_the_long_run_its_size():
    bucket, taken = Bucket(60), 0
    for tick in range(600):
        now = tick * 0.1
        while bucket.wait(1, now) == 0:
            bucket.take(1, now)
            taken += 1
    assert 118 <= taken <= 120


def test_whoever_waits_as_long_as_it_is_told_is_let_in():
    limits = RateLimits(requests=3, tokens=1000)
    now = 0.0
    for _ in range(20):
        try:
            limits.admit("m", 400, now)
        except WireError as error:
            now += error.facts["retry_after"] + 1e-9
            limits.admit("m", 400, now)
    assert now > 60  # three in a minute, after the first six


def test_who_is_turned_away_is_not_counted():
    limits = RateLimits(requests=100, tokens=10)
    limits.admit("m", 10, 0.0)
    with pytest.raises(WireError):
        limits.admit("m", 10, 0.0)
    assert limits.left(0.0)["requests"].left == 99


def test_a_request_above_the_whole_limit_is_let_in_by_a_full_bucket_and_overdraws_it():
    limits = RateLimits(tokens=100)
    limits.admit("m", 1000, 0.0)
    with pytest.raises(WireError) as met:
        limits.admit("m", 1, 0.0)
    assert met.value.facts["retry_after"] == pytest.approx(540, rel=0.01)


async def test_what_is_left_reaches_the_gates(pair, name):
    there = pair(SAID, requests=100, tokens=10_000)
    await there(ASK)
    quota = (await there(ASK)).quota
    if name == "google":
        assert quota is None  # Google does not say
        return
    assert quota.requests in (98, 99)
    assert 9_000 < quota.tokens < 10_000 - 150
    assert 0 < quota.reset_s <= 60


async def test_without_limits_nothing_is_said_of_what_is_left(pair):
    assert (await pair(SAID)(ASK)).quota is None


async def test_beyond_the_limit_everybody_is_asked_to_wait_as_long_as_it_takes(pair):
    there = pair(SAID, requests=2)
    await there(ASK)
    await there(ASK)
    with pytest.raises(Fault) as met:
        await there(ASK)
    assert met.value.code == "throttled"
    assert 29 < met.value.retry_after <= 31
    await asyncio.sleep(met.value.retry_after)
    assert (await there(ASK)).text == "Fine."


async def test_words_count_once_they_are_written(pair):
    there = pair(SAID, tokens=200)
    await there(ASK)  # 150 tokens, by its bill
    with pytest.raises(Fault) as met:
        await there(ASK)
    assert met.value.code == "throttled"
