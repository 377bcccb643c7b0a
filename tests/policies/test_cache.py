"""Laws of cache and coalescing: what was answered, or is being answered, is not asked again, within a tenant."""

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
from coordinator.policies.cache import Cache
from coordinator.policies.coalescing import Coalescing
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


@pytest.fixture
def line(replies: Replies) -> Coalescing:
    return Coalescing(replies)


async def test_identical_requests_in_flight_are_sent_once(calls, line, replies):
    provider = Provider()
    answers = await asyncio.gather(*(line(calls.of_model(), provider) for _ in range(50)))
    assert (provider.calls, {answer.text for answer in answers}) == (1, {"answer 1"})
    assert [answer.reuse for answer in answers] == [None] + [Reuse.FLIGHT] * 49
    assert replies.snapshot().coalesced == 49


async def test_requests_to_another_model_or_after_the_reply_are_sent(calls, line):
    provider = Provider()
    await asyncio.gather(line(calls.of_model(), provider), line(calls.of_model(dependency="other:m"), provider))
    await line(calls.of_model(), provider)
    assert provider.calls == 3


async def test_a_reply_that_was_cut_off_is_its_senders_alone(calls, line):
    provider = Provider(stop=StopReason.MAX_TOKENS)
    answers = await asyncio.gather(*(line(calls.of_model(), provider) for _ in range(3)))
    assert sorted(answer.text for answer in answers) == ["answer 1", "answer 2", "answer 3"]


@pytest.mark.parametrize(
    "failure",
    [
        Fault("down", reached=Reached.YES, code="server_error"), Invalid("too long", code="context_too_long"),
        Refused("no money", code="budget_exhausted"),
    ],
    ids=["fault", "invalid", "refused"],
)  # fmt: skip
async def test_a_failure_is_its_senders_alone_and_the_others_send_their_own(calls, line, failure):
    provider = Provider(failure)
    results = await asyncio.gather(*(line(calls.of_model(), provider) for _ in range(5)), return_exceptions=True)
    assert (provider.calls, results[0]) == (5, failure)
    assert all(isinstance(result, ModelReply) for result in results[1:])


async def test_when_the_sender_is_cancelled_one_of_the_others_sends_for_all(calls, line):
    provider = Provider()
    tasks = [asyncio.ensure_future(line(calls.of_model(), provider)) for _ in range(4)]
    await asyncio.sleep(0.5)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [result.text for result in results[1:]] == ["answer 2"] * 3


async def test_one_who_waits_may_leave_without_harm_to_the_others(calls, line):
    provider = Provider()
    tasks = [asyncio.ensure_future(line(calls.of_model(), provider)) for _ in range(3)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert (provider.calls, results[0].text, results[2].text) == (1, "answer 1", "answer 1")


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
        return ModelReply("done", (), StopReason.END, Usage(10, 100), "once:m")


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


async def test_of_identical_requests_in_flight_one_pays_and_gates_and_accounts_get_the_rest_back(open_coordinator):
    model, events = Once(), []
    settings = {"cache": {"for_s": 0}, "tenant_day_usd": 1, "rates": {"once:m": {"tokens": 100_000}}}
    async with open_coordinator(model, events, **settings) as coordinator:
        results = await asyncio.gather(*(coordinator.run("hello", tenant="acme") for _ in range(5)))
        spent = [account.settled for account in coordinator.snapshot().accounts]
        (gate,) = coordinator.snapshot().gates
        (estimate,) = coordinator.snapshot().estimates
    assert model.calls == 1
    assert sorted(result.cost_usd for result in results) == [0.0] * 4 + [0.00011]
    assert sorted(result.saved_usd for result in results) == [0.0] + [0.00011] * 4
    assert (spent, gate.refunded, estimate.output_tokens) == ([110], 4, 100)


async def test_who_waits_at_a_gate_of_its_own_keeps_nobody_else_waiting(open_coordinator):
    model = Once()
    rates = {"user:slow": {"requests": 1, "per_s": 50}}
    async with open_coordinator(model, [], cache={"for_s": 0}, rates=rates) as coordinator:
        loop = asyncio.get_running_loop()
        await coordinator.run("first", user="slow")
        began = loop.time()
        waits = asyncio.ensure_future(coordinator.run("hello", user="slow"))
        await asyncio.sleep(0.5)
        quick = await coordinator.run("hello", user="quick")
        assert (quick.code, quick.issues, loop.time() - began) == ("ok", [], pytest.approx(1.5, abs=0.01))
        assert (await waits).status is Status.COMPLETED


async def test_a_clamp_of_one_session_cuts_nobody_elses_answer(open_coordinator):
    class Cut(Once):
        async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
            self.calls += 1
            await asyncio.sleep(1)
            stop = StopReason.END if request.max_output_tokens >= 1024 else StopReason.MAX_TOKENS
            return ModelReply("done", (), stop, Usage(10, 400), "once:m")

    model = Cut()
    async with open_coordinator(model, [], cache={"for_s": 60}, session_usd=0.0012) as coordinator:
        await coordinator.run("something before", user="u", session="spent")
        asked = (coordinator.run("hello", user="u", session=session) for session in ("spent", "fresh"))
        spent, fresh = await asyncio.gather(*asked)
    assert (spent.code, fresh.code) == ("truncated", "ok")


async def test_without_the_setting_nothing_is_cached(open_coordinator):
    model = Once()
    async with open_coordinator(model, []) as coordinator:
        await coordinator.run("hello")
        await coordinator.run("hello")
        assert coordinator.snapshot().replies is None
    assert model.calls == 2
