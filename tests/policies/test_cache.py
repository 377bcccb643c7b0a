"""Laws of the cache: what was answered, or is being answered, is not asked again; within a tenant and for a while."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from coordinator import Coordinator, Invalid, Refused, Settings, Status, Team, agent
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import StopReason
from coordinator.domain.errors import CoordinatorError, Fault, Reached
from coordinator.domain.model import ModelReply, ModelRequest, Reuse
from coordinator.domain.money import Usage
from coordinator.domain.paying import PAYING
from coordinator.policies.cache import Cache
from coordinator.stores.memory.replies import Replies


class Provider:
    """Answers after a second, and counts; *failures* come first."""

    def __init__(self, *failures: CoordinatorError, stop: StopReason = StopReason.END) -> None:
        self.calls = 0
        self.failures = list(failures)
        self.stop = stop

    async def __call__(self, call: ModelCall) -> ModelReply:
        self.calls += 1
        number = self.calls
        await asyncio.sleep(1)
        if self.failures:
            raise self.failures.pop(0)
        return ModelReply(f"answer {number}", (), self.stop, Usage(10, 5), "fake:m", cost=7)


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


async def test_identical_requests_in_flight_are_sent_once_and_one_of_them_pays(calls, cache, replies):
    provider = Provider()
    answers = await asyncio.gather(*(cache(calls.of_model(), provider) for _ in range(50)))
    assert (provider.calls, {answer.text for answer in answers}) == (1, {"answer 1"})
    assert sorted(answer.cost for answer in answers) == [0] * 49 + [7]
    assert replies.snapshot().coalesced == 49
    assert calls.run.waits["the same request"] == pytest.approx(49, abs=0.01)


async def test_without_a_time_requests_in_flight_are_shared_and_nothing_is_kept(calls, now):
    cache, provider = Cache(Replies(0, 4, now)), Provider()
    await asyncio.gather(*(cache(calls.of_model(), provider) for _ in range(3)))
    await cache(calls.of_model(), provider)
    assert provider.calls == 2


@pytest.mark.parametrize(
    "failure",
    [Fault("down", reached=Reached.YES, code="server_error"), Invalid("too long", code="context_too_long")],
    ids=["fault", "invalid"],
)
async def test_a_failure_of_provider_or_request_is_everybodys(calls, cache, failure):
    provider = Provider(failure)
    results = await asyncio.gather(*(cache(calls.of_model(), provider) for _ in range(5)), return_exceptions=True)
    assert (provider.calls, results) == (1, [failure] * 5)


async def test_a_refusal_concerns_one_alone_and_another_asks(calls, cache):
    provider = Provider(Refused("no money", code="budget_exhausted"))
    results = await asyncio.gather(*(cache(calls.of_model(), provider) for _ in range(5)), return_exceptions=True)
    assert provider.calls == 2
    assert [getattr(result, "code", "ok") for result in results] == ["budget_exhausted", "ok", "ok", "ok", "ok"]


async def test_when_the_one_who_asks_is_cancelled_another_asks(calls, cache):
    provider = Provider()
    tasks = [asyncio.ensure_future(cache(calls.of_model(), provider)) for _ in range(3)]
    await asyncio.sleep(0.5)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [result.text for result in results[1:]] == ["answer 2", "answer 2"]


async def test_one_who_waits_may_leave_without_harm_to_the_others(calls, cache):
    provider = Provider()
    tasks = [asyncio.ensure_future(cache(calls.of_model(), provider)) for _ in range(3)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert (provider.calls, results[0].text, results[2].text) == (1, "answer 1", "answer 1")


async def test_one_who_holds_money_does_not_wait_for_one_who_may_need_it(calls, cache):
    provider = Provider()

    async def inside_a_priced_tool() -> ModelReply:
        PAYING.set((object(),))  # type: ignore[arg-type]  # any ledger
        return await cache(calls.of_model(), provider)

    await asyncio.gather(cache(calls.of_model(), provider), inside_a_priced_tool())
    assert provider.calls == 2


def test_no_tenant_pushes_the_others_out(now):
    replies = Replies(60, 10, now)
    reply = ModelReply("a", (), StopReason.END, Usage(), "m")
    replies.keep("quiet", "only", reply)
    for number in range(1000):
        replies.keep("loud", str(number), reply)
    assert (replies.snapshot().kept, replies.get("quiet", "only")) == (10, reply)
    assert replies.get("loud", "999") is reply


def test_the_places_of_replies_that_are_kept_twice_are_counted_once(now):
    replies = Replies(60, 10, now)
    reply = ModelReply("a", (), StopReason.END, Usage(), "m")
    for _ in range(100):
        replies.keep("acme", "same", reply)
    assert replies.snapshot().kept == 1


class Once:
    """A model of one answer that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        self.calls += 1
        await asyncio.sleep(1)
        return ModelReply("done", (), StopReason.END, Usage(1000, 100), "once:m")


@pytest.fixture
def open_coordinator() -> Callable[..., Coordinator]:
    def opened(model: Once, events: list[Any], **settings: Any) -> Coordinator:
        @agent()
        async def manager(brief: Any, ctx: Any) -> str:
            return str(await ctx.ask(brief.request))

        given = Settings(models={"small": "once:m"}, prices={"once:*": {"input": 1, "output": 1}}, world={}, **settings)
        return Coordinator(Team(manager), given, models={"once": model}, observers=[events.append])

    return opened


async def test_the_bill_and_the_events_say_what_the_cache_has_spared(open_coordinator):
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


async def test_without_the_setting_nothing_is_cached(open_coordinator):
    model = Once()
    async with open_coordinator(model, []) as coordinator:
        await coordinator.run("hello")
        await coordinator.run("hello")
        assert coordinator.snapshot().replies is None
    assert model.calls == 2
