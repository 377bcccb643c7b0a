"""Laws of the cache: what was answered lately is not asked again, within a tenant."""

import pytest

from coordinator import Status
from coordinator.domain.content import StopReason
from coordinator.domain.model import ModelReply, Reuse
from coordinator.domain.money import Usage
from coordinator.policies.cache import Cache
from coordinator.stores.memory.replies import Replies
from tests.policies.provider import Once, Provider, open_coordinator


class Now:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def replies(now: Now) -> Replies:
    return Replies(60, 4, now)


@pytest.fixture
def cache(replies: Replies) -> Cache:
    return Cache(replies)


async def test_the_same_request_of_a_tenant_is_answered_again_and_costs_nothing(calls, cache, replies):
    provider = Provider()
    first = await cache(calls.of_model(), provider)
    again = await cache(calls.of_model(), provider)
    assert (provider.calls, first.text, again.text) == (1, "answer 1", "answer 1")
    assert (again.cost, again.saved, again.usage, again.reuse) == (0, 7, Usage(), Reuse.CACHE)
    assert calls.run.saved == 7
    assert (replies.snapshot().kept, replies.snapshot().cached) == (1, 1)


async def test_another_request_is_sent(calls, cache):
    provider = Provider()
    await cache(calls.of_model(), provider)
    await cache(calls.of_model(model="large"), provider)
    assert provider.calls == 2


async def test_tenants_never_see_one_anothers_replies(make, calls, cache, replies):
    provider = Provider()
    await cache(calls.of_model(), provider)
    assert replies.get("acme", calls.of_model().digest) is not None
    assert replies.get("other", calls.of_model().digest) is None


async def test_after_its_time_a_reply_is_forgotten(calls, cache, now, replies):
    provider = Provider()
    await cache(calls.of_model(), provider)
    now.at = 59.9
    await cache(calls.of_model(), provider)
    assert provider.calls == 1
    now.at = 60.0
    await cache(calls.of_model(), provider)
    assert (provider.calls, replies.snapshot().kept) == (2, 1)


@pytest.mark.parametrize("stop", [StopReason.MAX_TOKENS, StopReason.REFUSAL])
async def test_a_reply_that_was_cut_off_or_refused_is_not_kept(calls, cache, stop):
    provider = Provider(stop=stop)
    await cache(calls.of_model(), provider)
    await cache(calls.of_model(), provider)
    assert provider.calls == 2


def test_no_tenant_pushes_the_others_out(now):
    replies = Replies(60, 10, now)
    reply = ModelReply("a", (), StopReason.END, Usage(), "m")
    replies.keep("quiet", "only", reply)
    for number in range(1000):
        replies.keep("loud", str(number), reply)
    assert (replies.snapshot().kept, replies.get("quiet", "only")) == (10, reply)
    assert replies.get("loud", "999") is reply


def test_no_tenant_with_less_than_its_share_gives_up_a_place(now):
    replies = Replies(60, 10, now)
    reply = ModelReply("a", (), StopReason.END, Usage(), "m")
    replies.keep("quiet", "only", reply)
    for number in range(9):
        replies.keep("loud", str(number), reply)
    for newcomer in range(5):
        replies.keep(f"new-{newcomer}", "first", reply)
        assert replies.get("quiet", "only") is reply
        assert replies.get(f"new-{newcomer}", "first") is reply
    assert replies.snapshot().kept == 10


def test_replies_that_are_out_of_date_take_no_place(now):
    replies = Replies(60, 10, now)
    reply = ModelReply("a", (), StopReason.END, Usage(), "m")
    for number in range(5):
        replies.keep("idle", str(number), reply)
        replies.keep("busy", str(number), reply)
    now.at = 60.0
    replies.keep("busy", "fresh", reply)
    assert replies.snapshot().kept == 6
    for number in range(5):
        replies.keep("busy", f"fresh-{number}", reply)
    assert replies.snapshot().kept == 6
    assert all(replies.get("busy", f"fresh-{number}") is reply for number in range(5))


def test_the_places_of_replies_that_are_kept_twice_are_counted_once(now):
    replies = Replies(60, 10, now)
    reply = ModelReply("a", (), StopReason.END, Usage(), "m")
    for _ in range(100):
        replies.keep("acme", "same", reply)
    assert replies.snapshot().kept == 1


async def test_the_bill_and_the_events_say_what_the_cache_has_spared():
    model, events = Once(), []
    async with open_coordinator(model, events, cache={"for_s": 60}) as coordinator:
        first = await coordinator.run("hello", tenant="acme")
        again = await coordinator.run("hello", tenant="acme")
        other = await coordinator.run("hello", tenant="other")
        assert coordinator.snapshot().replies is not None
    assert (model.calls, again.status) == (2, Status.COMPLETED)
    assert (again.cost_usd, again.saved_usd) == (0.0, first.cost_usd)
    assert (other.cost_usd, other.saved_usd) == (first.cost_usd, 0.0)
    told = [event.data.get("reuse") for event in events if event.kind.value == "model.ended"]
    assert told == [None, "cache", None]


async def test_without_the_setting_nothing_is_cached():
    model = Once()
    async with open_coordinator(model, []) as coordinator:
        await coordinator.run("hello")
        await coordinator.run("hello")
        assert coordinator.snapshot().replies is None
    assert model.calls == 2
