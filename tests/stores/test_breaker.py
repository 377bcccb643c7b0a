import asyncio
import contextlib
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from coordinator.domain.errors import Fault, Reached, Refused
from coordinator.domain.limits import BreakerLimits
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.breaker import TOGETHER, Breaker, Breakers

DOWN = Fault("down", reached=Reached.NO)
LIMITS = BreakerLimits(failures=3, cooldown_s=10)
RATE = BreakerLimits(failures=100, cooldown_s=10, rate=0.5, window_s=60, calls=10)


def tripped(changes=None) -> Breaker:
    breaker = Breaker("m", LIMITS, changes and (lambda *change: changes.append(change)))
    for _ in range(3):
        breaker.admit().failed(DOWN)
    return breaker


def refused(breaker: Breaker) -> Refused:
    with pytest.raises(Refused) as error:
        breaker.admit()
    return error.value


async def test_failures_in_a_row_open_it_and_a_success_between_them_starts_anew():
    breaker = Breaker("m", LIMITS)
    for _ in range(5):
        breaker.admit().failed(DOWN)
        breaker.admit().failed(DOWN)
        breaker.admit().succeeded()
    assert breaker.state == "closed"
    for _ in range(3):
        breaker.admit().failed(DOWN)
    assert breaker.state == "open"


async def test_an_open_breaker_refuses_in_passing_until_it_has_cooled_down():
    breaker = tripped()
    await asyncio.sleep(4)
    no = refused(breaker)
    assert (no.code, no.passing) == ("breaker_open", True)
    assert no.retry_after == pytest.approx(6, abs=1e-3)


async def test_breaker_admits_one_probe_after_cooling_down():
    breaker = tripped()
    await asyncio.sleep(10)
    admitted = []
    for _ in range(50):
        with contextlib.suppress(Refused):
            admitted.append(breaker.admit())
    assert len(admitted) == 1
    admitted[0].succeeded()
    assert breaker.state == "closed"


async def test_a_failed_probe_opens_it_for_another_cooldown():
    breaker = tripped()
    await asyncio.sleep(10)
    breaker.admit().failed(DOWN)
    assert breaker.state == "open"
    await asyncio.sleep(9)
    refused(breaker)
    await asyncio.sleep(1)
    breaker.admit().succeeded()
    assert breaker.state == "closed"


async def test_a_probe_that_says_nothing_gives_its_permit_back():
    breaker = tripped()
    await asyncio.sleep(10)
    breaker.admit().returned()
    assert breaker.state == "half-open"
    breaker.admit().succeeded()
    assert breaker.state == "closed"


async def test_results_of_calls_begun_before_a_change_are_dropped():
    breaker = Breaker("m", LIMITS)
    old = [breaker.admit() for _ in range(4)]
    for trial in old[:3]:
        trial.failed(DOWN)
    old[3].succeeded()
    assert breaker.state == "open"
    await asyncio.sleep(10)
    old[3].failed(DOWN)
    breaker.admit().succeeded()
    for trial in old:
        trial.failed(DOWN)
    assert breaker.state == "closed"
    assert breaker.snapshot().failures == 0


async def test_every_change_of_state_is_told():
    changes = [()]
    breaker = tripped(changes)
    await asyncio.sleep(10)
    breaker.admit().succeeded()
    assert changes[1:] == [("m", "closed", "open"), ("m", "open", "half-open"), ("m", "half-open", "closed")]


async def test_breakers_are_kept_by_dependency_with_their_own_limits():
    breakers = Breakers(LIMITS, {"frail": BreakerLimits(failures=1)})
    assert breakers.of("m") is breakers.of("m")
    breakers.of("frail").admit().failed(DOWN)
    breakers.of("m").admit().failed(DOWN)
    assert [(state.state, state.failures) for state in breakers.snapshot()] == [("closed", 1), ("open", 1)]


async def results(breaker: Breaker, pattern: str, apart_s: float = 0.1) -> None:
    """Let calls end as *pattern* says: `x` failed, `.` went well."""
    for sign in pattern:
        trial = breaker.admit()
        if sign == "x":
            trial.failed(DOWN)
        else:
            trial.succeeded()
        await asyncio.sleep(apart_s)


async def test_a_share_of_failures_opens_it_though_they_are_never_in_a_row():
    breaker = Breaker("m", RATE)
    await results(breaker, "x.x.x.x.x")
    assert breaker.state == "closed"
    await results(breaker, ".x")
    assert breaker.state == "open"
    assert "6 of its last 11 calls failed" in refused(breaker).message


async def test_the_share_itself_is_enough():
    breaker = Breaker("m", RATE)
    await results(breaker, "x.x.x.x..x")
    assert breaker.state == "open"


async def test_fewer_results_than_the_limit_say_nothing_by_their_share():
    breaker = Breaker("m", RATE)
    await results(breaker, "xxxxxxxxx")
    assert breaker.state == "closed"
    await results(breaker, "x")
    assert breaker.state == "open"


async def test_a_smaller_share_leaves_it_closed_and_is_its_health():
    breaker = Breaker("m", RATE)
    await results(breaker, "x.." * 20)
    state = breaker.snapshot()
    assert (state.state, state.calls, state.failed) == ("closed", 60, 20)
    assert state.health == pytest.approx(2 / 3)


async def test_a_success_never_opens_it():
    breaker = Breaker("m", RATE)
    await results(breaker, "xxxxxxxxx.")
    assert breaker.state == "closed"


async def test_results_older_than_the_window_do_not_count():
    breaker = Breaker("m", RATE)
    await results(breaker, "xxxxxxxxx")
    await asyncio.sleep(61)
    await results(breaker, "x")
    assert (breaker.state, breaker.snapshot().calls) == ("closed", 1)


async def test_the_window_begins_anew_when_it_closes_again():
    breaker = Breaker("m", RATE)
    await results(breaker, "x" * 10)
    await asyncio.sleep(10)
    await results(breaker, ".xxx")
    state = breaker.snapshot()
    assert (state.state, state.calls, state.failed, state.health) == ("closed", 3, 3, 0.0)


async def test_successes_alone_are_not_counted():
    breaker = Breaker("m", RATE)
    await results(breaker, "." * 50)
    assert (breaker.snapshot().calls, breaker.snapshot().health) == (0, 1.0)


async def test_a_snapshot_tells_health_refusals_and_when_a_probe_may_pass():
    breaker = tripped()
    opened_at = asyncio.get_running_loop().time()
    refused(breaker)
    refused(breaker)
    state = breaker.snapshot()
    assert (state.health, state.refused, state.trips) == (0.0, 2, 1)
    assert state.opens_at == pytest.approx(opened_at + 10, abs=1e-3)
    await asyncio.sleep(10)
    breaker.admit().succeeded()
    assert (breaker.snapshot().health, breaker.snapshot().opens_at) == (1.0, 0.0)


async def test_quick_failures_that_overtake_slow_successes_do_not_open_it():
    breaker = Breaker("m", BreakerLimits(failures=3, calls=10))
    calls = [breaker.admit() for _ in range(100)]
    for quick in calls[51:]:
        quick.failed(DOWN)
    assert breaker.state == "closed"
    for slow in calls[:51]:
        slow.succeeded()
    state = breaker.snapshot()
    assert (state.state, state.trips, state.calls, state.failed, state.under_way) == ("closed", 0, 100, 49, 0)


async def test_failures_in_a_row_open_it_when_they_outweigh_what_they_overtook():
    breaker = Breaker("m", BreakerLimits(failures=3, rate=1))
    calls = [breaker.admit() for _ in range(100)]
    for failing in calls[:50:-1]:
        failing.failed(DOWN)
    assert breaker.state == "closed"
    calls[50].failed(DOWN)
    assert breaker.state == "open"
    assert refused(breaker).message == "m is not called: it failed more than 3 times in a row"


async def test_a_share_of_failures_opens_it_when_it_is_one_of_what_they_overtook_too():
    breaker = Breaker("m", BreakerLimits(failures=100, rate=0.2, calls=10))
    calls = [breaker.admit() for _ in range(100)]
    for failing in calls[:80:-1]:
        failing.failed(DOWN)
    assert breaker.state == "closed"
    calls[80].failed(DOWN)
    assert breaker.state == "open"


async def test_calls_that_began_after_a_failing_one_do_not_speak_for_it():
    breaker = Breaker("m", BreakerLimits(failures=5))
    first = [breaker.admit() for _ in range(TOGETHER)]
    for _ in range(500):
        breaker.admit()
    for failing in first[: TOGETHER // 2]:
        failing.failed(DOWN)
    assert breaker.state == "open"


async def test_an_outage_in_which_hundreds_hang_opens_it_although_some_go_well():
    """Of 200 callers who hang for two minutes each, one in a hundred calls goes well."""
    breaker, loop, chance = Breaker("m", BreakerLimits()), asyncio.get_running_loop(), random.Random(1)

    async def caller() -> None:
        await asyncio.sleep(chance.random() * 120)
        while breaker.state == "closed" and loop.time() < 900:
            trial = breaker.admit()
            if chance.random() < 0.01:
                await asyncio.sleep(5)
                trial.succeeded()
            else:
                await asyncio.sleep(120)
                trial.failed(DOWN)

    callers = [loop.create_task(caller()) for _ in range(200)]
    while breaker.state == "closed" and loop.time() < 900:
        await asyncio.sleep(1)
    assert (breaker.state, loop.time() < 150) == ("open", True)
    await asyncio.gather(*callers)


async def test_calls_that_were_called_off_are_under_way_no_more():
    breaker = Breaker("m", LIMITS)
    for called_off in [breaker.admit() for _ in range(100)]:
        called_off.returned()
    assert breaker.snapshot().under_way == 0
    await results(breaker, "xxx")
    assert breaker.state == "open"


MACHINE = BreakerLimits(failures=3, cooldown_s=10, rate=0.4, window_s=20.0371, calls=6)


class BreakerLaws(RuleBasedStateMachine):
    """Any interleaving of calls agrees with the switch as it is written in a textbook."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.breaker = Breaker("m", MACHINE)
        self.results: list[tuple[int, bool]] = []
        self.open: list[tuple[int, int, object]] = []
        self.admitted = 0
        self.state, self.epoch, self.failures, self.opened_at, self.probes = "closed", 0, 0, 0.0, 0

    def change(self, state: str) -> None:
        self.state, self.epoch, self.probes, self.admitted = state, self.epoch + 1, 0, 0
        self.failures = 0
        self.results = []
        if state == "open":
            self.opened_at = self.loop.time()

    def seen(self) -> list[bool]:
        """Return what the window holds: results of the last ten slices, and nothing once no failure is among them."""
        newest = int(self.loop.time() / (MACHINE.window_s / 10))
        self.results = [(when, failed) for when, failed in self.results if when > newest - 10]
        if not any(failed for _, failed in self.results):
            self.results = []
        return [failed for _, failed in self.results]

    def under_way(self) -> int:
        return self.overtaken(self.admitted) if self.state == "closed" else 0

    def overtaken(self, group: int) -> int:
        return sum(epoch == self.epoch and began <= group for epoch, began, _ in self.open)

    def note(self, failed: bool) -> None:
        if self.seen() or failed:
            self.results.append((int(self.loop.time() / (MACHINE.window_s / 10)), failed))

    def inside(self, function, *args):
        async def call():
            return function(*args)

        return self.loop.run_until_complete(call())

    @rule()
    def admit(self):
        if self.state == "open" and self.loop.time() >= self.opened_at + MACHINE.cooldown_s:
            self.change("half-open")
        expected = self.state == "closed" or (self.state == "half-open" and self.probes == 0)
        try:
            trial = self.inside(self.breaker.admit)
        except Refused:
            assert not expected
            return
        assert expected
        self.probes += self.state == "half-open"
        self.open.append((self.epoch, self.admitted // TOGETHER, trial))
        self.admitted += self.state == "closed"

    @precondition(lambda self: self.open)
    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "failed", "returned"]))
    def end(self, data, how):
        epoch, group, trial = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.inside(getattr(trial, how), *([DOWN] if how == "failed" else []))
        if epoch != self.epoch:
            return
        if self.state == "half-open":
            self.probes = 0
            if how != "returned":
                self.change("closed" if how == "succeeded" else "open")
        elif how == "succeeded":
            self.note(failed=False)
            self.failures = 0
        elif how == "failed":
            self.note(failed=True)
            self.failures += 1
            seen, overtaken = self.seen(), self.overtaken(group)
            share = len(seen) >= MACHINE.calls and sum(seen) >= MACHINE.rate * (len(seen) + overtaken)
            if share or self.failures >= max(MACHINE.failures, overtaken):
                self.change("open")

    @rule(seconds=st.sampled_from([0.1, 1.3, 4.1, 11.3]))
    def pass_time(self, seconds):
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @invariant()
    def agrees_with_the_textbook(self):
        assert self.breaker.state == self.state
        assert self.breaker.snapshot().probing == (self.probes == 1)
        seen = self.seen()
        assert (self.breaker.snapshot().calls, self.breaker.snapshot().failed) == (len(seen), sum(seen))
        assert self.breaker.snapshot().under_way == self.under_way()

    def teardown(self):
        self.loop.close()


TestBreakerLaws = BreakerLaws.TestCase
TestBreakerLaws.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


async def test_who_is_refused_may_hear_why_without_the_words_of_another_call():
    breaker = Breaker("m", BreakerLimits(failures=1))
    breaker.admit().failed(Fault("acme asked this", reached=Reached.MAYBE, code="cut_off", hint="look at proxies"))
    cause = refused(breaker).__cause__
    assert (cause.code, cause.hint) == ("cut_off", "look at proxies")
    assert "acme" not in str(cause)
