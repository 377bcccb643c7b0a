import asyncio
from typing import Any

import pytest

from coordinator.domain.errors import Fault, Reached, Refused
from coordinator.domain.limits import RetryLimits
from coordinator.policies.retry import Retry
from coordinator.stores.memory.retries import RetryBudget


def now() -> float:
    return asyncio.get_running_loop().time()


class Flaky:
    """Fails so many times, then answers; keeps when it was asked, and as which attempt."""

    def __init__(self, times: int, **more: Any) -> None:
        self.times = times
        self.more = more
        self.asked: list[tuple[int, float]] = []

    async def __call__(self, call: Any) -> Any:
        self.asked.append((call.attempt, round(now(), 2)))
        if len(self.asked) <= self.times:
            raise Fault("down", reached=Reached.NO, **self.more)
        return "answer"


def retry(chance: float = 0.5, attempts: int = 4, **more: Any) -> Retry:
    return Retry(lambda: chance, RetryBudget(), RetryLimits(attempts=attempts, base_s=1.0, **more))


async def test_waits_grow_exponentially_under_full_jitter(calls):
    flaky = Flaky(3)
    assert await retry(0.5)(calls.of_model(), flaky) == "answer"
    assert flaky.asked == [(1, 0.0), (2, 0.5), (3, 1.5), (4, 3.5)]


async def test_a_wait_never_exceeds_the_longest(calls):
    flaky = Flaky(3)
    await retry(0.999, longest_s=1.0)(calls.of_model(), flaky)
    assert flaky.asked[-1][1] == pytest.approx(3, abs=0.02)


async def test_what_the_outside_asked_for_is_waited_and_then_the_jitter(calls):
    flaky = Flaky(1, retry_after=7.0)
    await retry(0.5)(calls.of_model(), flaky)
    assert flaky.asked == [(1, 0.0), (2, 7.5)]


async def test_what_the_outside_asked_for_is_not_waited_beyond_the_deadline(calls):
    flaky = Flaky(1, retry_after=7.0)
    with pytest.raises(Fault):
        await retry(0.0)(calls.of_model(deadline=6.9), flaky)
    assert (len(flaky.asked), now() < 0.01) == (1, True)


async def test_attempts_are_bounded(calls):
    flaky = Flaky(9)
    with pytest.raises(Fault):
        await retry(attempts=2)(calls.of_model(), flaky)
    assert len(flaky.asked) == 2


async def test_what_will_not_get_better_is_not_repeated(calls):
    flaky = Flaky(1, transient=False)
    with pytest.raises(Fault):
        await retry()(calls.of_model(), flaky)
    assert len(flaky.asked) == 1


async def test_no_retry_begins_beyond_the_deadline(calls):
    flaky = Flaky(9)
    with pytest.raises(Fault):
        await retry(0.999)(calls.of_model(deadline=2.5), flaky)
    assert len(flaky.asked) == 2
    assert now() < 2.5


async def test_every_retry_is_an_event_of_its_attempt(calls):
    await retry()(calls.of_model(), Flaky(2))
    assert [event.step for event in calls.events] == ["run/turn1#2", "run/turn1#3"]
    assert set(calls.kinds()) == {"retry"}


async def test_a_cancelled_wait_is_no_further_attempt(calls):
    flaky = Flaky(9, retry_after=60.0)
    task = asyncio.get_running_loop().create_task(retry()(calls.of_model(), flaky))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(flaky.asked) == 1


def spend(budget: RetryBudget, failures: int) -> int:
    """Return how many of so many failing first attempts are repeated."""
    granted = 0
    for _ in range(failures):
        budget.request("m")
        granted += budget.retry("m")
    return granted


def test_a_budget_grants_its_floor_and_a_share_of_what_was_sent():
    assert spend(RetryBudget(share=0.1, floor=10), 100) == 19
    assert spend(RetryBudget(share=0.1, floor=10), 1000) == 109


def test_quiet_times_save_no_more_than_the_floor():
    budget = RetryBudget(share=0.1, floor=10)
    for _ in range(10_000):
        budget.request("m")
    assert spend(budget, 100) <= 20


def test_a_retry_that_went_well_costs_nothing():
    budget = RetryBudget(share=0.0, floor=1)
    for _ in range(5):
        assert budget.retry("m")
        budget.helped("m")
    assert budget.retry("m")
    assert not budget.retry("m")
    assert budget.retry("other")
    assert [(tally.dependency, tally.retries, tally.refused) for tally in budget.snapshot()] == [
        ("m", 6, 1), ("other", 1, 0),
    ]  # fmt: skip


async def test_what_a_policy_refused_is_no_first_attempt_and_earns_no_retry(calls):
    budget = RetryBudget()

    async def refuses(call: Any) -> Any:
        raise Refused("full", code="gate_full", passing=True)

    for _ in range(50):
        with pytest.raises(Refused):
            await Retry(lambda: 0.0, budget)(calls.of_model(), refuses)
    assert budget.snapshot() == ()
