"""Law: money cannot be overspent, is refused only when it is spent, and nobody waits for it for ever.

settled + reserved <= ceiling + overrun on every account at every event, in seeded worlds with every way for a call to
end: usage below and above the bound, faults, cancellation at any time, deadlines, calls from inside of priced tools.
Each part of the law has a defect that is planted on purpose, to see the law fail.
"""

import asyncio
import math
import random
from collections.abc import Sequence
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent, tool
from coordinator.domain.calls import ModelCall, ToolCall, ToolReply
from coordinator.domain.content import Message, Origin, StopReason, Text
from coordinator.domain.errors import CoordinatorError, Fault, Reached, Refused, UnknownOutcome
from coordinator.domain.limits import GateLimits
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Price, Usage
from coordinator.domain.ports import Account, Claim, Notice
from coordinator.domain.scope import RunLimits, RunState, Scope, TenantContext
from coordinator.policies.accounts import SECONDS_PER_DAY, Accounts
from coordinator.policies.budget import Budget
from coordinator.policies.pricing import ModelPrices, ToolPrices
from coordinator.policies.rate_limit import RateLimit
from coordinator.simulation.clock import Deadlock, VirtualLoop
from coordinator.stores.memory import books
from coordinator.stores.memory import ledger as ledger_store
from coordinator.stores.memory.books import Ask, Book
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gates import Gates
from coordinator.stores.memory.ledger import Ledger, Reservation
from coordinator.stores.memory.waiting import WaitingRoom

PRICE = Price(25_000, 2_000_000)
SHORTEST = 20
INPUT = 5018
LEAST = PRICE.bound(INPUT, SHORTEST)
MESSAGES = (Message("user", (Text("x" * 5000),)),)
RUNS = 50
LONGEST_S = 5_000.0
"""More than all calls of a world take one after another."""


@tool(price_usd=0.0001)
async def look(word: str) -> str:
    """Look up."""
    return word


class Watched(Ledger):
    """A ledger that counts what it grants, and knows who waits."""

    __slots__ = ("granted", "waiters")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.granted = 0
        self.waiters: list[asyncio.Task[Any]] = []
        """Tasks that wait, or were granted what they waited for in this turn of the loop."""

    def try_reserve(self, accounts: Sequence[Account], amount: int) -> Reservation | None:
        found = super().try_reserve(accounts, amount)
        self.granted += found is not None
        return found

    async def hold(self, claim: Claim, deadline: float) -> Reservation | None:
        task = asyncio.current_task()
        assert task is not None
        self.waiters.append(task)
        try:
            found = await super().hold(claim, deadline)
        finally:
            self.waiters.remove(task)
        self.granted += found is not None
        return found


class WatchedReservation(Reservation):
    """A reservation that checks the law on all of its accounts when it begins and when it has ended."""

    def __init__(self, room: WaitingRoom, found: list[Book], amount: int) -> None:
        super().__init__(room, found, amount)
        self._watched = found
        check(found)

    def settle(self, actual: int, *, uncertain: bool = False) -> Sequence[Notice]:
        notices = super().settle(actual, uncertain=uncertain)
        check(self._watched)
        return notices

    def release(self) -> None:
        super().release()
        check(self._watched)


@pytest.fixture(autouse=True)
def _every_reservation_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_store, "Reservation", WatchedReservation)


def check(found: list[Book]) -> None:
    for book in found:
        assert book.reserved >= 0
        assert (book.reserved == 0) or book.reservations
        assert book.settled + book.reserved <= book.ceiling + book.overrun, book.state()
        assert book.overrun == 0 or book.closed


class World:
    """Fifty runs of a few tenants that are always short of money, in one seeded order of events."""

    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self.chance = random.Random(seed)
        self.loop = loop
        self.noes: list[Refused] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.above = 0
        """What was billed above the bounds, all calls together."""
        chance = self.chance
        start = chance.choice([0.0, SECONDS_PER_DAY - 20.0])
        self.ledger = Watched(None, lambda: start + loop.time())
        self.global_day = chance.choice([None, 60 * LEAST, 400 * LEAST])
        self.accounts = Accounts(lambda: start + loop.time(), self.global_day)
        prices = ModelPrices({"m:m": PRICE}, SHORTEST)
        self.model = Budget(self.ledger, self.accounts, prices)
        self.tool = Budget(self.ledger, self.accounts, ToolPrices())
        self.gate = RateLimit(Gates(GateLimits(requests=chance.choice([math.inf, 20]), window_s=1.0)), Estimates())
        self.billed = chance.randint(1, INPUT)
        """Tokens of the prompt; a tokenizer makes the same of it every time."""
        self.overbills = chance.random() < 0.2
        self.faults = chance.choice([0.0, 0.2])
        self.limits = RunLimits(
            ceiling=chance.choice([3, 10, 40]) * LEAST,
            finish=LEAST,
            session=chance.choice([None, 30 * LEAST]),
            user_day=chance.choice([None, 40 * LEAST]),
            tenant_day=chance.choice([None, 100 * LEAST]),
        )

    async def live(self) -> None:
        tasks = self.tasks
        for number in range(RUNS):
            who = TenantContext(f"t{number % 5}", f"u{number % 3}", f"s{number % 7}")
            run = RunState(f"r-{number}", who, self.limits, lambda: 0.0)
            run.order = number + 1
            tasks.append(self.loop.create_task(self.run(run)))
            if self.chance.random() < 0.15:
                self.loop.call_later(self.chance.random() * 20, tasks[-1].cancel)
        _, waiting = await asyncio.wait(tasks, timeout=LONGEST_S)
        assert not waiting, "somebody waits for ever"
        for error in [task.exception() for task in tasks if not task.cancelled()]:
            if error is not None:
                raise error
        self.judge()

    async def run(self, run: RunState) -> None:
        chance = self.chance
        manager = Scope(run, "manager", "run", ("manager",))
        allowance = (Account(f"allowance/{run.run_id}/d", 8 * LEAST),) if chance.random() < 0.3 else ()
        member = Scope(run, "member", "run/d", ("manager", "member"), allowances=allowance)
        deadline = self.loop.time() + (chance.random() * 40 if chance.random() < 0.2 else math.inf)
        await asyncio.sleep(chance.random() * 3)
        try:
            for _ in range(chance.randint(1, 4)):
                scope = chance.choice([manager, member])
                if chance.random() < 0.2:
                    await self.attempt(self.tool, self.use(scope, deadline), self.work, inside=False)
                else:
                    async with asyncio.TaskGroup() as crowd:
                        for _ in range(chance.choice([1, 1, 3])):
                            call = self.ask(scope, deadline)
                            crowd.create_task(self.attempt(self.model, call, self.answer, inside=False))
        finally:
            for account in self.accounts.of_run(run):
                self.ledger.close(account)

    async def attempt(self, budget: Budget, call: Any, then: Any, *, inside: bool) -> None:
        asked = self.loop.time()
        try:
            await self.gate(call, lambda sent: budget(sent, then))
            waiters = self.ledger.waiters
            if waiters and self.chance.random() < 0.05:  # the very moment in which one of them may have been granted it
                self.chance.choice(waiters).cancel()
        except Refused as no:
            self.check_no(no, call, inside=inside)
        except CoordinatorError:
            pass
        assert self.loop.time() < max(asked, call.deadline) + 10, "it waited beyond its deadline"

    def check_no(self, no: Refused, call: Any, *, inside: bool) -> None:
        """A call is refused for money only when it is spent, or held while the call is made inside a priced tool."""
        scope, told = call.scope, no.details
        self.noes.append(no)
        if no.code == "budget_held":
            assert inside
        elif no.code == "budget_exhausted" and "is closed" not in no.message:
            kept = self.limits.finish if told["account"].startswith("run/") and len(scope.ancestors) > 1 else 0
            least = 100 if told["amount"] == 100 else LEAST
            assert told["settled"] + least > told["ceiling"] - kept, told
            if told["ceiling"] - kept >= 20 * least:
                assert told["settled"] >= 0.95 * (told["ceiling"] - kept), told
        elif no.code == "deadline_out_of_reach":
            assert "rate limit" in no.message or self.loop.time() >= call.deadline
        else:
            assert no.code == "budget_exhausted"

    def ask(self, scope: Scope, deadline: float) -> ModelCall:
        request = ModelRequest(MESSAGES, max_output_tokens=self.chance.choice([SHORTEST, 100, 500]))
        assert request.size == INPUT
        return ModelCall(scope, "turn", request, deadline, dependency="m:m")

    def use(self, scope: Scope, deadline: float) -> ToolCall:
        return ToolCall(scope, "use", "look", "{}", look, deadline=deadline, dependency="look#0")

    async def work(self, call: ToolCall) -> ToolReply:
        await asyncio.sleep(self.chance.random())
        await self.attempt(self.model, self.ask(call.scope, call.deadline), self.answer, inside=True)
        return ToolReply("a", '"a"', Origin("tool", "look"))

    async def answer(self, call: ModelCall) -> ModelReply:
        chance, most = self.chance, call.request.max_output_tokens
        await asyncio.sleep(chance.random() * 5)
        if chance.random() < self.faults:
            raise chance.choice([
                Fault("no way", reached=Reached.NO),
                Fault("5xx", reached=Reached.YES, usage=Usage(50, 0)),
                Fault("lost", reached=Reached.MAYBE),
                UnknownOutcome("lost"),
            ])  # fmt: skip
        used = Usage(self.billed, chance.randint(0, most))
        if self.overbills and chance.random() < 0.02:
            used = Usage(INPUT + 50_000, most)
            self.above += 1
        return ModelReply("", (), chance.choice([StopReason.END, StopReason.TOOL_USE]), used, "m:m")

    def judge(self) -> None:
        assert self.ledger.waiting == 0
        assert self.ledger._room._roll is None
        for account in self.ledger.snapshot():
            assert (account.reserved, account.reservations, account.waiting) == (0, 0, 0), account
            assert not account.name.startswith(("run/", "allowance/")), account
        assert self.above or not any(account.overrun for account in self.ledger.snapshot())


def live(seed: int) -> tuple[set[str], int, int]:
    """Return the codes of all refusals, and how many bills were above their bound and how many calls were made."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        world = World(seed, loop)
        runner.run(world.live())
        return {no.code for no in world.noes}, world.above, world.ledger.granted


def hold_in_all(seeds: range) -> list[tuple[set[str], int, int]]:
    lived = []
    for seed in seeds:
        try:
            lived.append(live(seed))
        except (AssertionError, RuntimeError, ExceptionGroup) as broken:
            while isinstance(broken, ExceptionGroup):
                broken = broken.exceptions[0]
            raise AssertionError(f"seed {seed}: {broken}") from broken
    return lived


@pytest.mark.plants
def test_no_account_is_overspent_and_nobody_waits_for_ever_in_200_worlds() -> None:
    codes, above, granted = zip(*hold_in_all(range(200)), strict=True)
    assert set().union(*codes) == {"budget_exhausted", "budget_held", "deadline_out_of_reach"}
    assert sum(above) > 10
    assert sum(granted) > 10_000


@pytest.mark.slow
def test_no_account_is_overspent_and_nobody_waits_for_ever_in_5000_worlds() -> None:
    hold_in_all(range(200, 5200))


# ------------------------------------------------------------------------------------------------- planted defects


def _ignore_what_is_held(ask: Ask, *, ahead: bool = False) -> Any:
    short = next((book for book, kept in ask.parts if book.ceiling - kept - book.settled < ask.minimum), None)
    return books.exhausted(short, 0, ask) if short else ask.amount


_grant = Ask.grant


def _refuse_what_is_held(ask: Ask, *, ahead: bool = False) -> Any:
    found = _grant(ask)
    return books.exhausted(found, 0, ask) if isinstance(found, Book) else found


def _no_cutting_down(prices: ModelPrices, call: ModelCall) -> int:
    return prices.bound(call)


def _no_remark(book: Book, actual: int, held: int, *, uncertain: bool) -> tuple[()]:
    return ()


def _keep_what_came_too_late(room: WaitingRoom, ask: Ask) -> None:
    if ask.at is not None:
        room._end(ask, None)


DEFECTS: dict[str, tuple[Any, str, Any]] = {
    "what others hold is not counted": (Ask, "grant", _ignore_what_is_held),
    "what is held is refused as if it were spent": (Ask, "grant", _refuse_what_is_held),
    "nobody is woken": (Reservation, "_wake", lambda self, found: None),
    "a call is not cut down to what is left": (ModelPrices, "least", _no_cutting_down),
    "a bill above the bound is booked as if it were none": (Book, "remark", _no_remark),
    "what was granted in the moment of a cancellation is kept": (WaitingRoom, "_desert", _keep_what_came_too_late),
    "the deadline wakes nobody": (WaitingRoom, "_expire", lambda self, ask: None),
    "who leaves the head of a queue does not make way": (WaitingRoom, "serve", lambda self, book: None),
    "what is released is held for ever": (Reservation, "release", lambda self: None),
}


@pytest.mark.plants
@pytest.mark.parametrize("defect", DEFECTS)
def test_the_law_bites(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, name, planted = DEFECTS[defect]
    monkeypatch.setattr(place, name, planted)
    with pytest.raises((AssertionError, Deadlock)):
        hold_in_all(range(200))


# -------------------------------------------------------------------------------------------- a ceiling in life


@agent(max_output_tokens=4096)
async def reader(brief: Brief, ctx: AgentContext) -> str:
    """Reads thirty kilobytes, and answers."""
    return await ctx.ask(brief.request)


class Reader:
    """A model at three dollars in and fifteen out, for which a prompt of 30 kB is 7,500 tokens."""

    def __init__(self) -> None:
        self.ledger: Any = None
        self.day: Book | None = None
        self.peak = 0

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        if self.day is None:
            [self.day] = [book for name, book in self.ledger._books.items() if name.startswith("global/")]
        self.peak = max(self.peak, self.day.settled + self.day.reserved)
        await asyncio.sleep(2)
        return ModelReply("read", (), StopReason.END, Usage(7500, 300), "m:m")


async def read(runs: int, ceiling: float) -> tuple[int, float, int]:
    """Return how many of *runs* at once finish under *ceiling* dollars, what they cost, and the peak of the ceiling."""
    model = Reader()
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 3, "output": 15}}, world={}, run_usd=1, global_usd=ceiling,
        deadline_s=3600, admission={"runs": runs},
    )  # fmt: skip
    async with Coordinator(Team(reader), settings, models={"m": model}) as coordinator:
        model.ledger = coordinator.held.ledger
        text = "x" * 30_000
        results = await asyncio.gather(
            *(coordinator.run(text, tenant=f"t{number % 9}") for number in range(runs))
        )  # fmt: skip
    finished = [result for result in results if result.status == "completed"]
    return len(finished), sum(result.cost_usd for result in finished), model.peak


async def test_a_hundred_runs_finish_under_a_ceiling_that_is_twice_what_they_need() -> None:
    finished, cost, peak = await read(100, 5.0)
    assert finished == 100
    assert cost == pytest.approx(2.70)
    assert 4_800_000 < peak <= 5_000_000


@pytest.mark.plants
async def test_a_third_of_them_would_finish_if_what_is_held_were_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(ledger: Ledger, claim: Claim, deadline: float) -> Reservation:
        return ledger.reserve(claim.accounts, claim.amount, claim.amount)

    monkeypatch.setattr(Ledger, "hold", refuse)
    finished, _, _ = await read(100, 5.0)
    assert finished == 33


async def test_a_ceiling_is_used_to_its_end_before_a_run_is_refused() -> None:
    finished, cost, peak = await read(100, 2.0)
    assert cost >= 0.95 * 2.0
    assert finished == 100 - 29
    assert peak <= 2_000_000


@pytest.mark.slow
async def test_ten_thousand_runs_at_once_finish_under_one_ceiling() -> None:
    finished, cost, peak = await read(10_000, 300.0)
    assert finished == 10_000
    assert cost == pytest.approx(270.0)
    assert peak <= 300_000_000
