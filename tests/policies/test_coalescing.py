"""Laws of coalescing: what is being answered is not asked again beside it, and who waits for that has sent nothing."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from coordinator import Invalid, Refused, Status
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import StopReason
from coordinator.domain.errors import Fault, Reached
from coordinator.domain.layer import onion
from coordinator.domain.limits import BreakerLimits, RetryLimits
from coordinator.domain.model import ModelReply, ModelRequest, Reuse
from coordinator.domain.money import Usage
from coordinator.domain.timer import Timer
from coordinator.policies.breaker import Breaker
from coordinator.policies.cache import Cache
from coordinator.policies.coalescing import Coalescing
from coordinator.policies.retry import Retry
from coordinator.policies.timeout import Timeout
from coordinator.stores.memory.breaker import Breakers
from coordinator.stores.memory.replies import Replies
from coordinator.stores.memory.retries import RetryBudget
from tests.policies.provider import Once, Provider, open_coordinator


class Flat:
    """Everything costs the same."""

    def reported(self, call: ModelCall, usage: Usage) -> int:
        return 7


class Line:
    """Coalescing, and who deals with what it says: Retry with calls that must begin anew, Cache with what came."""

    def __init__(self, *inside: Any, attempts: int = 1) -> None:
        self.replies = Replies(0, 4, lambda: 0.0)
        self.budget = RetryBudget()
        retry = Retry(lambda: 0.5, self.budget, RetryLimits(attempts=attempts))
        self.layers = Cache(self.replies), retry, *inside, Timeout(), Coalescing(Flat())

    def __call__(self, call: ModelCall, provider: Provider) -> Awaitable[ModelReply]:
        return onion(provider, *self.layers)(call)


@pytest.fixture
def line() -> Line:
    return Line()


async def test_identical_requests_in_flight_are_sent_once(calls, line):
    provider = Provider()
    answers = await asyncio.gather(*(line(calls.of_model(), provider) for _ in range(50)))
    assert (provider.calls, {answer.text for answer in answers}) == (1, {"answer 1"})
    assert [answer.reuse for answer in answers] == [None] + [Reuse.FLIGHT] * 49
    assert (line.replies.snapshot().coalesced, line.budget.snapshot()[0].requests) == (49, 1)
    assert [(answer.cost, answer.saved, answer.usage) for answer in answers[1:]] == [(0, 7, Usage())] * 49
    assert calls.run.saved == 49 * 7


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


async def test_of_identical_requests_in_flight_one_pays_and_gates_and_accounts_get_the_rest_back():
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


async def test_who_waits_at_a_gate_of_its_own_keeps_nobody_else_waiting():
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


async def test_a_clamp_of_one_session_cuts_nobody_elses_answer():
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


async def test_who_is_cancelled_while_it_waits_pays_nothing_and_keeps_no_place():
    model, events = Once(), []
    settings = {"cache": {"for_s": 0}, "tenant_day_usd": 1, "rates": {"once:m": {"requests": 100, "per_s": 1000}}}
    async with open_coordinator(model, events, **settings) as coordinator:
        sender = coordinator.start("hello")
        await asyncio.sleep(0.1)
        waiting = [coordinator.start("hello") for _ in range(20)]
        await asyncio.sleep(0.1)
        gone = [await handle.cancel() for handle in waiting]
        paid = await sender.result()
        (account,) = coordinator.snapshot().accounts
        (gate,) = coordinator.snapshot().gates
    assert model.calls == 1
    assert {(result.status, result.cost_usd) for result in gone} == {(Status.CANCELLED, 0.0)}
    assert (account.settled, account.uncertain, account.reserved) == (paid.cost_usd * 1_000_000, 0, 0)
    assert (gate.refunded, gate.out, gate.request_level) == (20, 0, pytest.approx(1, abs=0.1))
    assert not [event for event in events if event.kind == "charged"]


async def test_who_has_become_the_sender_pays_when_it_is_cancelled():
    model = Once()
    async with open_coordinator(model, [], cache={"for_s": 0}) as coordinator:
        handles = [coordinator.start("hello") for _ in range(3)]
        await asyncio.sleep(0.1)
        first = await handles[0].cancel()
        await asyncio.sleep(0.1)
        second = await handles[1].cancel()
        third = await handles[2].result()
    assert model.calls == 3
    assert first.cost_usd == second.cost_usd > third.cost_usd > 0


@pytest.mark.parametrize("apart_s", [0.0, 0.02], ids=["at once", "one by one"])
async def test_a_request_that_stalls_is_paid_once_and_those_who_waited_for_it_ask_anew_with_all_their_time(apart_s):
    model = Once(stalls=1)
    settings = {"cache": {"for_s": 0}, "model_timeout_s": 20, "tenant_day_usd": 1}
    async with open_coordinator(model, [], **settings) as coordinator:

        async def late(number: int) -> Any:
            await asyncio.sleep(apart_s * number)
            return await coordinator.run("hello")

        results = await asyncio.gather(*(late(number) for number in range(40)))
        (account,) = coordinator.snapshot().accounts
        (retries,) = coordinator.snapshot().retries
    assert {result.code for result in results} == {"ok"}
    assert sum(result.cost_usd >= 0.001 for result in results) == 1
    assert model.calls <= 10
    assert account.uncertain < 2 * 1100
    assert retries.retries == 1


async def test_who_has_less_time_than_the_sender_leaves_in_time_and_pays_nothing(calls, line):
    provider = Provider()
    sender = asyncio.ensure_future(line(calls.of_model(), provider))
    await asyncio.sleep(0.5)
    with pytest.raises(Fault) as caught:
        await line(calls.of_model(timeout=0.2), provider)
    assert (caught.value.code, caught.value.reached) == ("timeout", Reached.NO)
    assert (await sender).text == "answer 1"
    assert (provider.calls, line.budget.snapshot()[0].requests) == (1, 1)


async def test_an_attempt_that_waited_in_vain_counts_as_no_retry(calls):
    line, provider = Line(attempts=2), Provider()
    sender = asyncio.ensure_future(line(calls.of_model(), provider))
    await asyncio.sleep(0.5)
    answers = await asyncio.gather(*(line(calls.of_model(timeout=0.2), provider) for _ in range(30)))
    assert {answer.reuse for answer in answers} == {Reuse.FLIGHT}
    assert (await sender).text == "answer 1"
    (tally,) = line.budget.snapshot()
    assert (tally.requests, tally.retries, tally.refused) == (1, 0, 0)


async def test_a_retry_that_is_answered_by_anothers_reply_goes_back_into_the_budget(calls):
    line, provider = Line(attempts=2), Provider(Fault("down", reached=Reached.YES))
    retried = asyncio.ensure_future(line(calls.of_model(), provider))
    await asyncio.sleep(1.01)
    assert (await line(calls.of_model(), provider)).reuse is None
    assert (await retried).reuse is Reuse.FLIGHT
    (tally,) = line.budget.snapshot()
    assert (tally.requests, tally.retries, tally.left) == (2, 1, 10)


async def cancelled_after(seconds: float, work: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(seconds)
    task.cancel()
    await task


async def test_who_waits_and_is_cancelled_ends_as_any_other_task(calls, line):
    provider, loop = Provider(), asyncio.get_running_loop()
    sender = asyncio.ensure_future(line(calls.of_model(), provider))
    await asyncio.sleep(0.1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await line(calls.of_model(), provider)
    with pytest.raises(TimeoutError), Timer(loop.time() + 0.1, loop):
        await line(calls.of_model(), provider)
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await cancelled_after(0.1, line(calls.of_model(), provider))
    assert (type(cancelled.value), cancelled.value.__cause__) == (asyncio.CancelledError, None)
    waits = asyncio.ensure_future(line(calls.of_model(), provider))

    async def fails() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.wait_for(waits, 60))
            await asyncio.sleep(0.1)
            raise ValueError

    with pytest.raises(ExceptionGroup) as caught:
        await fails()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert (waits.cancelled(), asyncio.current_task().cancelling()) == (True, 0)
    assert (await sender).text == "answer 1"


def open_by_others(breakers: Breakers) -> Any:
    """Open the breaker of what is called, by failures of other calls."""
    breaker = breakers.of("fake:m")
    for trial in [breaker.admit() for _ in range(5)]:
        trial.failed(Fault("down", reached=Reached.YES))
    assert breaker.state == "open"
    return breaker


async def test_who_was_let_down_passes_the_breaker_again_and_is_not_sent_when_that_has_opened(calls):
    breakers = Breakers(BreakerLimits(failures=1))
    line, provider = Line(Breaker(breakers)), Provider(Fault("down", reached=Reached.YES))
    asked = asyncio.gather(*(line(calls.of_model(), provider) for _ in range(3)), return_exceptions=True)
    await asyncio.sleep(0.2)
    open_by_others(breakers)
    assert [error.code for error in await asked] == ["fault", "breaker_open", "breaker_open"]
    assert provider.calls == 1


async def test_a_reply_to_what_was_sent_before_a_breaker_opened_does_not_close_it(calls):
    breakers = Breakers(BreakerLimits(failures=1, cooldown_s=0.1))
    line, provider = Line(Breaker(breakers)), Provider()
    old = asyncio.ensure_future(line(calls.of_model(), provider))
    await asyncio.sleep(0.2)
    breaker = open_by_others(breakers)
    await asyncio.sleep(0.2)
    probe = await line(calls.of_model(), provider)
    assert (probe.reuse, (await old).reuse, breaker.state) == (Reuse.FLIGHT, None, "half-open")
    fresh = await line(calls.of_model(), provider)
    assert (fresh.reuse, breaker.state) == (None, "closed")


async def test_what_costs_nothing_is_told_as_not_used_when_another_has_asked_it():
    model, events = Once(), []
    settings = {"cache": {"for_s": 0}, "prices": {"once:*": {"input": 0, "output": 0}}}
    async with open_coordinator(model, events, **settings) as coordinator:
        await asyncio.gather(*(coordinator.run("hello") for _ in range(3)))
    told = [event.data for event in events if event.kind == "model.ended"]
    assert sorted((data["output_tokens"], data.get("reuse", "")) for data in told) == [
        (0, "flight"), (0, "flight"), (100, ""),
    ]  # fmt: skip
