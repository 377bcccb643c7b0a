"""The outcome table, restated row by row and driven through the real layers: what disagrees with it is a defect."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from coordinator.domain.effects import Effect
from coordinator.domain.errors import Fault, Invalid, Reached, Refused, Throttle, UnknownOutcome, Unsent
from coordinator.domain.layer import onion
from coordinator.domain.limits import BreakerLimits, GateLimits, RetryLimits
from coordinator.domain.model import Target
from coordinator.domain.money import Price, Usage
from coordinator.domain.outcomes import TABLE, Outcome, outcome
from coordinator.domain.ports import Account
from coordinator.policies.breaker import Breaker
from coordinator.policies.budget import Budget
from coordinator.policies.fallback import Fallback
from coordinator.policies.pricing import ModelPrices
from coordinator.policies.rate_limit import RateLimit
from coordinator.policies.retry import Retry
from coordinator.policies.route import Route
from coordinator.stores.memory.breaker import Breakers
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gates import Gates
from coordinator.stores.memory.ledger import Ledger
from coordinator.stores.memory.retries import RetryBudget

READ, KEYED, EFFECT = (Effect.READ, False), (Effect.WRITE, True), (Effect.WRITE, False)
ALL = (READ, KEYED, EFFECT)
NOBODY: tuple[Any, ...] = ()
HELD = 318  # 100 bytes, 2 quotes and 16 a message at a micro-dollar a token, 100 tokens of output at two
REPORTED = 7 + 2 * 3


@dataclass
class Row:
    """One row: the error, and each column as it stands in the design."""

    name: str
    error: Exception
    counts: bool
    retry: tuple[Any, ...]
    following: tuple[Any, ...]
    booked: int
    uncertain: bool
    gate: str


def fault(reached: Reached, **more: Any) -> Fault:
    return Fault("x", reached=reached, **more)


def while_waiting(error: Exception) -> Exception:
    error.__cause__ = Unsent()
    return error


USAGE = Usage(7, 3)
ROWS = [
    Row("invalid", Invalid("x"), False, NOBODY, NOBODY, 0, False, "refund"),
    Row("refused", Refused("x"), False, NOBODY, NOBODY, 0, False, "refund"),
    Row("refused in passing", Refused("x", passing=True), False, NOBODY, ALL, 0, False, "refund"),
    Row("unreached", fault(Reached.NO), True, ALL, ALL, 0, False, "refund"),
    Row("throttled", fault(Reached.YES, turned_away=Throttle.THROTTLED, retry_after=5.0), False, ALL, NOBODY,
        0, False, "refund"),
    Row("throttled beyond the deadline", fault(Reached.YES, turned_away=Throttle.THROTTLED, retry_after=500.0), False,
        NOBODY, ALL, 0, False, "refund"),
    Row("denied", fault(Reached.YES, turned_away=Throttle.DENIED), False, NOBODY, ALL, 0, False, "refund"),
    Row("failed, usage reported", fault(Reached.YES, usage=USAGE), True, (READ, KEYED), (READ,), REPORTED, False,
        "correct"),
    Row("failed before it began", fault(Reached.YES, began=False), True, (READ, KEYED), (READ,), 0, False, "empty"),
    Row("failed", fault(Reached.YES), True, (READ, KEYED), (READ,), HELD, False, "keep"),
    Row("lost", fault(Reached.MAYBE), True, (READ, KEYED), (READ,), HELD, True, "keep"),
    Row("unknown outcome", UnknownOutcome("x"), True, NOBODY, NOBODY, HELD, True, "keep"),
    Row("lost while it waited for another's reply", while_waiting(fault(Reached.NO)), False, ALL, ALL, 0, False,
        "refund"),
]  # fmt: skip
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
kinds = pytest.mark.parametrize("kind", ALL, ids=["read", "keyed", "effect"])


class Bench:
    """The real layers around one attempt, over real holders."""

    def __init__(self, failures: int = 1) -> None:
        self.ledger = Ledger()
        self.gates = Gates(GateLimits(requests=100, tokens=100_000, burst=0.5))
        self.breakers = Breakers(BreakerLimits(failures=failures))
        self.asked: list[Any] = []

    def layers(self, attempts: int = 1) -> list[Any]:
        prices = dict.fromkeys(("fake:m", "fake:n"), Price(1_000_000, 2_000_000))
        return [
            Retry(lambda: 0.5, RetryBudget(), RetryLimits(attempts=attempts)),
            RateLimit(self.gates, Estimates()),
            Budget(self.ledger, lambda scope: (Account("run", 1_000_000),), ModelPrices(prices)),
            Breaker(self.breakers),
        ]

    def raising(self, error: Exception) -> Any:
        async def core(call: Any) -> Any:
            self.asked.append(getattr(call, "tier", call.dependency))
            raise error

        return core

    @property
    def account(self) -> Any:
        return self.ledger.snapshot()[0]

    def level(self) -> float:
        return self.gates.of("fake:m").snapshot().request_level


def test_every_outcome_has_a_row():
    assert set(TABLE) == set(Outcome)
    assert {outcome(row.error) for row in ROWS} == set(Outcome) - {Outcome.CANCELLED}


@rows
async def test_breaker_counts_what_the_table_says(row, calls):
    bench = Bench()
    with pytest.raises(type(row.error)):
        await onion(bench.raising(row.error), *bench.layers())(calls.of_model(deadline=100.0))
    assert bench.breakers.of("fake:m").state == ("open" if row.counts else "closed")


@rows
async def test_money_goes_where_the_table_says(row, calls):
    bench = Bench()
    with pytest.raises(type(row.error)):
        await onion(bench.raising(row.error), *bench.layers())(calls.of_model(deadline=100.0))
    account = bench.account
    assert (account.settled, account.uncertain) == (row.booked, row.booked if row.uncertain else 0)
    assert (account.reserved, account.reservations) == (0, 0)
    assert calls.run.cost == row.booked
    told = [(event.step, event.data) for event in calls.events if event.kind == "charged"]
    charged = {"dependency": "fake:m", "cost": row.booked, "uncertain": row.uncertain}
    assert told == ([("run/turn1#1", charged)] if row.booked else [])


@rows
async def test_gate_gets_back_what_the_table_says(row, calls):
    bench = Bench()
    with pytest.raises(type(row.error)):
        await onion(bench.raising(row.error), *bench.layers())(calls.of_model(deadline=100.0))
    state = bench.gates.of("fake:m").snapshot()
    requests, tokens = {"refund": (0, 0), "correct": (1, 10), "empty": (1, 0), "keep": (1, 141)}[row.gate]
    assert state.request_level == pytest.approx(requests, abs=0.01)
    assert state.token_level == pytest.approx(tokens, abs=1)


@rows
async def test_only_a_throttled_call_pauses_the_gate(row, calls):
    bench = Bench()
    with pytest.raises(type(row.error)):
        await onion(bench.raising(row.error), *bench.layers())(calls.of_model(deadline=100.0))
    after = getattr(row.error, "retry_after", None)
    paused = bench.gates.of("fake:m").snapshot().paused_until
    assert paused == (pytest.approx(after, abs=1e-3) if after else float("-inf"))


@kinds
@rows
async def test_calls_are_repeated_as_the_table_says(row, kind, calls):
    bench = Bench(failures=100)
    effect, keyed = kind
    call = calls.of_model(deadline=100.0, effect=effect, keyed=keyed)
    with pytest.raises(type(row.error)):
        await onion(bench.raising(row.error), *bench.layers(attempts=2))(call)
    assert len(bench.asked) == (2 if kind in row.retry else 1)


@kinds
@rows
async def test_the_next_model_is_tried_as_the_table_says(row, kind, calls):
    bench = Bench()
    effect, keyed = kind
    route = Route({"small": [Target("fake", "m"), Target("fake", "n")]})
    call = calls.of_model(deadline=100.0, effect=effect, keyed=keyed)
    with pytest.raises(type(row.error)):
        await onion(bench.raising(row.error), route, *bench.layers())(call)
    assert bench.asked == (["fake:m", "fake:n"] if kind in row.following else ["fake:m"])


@kinds
@rows
async def test_the_next_tier_is_tried_as_the_table_says(row, kind, calls):
    bench = Bench()
    effect, keyed = kind
    call = calls.of_tool(deadline=100.0, effect=effect, keyed=keyed)
    with pytest.raises(type(row.error)):
        await onion(bench.raising(row.error), Fallback())(call)
    assert bench.asked == ([0, 1] if kind in row.following else [0])


async def test_a_call_cancelled_inside_budget_is_booked_as_uncertain_and_its_probe_comes_back(calls):
    bench = Bench()
    with pytest.raises(Fault):
        await onion(bench.raising(fault(Reached.NO)), *bench.layers())(calls.of_model())
    await asyncio.sleep(31)

    async def hangs(call: Any) -> Any:
        await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(onion(hangs, *bench.layers())(calls.of_model()))
    await asyncio.sleep(0)
    assert bench.breakers.snapshot()[0].probing
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.account.settled, bench.account.uncertain, bench.account.reserved) == (HELD, HELD, 0)
    assert bench.breakers.snapshot()[0].state == "half-open"
    assert not bench.breakers.snapshot()[0].probing
    assert bench.level() == pytest.approx(1, abs=0.01)


async def test_a_call_cancelled_in_the_queue_of_the_gate_costs_nothing(calls):
    bench = Bench()
    bench.gates.of("fake:m").pause(60)
    core = bench.raising(Invalid("never asked"))
    task = asyncio.get_running_loop().create_task(onion(core, *bench.layers())(calls.of_model()))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.asked == []
    assert bench.ledger.snapshot() == ()
    assert bench.gates.of("fake:m").snapshot().waiting == 0
    assert bench.level() == 0
