"""Law 4 where it counts: no window sees more calls arrive than its limits allow, whatever they have waited for.

A place in a gate is good for now. Calls that took one, and then waited for money or at a wider gate, would all arrive
at once when that comes.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import Message, StopReason, Text
from coordinator.domain.errors import Refused
from coordinator.domain.layer import MustWait
from coordinator.domain.limits import GateLimits
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Price, Usage
from coordinator.domain.ports import Account
from coordinator.domain.scope import RunLimits, RunState, Scope, TenantContext
from coordinator.policies.budget import Budget
from coordinator.policies.pricing import ModelPrices
from coordinator.policies.rate_limit import RateLimit
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gate import Gate
from coordinator.stores.memory.gates import Gates
from coordinator.stores.memory.ledger import Ledger
from coordinator.stores.memory.scopes import Permits, Way

pytestmark = pytest.mark.real_time  # every world owns its loop

DEAR_S = 20.0


class Provider:
    """A model that remembers when it was called; a dear call takes long."""

    def __init__(self) -> None:
        self.arrived: list[float] = []

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        if model == "dear":
            await asyncio.sleep(DEAR_S)
        else:
            self.arrived.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.5)
        return ModelReply("hi", (), StopReason.END, Usage(50, 5), model)

    def most(self, window_s: float) -> int:
        """Return the most calls that any window has seen; what takes a turn of the loop is not counted against it."""
        return max(sum(begin <= at < begin + window_s - 1e-3 for at in self.arrived) for begin in self.arrived)


@agent(max_output_tokens=1000)
async def asker(brief: Brief, ctx: AgentContext) -> str:
    """Asks once."""
    return str(await ctx.ask(brief.request, model="large" if brief.request == "dear" else "small"))


def live(world: Callable[[], Awaitable[Provider]], seed: int | None = None) -> Provider:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        return runner.run(world())  # type: ignore[arg-type]  # any coroutine


async def short_of_money(**more: Any) -> Provider:
    """Ninety calls at five a second, all of which must wait until a dear one gives back the money of the day."""
    provider = Provider()
    settings = Settings(
        world={}, models={"small": "m:cheap", "large": "m:dear"}, retry={"attempts": 1}, finish_share=0,
        prices={"m:cheap": {"input": 0, "output": 10}, "m:dear": {"input": 0, "output": 1000}},
        run_usd=1.004, tenant_day_usd=1.0095, min_output_tokens=1000,
        rates={"m:cheap": {"requests": 5, "per_s": 1}, **more},
    )  # fmt: skip
    async with Coordinator(Team(asker), settings, models={"m": provider}) as coordinator:
        dear = asyncio.get_running_loop().create_task(coordinator.run("dear"))
        await asyncio.sleep(0.1)
        results = await asyncio.gather(*(coordinator.run("cheap") for _ in range(90)))
        assert {result.code for result in results} == {"ok"}
        assert (await dear).code == "ok"
        assert all(book.reserved == 0 for book in coordinator.held.ledger.snapshot())
        assert all(gate.out == gate.waiting == 0 for gate in coordinator.held.gates.snapshot())
    return provider


async def behind_a_pause() -> Provider:
    """Twelve calls of one tenant, two in ten seconds, at a provider that has asked for a pause of a minute."""
    provider = Provider()
    settings = Settings(
        world={}, models={"small": "m:cheap"}, prices={"m:*": {"input": 1, "output": 1}}, deadline_s=300,
        rates={"tenant:*": {"requests": 2, "per_s": 10}, "m:*": {"requests": 60, "per_s": 10}},
    )  # fmt: skip
    async with Coordinator(Team(asker), settings, models={"m": provider}) as coordinator:
        coordinator.held.gates.of("m:cheap").pause(60)
        results = await asyncio.gather(*(coordinator.run("cheap", tenant="acme") for _ in range(12)))
        assert {result.code for result in results} == {"ok"}
        assert all(gate.out == gate.waiting == 0 for gate in coordinator.held.gates.snapshot())
    return provider


async def short_of_everything() -> Provider:
    return await short_of_money(**{"tenant:*": {"requests": 4, "per_s": 1}, "global": {"requests": 9, "per_s": 2}})


WORLDS = [(short_of_money, 1.0, 5), (behind_a_pause, 10.0, 2), (short_of_everything, 1.0, 4)]


@pytest.mark.parametrize(("world", "window_s", "most"), WORLDS, ids=[world[0].__name__ for world in WORLDS])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_no_window_sees_more_arrive_than_its_limit(world: Any, window_s: float, most: int, seed: int | None) -> None:
    assert 1 <= live(world, seed).most(window_s) <= most


async def _keeps_its_place(limit: RateLimit, call: Any, then: Any) -> Any:
    async def waits(sent: Any) -> Any:
        try:
            return await then(sent)
        except MustWait as short:
            return await short.turn.go_on(await short.turn.wait())

    return await _limited(limit, call, waits)


async def _takes_one_after_the_other(way: Way, tokens: int, deadline: float, standing: Any, along: Any = None) -> Any:
    return Permits([await gate.take(tokens, deadline, standing) for gate in way._gates])  # type: ignore[misc]


_limited = RateLimit.__call__


@pytest.mark.plants
@pytest.mark.parametrize(
    ("world", "owner", "name", "defect"),
    [
        (short_of_money, RateLimit, "__call__", _keeps_its_place),
        (behind_a_pause, Way, "take", _takes_one_after_the_other),
    ],
)
def test_a_place_that_is_kept_too_long_is_found(
    monkeypatch: Any, world: Any, owner: Any, name: str, defect: Any
) -> None:
    monkeypatch.setattr(owner, name, defect)
    _, window_s, most = next(known for known in WORLDS if known[0] is world)
    assert live(world).most(window_s) > most


async def test_who_is_cancelled_in_the_moment_of_its_turn_keeps_no_place() -> None:
    gate = Gate("m:m", GateLimits(requests=1, window_s=1))
    assert gate.try_take(0) is not None

    loop = asyncio.get_running_loop()

    def along() -> float:
        loop.call_soon(waiting.cancel)  # before the task has run again
        return 0.0

    waiting = loop.create_task(gate.take(0, math.inf, along=along))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    state = gate.snapshot()
    assert (state.admitted, state.refunded, state.out, state.waiting) == (2, 1, 1, 0)


async def test_who_does_not_get_what_it_needs_beside_its_place_takes_none() -> None:
    gate = Gate("m:m", GateLimits(requests=1, window_s=1))
    assert await gate.take(0, math.inf, along=lambda: None) is None
    assert gate.snapshot().admitted == 0


async def test_a_refusal_of_what_it_needs_beside_its_place_is_told_and_the_next_is_served() -> None:
    gate = Gate("m:m", GateLimits(requests=1, window_s=1))

    def spent() -> float:
        raise Refused("spent", code="budget_exhausted")

    first = asyncio.get_running_loop().create_task(gate.take(0, math.inf, along=spent))
    second = asyncio.get_running_loop().create_task(gate.take(0, math.inf, along=lambda: 0.0))
    with pytest.raises(Refused):
        await first
    assert await second is not None


class Busy:
    """Calls of two tenants through gates and money of which there is never enough, one kind after another for ever."""

    def __init__(self, rates: dict[str, GateLimits], held_s: float, amount: int = 0) -> None:
        self.layer = RateLimit(Gates(rates=rates), Estimates())
        self.amount = amount
        accounts = {"x": Account("tenant-day/x", 10 * amount or 1), "y": Account("tenant-day/y", 10**9)}
        price = Price(0, 1_000_000 if amount else 0)
        prices = ModelPrices({"m:a": price, "m:b": price}, 1)
        self.budget = Budget(Ledger(), lambda scope: (accounts[scope.run.tenant.tenant],), prices)
        self.held_s = held_s
        self.served: Counter[str] = Counter()
        self.born = 0

    async def client(self, tenant: str, dependency: str, order: int | None = None) -> None:
        """Call one after another."""
        while True:
            self.born += 1
            run = RunState(f"r-{self.born}", TenantContext(tenant), RunLimits(ceiling=10**9), lambda: 0.0)
            run.order = self.born if order is None else order
            output = self.amount if tenant == "x" and self.amount else 100
            request = ModelRequest((Message("user", (Text("hi"),)),), max_output_tokens=output)
            call = ModelCall(Scope(run, "m", "run", ("m",)), "run/turn1", request, dependency=dependency)
            await self.layer(call, lambda sent: self.budget(sent, self.answer))
            self.served[f"{tenant} {dependency}"] += 1

    async def answer(self, call: ModelCall) -> ModelReply:
        await asyncio.sleep(self.held_s)
        return ModelReply("hi", (), StopReason.END, Usage(5, 0), call.dependency)

    async def live(self) -> "Busy":
        """Let twenty clients of each kind come in between, and one whose calls need both."""
        loop = asyncio.get_running_loop()
        clients = [loop.create_task(self.client(*who)) for who in [("x", "m:b"), ("y", "m:a")] for _ in range(20)]
        await asyncio.sleep(30.1)
        clients.append(loop.create_task(self.client("x", "m:a", 0)))
        await asyncio.sleep(300)
        for client in clients:
            client.cancel()
        await asyncio.wait(clients)
        return self


SLOW = GateLimits(requests=37, window_s=60)
SHORT = [
    ({"tenant:x": GateLimits(requests=60, window_s=60), "m:a": SLOW}, 0.1, 0),
    ({"m:a": SLOW}, 1.1, 5_000_000),
]


@pytest.mark.parametrize(("rates", "held_s", "amount"), SHORT, ids=["two busy gates", "a busy gate and scarce money"])
@pytest.mark.parametrize("seed", [None, 1])
def test_who_needs_two_things_that_are_scarce_gets_both(
    rates: Any, held_s: float, amount: int, seed: int | None
) -> None:
    served = live(Busy(rates, held_s, amount).live, seed).served  # type: ignore[arg-type,union-attr]
    assert served["x m:a"] >= 10
    assert min(served["x m:b"], served["y m:a"]) >= 60


@pytest.mark.plants
def test_what_nobody_claims_is_never_there_for_who_needs_two(monkeypatch: Any) -> None:
    monkeypatch.setattr(Gate, "claim", lambda *_: None)
    served = live(Busy(*SHORT[0]).live).served  # type: ignore[arg-type,union-attr]
    assert served["x m:a"] == 0
