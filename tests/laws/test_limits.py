"""Law: no window of a gate admits more than its limit, large requests do not starve, and no tenant crowds others out.

Each law runs random worlds in virtual time, and is tried against defects planted here: one that holds whatever the code
does would say nothing.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from coordinator.domain.calls import RunCall, RunReply, Task
from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import FairQueue, Standing
from coordinator.domain.limits import GateLimits
from coordinator.domain.scope import RunLimits, RunState, Scope, TenantContext
from coordinator.policies.admission import Admission
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.bucket import Bucket
from coordinator.stores.memory.gate import Gate
from coordinator.stores.memory.lows import Lows
from coordinator.stores.memory.meter import Meter

SLACK = 1e-3


def in_virtual_time(law: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(law())


def now() -> float:
    return asyncio.get_running_loop().time()


# ------------------------------------------------------------------------------------------ no window admits more


class Grant:
    """What one call took: as estimated, and as it turned out. A debt is beyond any window: it is paid by waiting."""

    def __init__(self, tokens: int) -> None:
        self.at = now()
        self.requests = 1
        self.tokens = tokens


class Crowd:
    """Calls that come, wait, are cancelled, refunded, corrected and kept at random."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        self.limits = GateLimits(
            requests=chance.choice([1, 3, 20, math.inf]), tokens=chance.choice([50, 1000, math.inf]),
            window_s=chance.choice([1.0, 10.0]), queue=chance.choice([5, 100]), burst=chance.choice([0.1, 0.25, 0.5]),
        )  # fmt: skip
        self.gate = Gate("m", self.limits)
        self.capacity = max(1.0, min(self.limits.tokens, 1e9) * self.limits.burst)
        self.grants: list[Grant] = []
        self.silent: list[tuple[float, float]] = []

    async def run(self) -> None:
        window = self.limits.window_s
        tasks = []
        for _ in range(150):
            tasks.append(asyncio.get_running_loop().create_task(self.call()))
            if self.chance.random() < 0.2:
                self.chance.choice(tasks).cancel()
            if self.chance.random() < 0.02:
                await self.pause(window * self.chance.random())
            if self.chance.random() < 0.5:
                await asyncio.sleep(self.chance.expovariate(1) * window / self.chance.choice([2, 40]))
        await asyncio.gather(*tasks, return_exceptions=True)
        state = self.gate.snapshot()
        assert (state.waiting, state.out) == (0, 0), state
        await asyncio.sleep(1000 * window)
        assert self.gate.idle

    async def pause(self, seconds: float) -> None:
        # Whoever was granted before it may be woken after it.
        for _ in range(3):
            await asyncio.sleep(0)
        self.silent.append((now(), now() + seconds))
        self.gate.pause(seconds)

    async def call(self) -> None:
        chance, window = self.chance, self.limits.window_s
        most = min(self.limits.tokens, 1000)
        tokens = int(chance.choice([0, most / 50, most / 10, most / 2]) * chance.random() * 2)
        standing = Standing(chance.choice("abc"), chance.choice([1, 3]), chance.randint(0, 9))
        deadline = now() + chance.choice([window, 5 * window, math.inf])
        try:
            permit = await self.gate.take(tokens, deadline, standing)
        except Refused:
            return
        grant = Grant(min(tokens, self.capacity))
        self.grants.append(grant)
        end = "kept"
        try:
            await asyncio.sleep(window * chance.choice([0, 0.01, 0.3, 2]) * chance.random())
            end = chance.choice(["kept", "refunded", "corrected"])
        finally:
            if end == "refunded":
                permit.refund()
                grant.requests = grant.tokens = 0
            elif end == "corrected":
                used = int(tokens * chance.choice([0, 0.1, 0.9, 1, 3]))
                permit.correct(used)
                grant.tokens = min(grant.tokens, used)
            else:
                permit.keep()

    def check(self) -> None:
        window = self.limits.window_s - SLACK
        for first in self.grants:
            inside = [grant for grant in self.grants if first.at <= grant.at < first.at + window]
            assert sum(grant.requests for grant in inside) <= self.limits.requests
            assert sum(grant.tokens for grant in inside) <= max(1.0, self.limits.tokens) + SLACK
        for begin, end in self.silent:
            assert not [grant for grant in self.grants if begin + SLACK < grant.at < end - SLACK]


def no_window_admits_more(seeds: range) -> None:
    for seed in seeds:

        async def world(seed: int = seed) -> None:
            crowd = Crowd(seed)
            await crowd.run()
            crowd.check()

        in_virtual_time(world)


def test_no_window_of_a_gate_admits_more_than_its_limit() -> None:
    no_window_admits_more(range(60))


def _whole_window_at_once(bucket: Bucket, amount: float, ahead: float = 0.0) -> float:
    """A bucket that may be full, and fills again at the full rate: the first window admits twice its amount."""
    return max(0.0, (bucket.level + ahead - 3 * bucket.capacity) / bucket._rate)


def _gives_all_back(bucket: Bucket, amount: float, taken_at: float, now: float) -> None:
    bucket._limiter._level = max(0.0, bucket.level - amount)


def _gives_back_twice(meter: Meter, tokens: int, taken_at: float, quota: object) -> None:
    for bucket, amount in ((meter._requests, 1), (meter._tokens, tokens)):
        if bucket is not None:
            bucket._limiter._level = max(0.0, bucket.level - 2 * amount)


@pytest.mark.plants
@pytest.mark.parametrize(
    ("owner", "name", "defect"),
    [
        (Bucket, "delay", _whole_window_at_once),
        (Bucket, "give", _gives_all_back),
        (Lows, "since", lambda lows, moment: math.inf),
        (Meter, "give_back", _gives_back_twice),
        (Meter, "pause", lambda meter, seconds: None),
    ],
)
def test_a_gate_that_admits_more_is_found(monkeypatch: Any, owner: Any, name: str, defect: Any) -> None:
    monkeypatch.setattr(owner, name, defect)
    with pytest.raises(AssertionError):
        no_window_admits_more(range(60))


async def test_no_more_passes_than_the_provider_says_is_left() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        gate = Gate("m", GateLimits(requests=chance.choice([50, math.inf]), window_s=1, burst=1.0))
        left, tokens, reset_s = chance.randint(0, 5), chance.randint(0, 100), 1 + 9 * chance.random()
        gate.remaining(left, tokens, reset_s)
        said, passed = now(), []

        async def call(
            gate: Gate = gate, amount: int = chance.randint(1, 40), passed: list[tuple[float, int]] = passed
        ) -> None:
            await gate.take(amount, math.inf)
            passed.append((now(), amount))

        await asyncio.gather(*(call() for _ in range(8)))
        within = [amount for at, amount in passed if at < said + reset_s - SLACK]
        assert len(within) <= left
        assert sum(within) <= tokens
        assert len(passed) == 8
        await asyncio.sleep(5)


# -------------------------------------------------------------------------------------------- large ones do not starve


async def _large_among_small(share: float) -> float:
    """Return how often its fair share of the time a large request waits, while small ones of others never end."""
    limits = GateLimits(tokens=1000, window_s=10, burst=0.1)
    gate, tenants, tokens = Gate("m", limits), 10, int(1000 * share)
    rate = limits.tokens * (1 - limits.burst) / limits.window_s

    async def small(tenant: str) -> None:
        while True:
            (await gate.take(1, math.inf, Standing(tenant))).keep()

    flood = [asyncio.get_running_loop().create_task(small(f"t{n % (tenants - 1)}")) for n in range(200)]
    await asyncio.sleep(5)
    began = now()
    fair = tokens * tenants / rate
    async with asyncio.timeout(3 * fair):
        (await gate.take(tokens, math.inf, Standing("large"))).keep()
    waited = now() - began
    for task in flood:
        task.cancel()
    await asyncio.wait(flood)
    return waited / fair


def large_requests_do_not_starve() -> None:
    async def law() -> None:
        for share in (0.01, 0.05, 0.1, 0.3):
            assert await _large_among_small(share) <= 2

    in_virtual_time(law)


def test_large_requests_do_not_starve() -> None:
    large_requests_do_not_starve()


def _smallest_first(queue: FairQueue[Any]) -> Any:
    return min(queue, key=lambda waiter: (waiter.cost, waiter.place), default=None)


def _serve_anyone(queue: FairQueue[Any], waiter: Any) -> None:
    queue.leave(waiter)


@pytest.mark.plants
def test_a_queue_in_which_the_large_starve_is_found(monkeypatch: Any) -> None:
    monkeypatch.setattr(FairQueue, "head", _smallest_first)
    monkeypatch.setattr(FairQueue, "serve", _serve_anyone)
    with pytest.raises((AssertionError, TimeoutError)):
        large_requests_do_not_starve()


# ---------------------------------------------------------------------------------------------- one floods, 49 do not


class Tenant:
    """One of many, with its weight, and how long its requests would take on a server of its own, of its fair share."""

    def __init__(self, name: str, weight: int, share: float) -> None:
        self.name = name
        self.weight = weight
        self.share = share
        """What it may take a second, in the unit of costs."""
        self.free_at = 0.0
        self.ratios: list[float] = []

    def ideal_s(self, cost: float) -> float:
        """Return how long a request of *cost* that comes now waits until its own server has served it."""
        self.free_at = max(self.free_at, now()) + cost / self.share
        return self.free_at - now()


def many(seed: int, total: float) -> list[Tenant]:
    weights = [random.Random(seed + number).choice([1, 1, 1, 2, 4]) for number in range(50)]
    return [Tenant(f"t{n}", weight, total * weight / sum(weights)) for n, weight in enumerate(weights)]


async def flooded(tenants: list[Tenant], seconds: float, mean: float, begin: Callable[[Tenant], Any]) -> None:
    """Let the first tenant ask a hundred times as often as the others, which use 60 % of their shares."""
    async with asyncio.TaskGroup() as calls:

        async def arrivals(tenant: Tenant, factor: float, chance: random.Random) -> None:
            end = now() + seconds
            while now() < end:
                await asyncio.sleep(chance.expovariate(factor * 0.6 * tenant.share / mean))
                calls.create_task(begin(tenant))

        for number, tenant in enumerate(tenants):
            calls.create_task(arrivals(tenant, 100 if number == 0 else 1, random.Random(number)))


def no_other_waits_more_than_twice_its_share_at_a_gate() -> None:
    async def law() -> None:
        limits = GateLimits(requests=4000, tokens=400_000, window_s=10, queue=1000, burst=0.01)
        gate, chance = Gate("m", limits), random.Random(7)
        tenants = many(1, (1 - limits.burst) / limits.window_s)

        async def call(tenant: Tenant) -> None:
            tokens = chance.randint(10, 400)
            ideal = tenant.ideal_s(max(1 / limits.requests, tokens / limits.tokens))
            began = now()
            try:
                permit = await gate.take(tokens, math.inf, Standing(tenant.name, tenant.weight))
            except Refused:
                assert tenant is tenants[0], "somebody else was refused"
                return
            permit.keep()
            tenant.ratios.append((now() - began) / ideal)

        await flooded(tenants, 20, 2.05e2 / limits.tokens, call)
        assert max(max(tenant.ratios) for tenant in tenants[1:] if tenant.ratios) <= 2
        assert sum(len(tenant.ratios) for tenant in tenants[1:]) > 500

    in_virtual_time(law)


def no_other_waits_more_than_twice_its_share_for_admission() -> None:
    async def law() -> None:
        admission, chance = Admission(100, 1000), random.Random(7)
        tenants = many(2, 100.0)

        async def work(call: RunCall) -> Any:
            await asyncio.sleep(0.5 + chance.random())

        async def run(tenant: Tenant) -> None:
            ideal = tenant.ideal_s(1.0)
            began = now()
            who = TenantContext(tenant.name, weight=tenant.weight)
            scope = Scope(RunState("r", who, RunLimits(1), lambda: 0.0), "manager", "run")

            async def then(call: RunCall) -> RunReply:
                tenant.ratios.append((now() - began) / ideal)
                await work(call)
                return RunReply("")

            try:
                await admission(RunCall(scope, Task(text="?")), then)
            except Refused:
                assert tenant is tenants[0], "somebody else was refused"

        await flooded(tenants, 20, 1.0, run)
        assert max(max(tenant.ratios) for tenant in tenants[1:] if tenant.ratios) <= 2
        assert admission.snapshot().running == 0

    in_virtual_time(law)


FAIR = [
    no_other_waits_more_than_twice_its_share_at_a_gate,
    no_other_waits_more_than_twice_its_share_for_admission,
]


@pytest.mark.parametrize("law", FAIR)
def test_with_one_tenant_flooding_among_50_no_other_waits_more_than_twice_its_fair_share(law: Any) -> None:
    law()


@pytest.mark.plants
@pytest.mark.parametrize("law", FAIR)
def test_a_queue_that_lets_one_tenant_crowd_out_the_others_is_found(monkeypatch: Any, law: Any) -> None:
    join = FairQueue.join
    monkeypatch.setattr(FairQueue, "join", lambda queue, waiter, standing: join(queue, waiter, Standing()))
    with pytest.raises((AssertionError, ExceptionGroup)):
        law()


def everybody_gets_the_share_of_its_weight() -> None:
    """Tenants that always wait, with requests of their own sizes, and replies that use more or less than estimated."""

    async def law() -> None:
        limits = GateLimits(tokens=100_000, window_s=10, queue=2000, burst=0.01)
        gate, chance, seconds = Gate("m", limits), random.Random(3), 60.0
        tenants = [Tenant(f"t{number}", 1 + number % 4, 0.0) for number in range(20)]
        used = {tenant.name: 0 for tenant in tenants}

        async def ask(tenant: Tenant, size: int, factor: float) -> None:
            while now() < seconds:
                tokens = chance.randint(1, size)
                permit = await gate.take(tokens, math.inf, Standing(tenant.name, tenant.weight))
                permit.correct(int(tokens * factor))
                used[tenant.name] += int(tokens * factor) if now() < seconds else 0

        async with asyncio.TaskGroup() as calls:
            for number, tenant in enumerate(tenants):
                for _ in range(20):
                    calls.create_task(ask(tenant, [20, 400][number % 3 == 0], [0.5, 1.0, 2.0][number % 3]))
        part = sum(used.values()) / sum(tenant.weight for tenant in tenants)
        for tenant in tenants:
            assert used[tenant.name] == pytest.approx(part * tenant.weight, rel=0.1), tenant.name

    in_virtual_time(law)


def test_everybody_who_always_waits_gets_the_share_of_its_weight() -> None:
    everybody_gets_the_share_of_its_weight()


@pytest.mark.plants
def test_a_queue_that_forgets_weights_is_found(monkeypatch: Any) -> None:
    join = FairQueue.join
    monkeypatch.setattr(
        FairQueue, "join", lambda queue, waiter, standing: join(queue, waiter, Standing(standing.tenant))
    )
    with pytest.raises((AssertionError, ExceptionGroup)):
        everybody_gets_the_share_of_its_weight()


@pytest.mark.plants
def test_a_gate_whose_corrections_do_not_return_to_the_deficit_is_found(monkeypatch: Any) -> None:
    correct = Gate.correct

    def forgets(gate: Gate, permit: Any, tokens: int) -> None:
        permit.flow = None
        correct(gate, permit, tokens)

    monkeypatch.setattr(Gate, "correct", forgets)
    with pytest.raises((AssertionError, ExceptionGroup)):
        everybody_gets_the_share_of_its_weight()
