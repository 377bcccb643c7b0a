import asyncio
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Status, Team, agent
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import Message, StopReason, Text
from coordinator.domain.errors import Invalid, Refused
from coordinator.domain.events import Event
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, Reuse, ToolSpec
from coordinator.domain.money import Price, Usage
from coordinator.domain.ports import Account
from coordinator.policies.budget import Budget
from coordinator.policies.pricing import ModelPrices, ToolPrices
from coordinator.policies.rate_limit import RateLimit
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gates import Gates
from coordinator.stores.memory.ledger import Ledger

PRICES = ModelPrices({"fake:m": Price(1_000_000, 2_000_000), "free:m": Price(0, 0)})
BOUND = 318


def waiting(budget: Budget) -> Any:
    """Return a pipeline in which a call that lacks money waits for it."""
    gate = RateLimit(Gates(), Estimates())
    return lambda call, then: gate(call, lambda sent: budget(sent, then))


def accounts(ceiling: int) -> Any:
    return lambda scope: (Account("global", ceiling), Account(f"run/{scope.run.run_id}", 10_000))


async def test_a_call_holds_its_bound_while_it_runs_and_pays_what_it_used(calls, replies):
    ledger = Ledger()
    held = []

    async def then(call: Any) -> Any:
        held.extend(account.reserved for account in ledger.snapshot())
        return replies["model"]

    reply = await Budget(ledger, accounts(1000), PRICES)(calls.of_model(), then)
    assert held == [BOUND, BOUND]
    assert reply.cost == calls.run.cost == 10 + 2 * 5
    assert [(account.settled, account.reserved) for account in ledger.snapshot()] == [(20, 0), (20, 0)]


async def test_usage_that_is_not_told_costs_what_was_held_and_is_an_issue_for_each_run_and_model(calls):
    async def then(call: Any) -> Any:
        return ModelReply("a", (), StopReason.END, Usage(1000, 500), call.dependency, uncertain=True)

    prices = {"fake:m": Price(1_000_000, 2_000_000), "fake:n": Price(1_000_000, 2_000_000)}
    budget: Budget = Budget(Ledger(), accounts(1000), ModelPrices(prices))
    replies = [await budget(calls.of_model(dependency=name), then) for name in ("fake:m", "fake:m", "fake:n")]
    assert [reply.cost for reply in replies] == [BOUND] * 3, "what was held, and never more"
    assert [(issue.code, issue.part) for issue in calls.run.issues] == [
        ("usage_not_told", "fake:m"), ("usage_not_told", "fake:n"),
    ]  # fmt: skip
    assert all(reply.uncertain for reply in replies), "the layers around it tell it too"
    assert replies[0].reused(Reuse.CACHE, 9).uncertain is False


async def test_a_call_that_does_not_fit_is_never_made(calls):
    asked: list[Any] = []

    async def then(call: Any) -> Any:
        asked.append(call)

    with pytest.raises(Refused) as refused:
        await Budget(Ledger(), accounts(BOUND - 1), PRICES)(calls.of_model(), then)
    assert refused.value.code == "budget_exhausted"
    assert asked == []


async def test_a_hundred_calls_at_once_never_pass_the_ceiling(calls, replies):
    ledger = Ledger()
    budget = waiting(Budget(ledger, accounts(BOUND * 10), PRICES))
    peak = 0

    async def then(call: Any) -> Any:
        nonlocal peak
        peak = max(peak, ledger.snapshot()[0].reserved + ledger.snapshot()[0].settled)
        await asyncio.sleep(1)
        return replies["model"]

    done = await asyncio.gather(*(budget(calls.of_model(), then) for _ in range(100)))
    assert len(done) == 100
    assert BOUND * 9 < peak <= BOUND * 10
    assert ledger.snapshot()[0].reservations == 0


async def test_an_unknown_price_is_an_error_that_names_the_setting(calls):
    with pytest.raises(Invalid, match=r"prices\.new:m") as invalid:
        await Budget(Ledger(), accounts(1000), PRICES)(calls.of_model(dependency="new:m"), None)
    assert invalid.value.code == "unknown_price"


async def test_what_costs_nothing_touches_no_account(calls, replies):
    ledger = Ledger()

    async def then(call: Any) -> Any:
        return replies["model"]

    reply = await Budget(ledger, accounts(0), PRICES)(calls.of_model(dependency="free:m"), then)
    assert reply.cost == 0
    assert ledger.snapshot() == ()


async def test_a_tool_costs_what_its_contract_says(calls, replies):
    ledger = Ledger()

    async def then(call: Any) -> Any:
        return replies["tool"]

    reply = await Budget(ledger, accounts(100_000), ToolPrices())(calls.of_tool(), then)
    assert reply.cost == calls.run.cost == 10_000


async def test_a_call_cancelled_on_its_way_is_booked_in_full_as_uncertain(calls):
    ledger = Ledger()

    async def then(call: Any) -> Any:
        await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(Budget(ledger, accounts(1000), PRICES)(calls.of_model(), then))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(a.settled, a.uncertain, a.reserved) for a in ledger.snapshot()] == [(BOUND, BOUND, 0)] * 2
    assert calls.run.cost == BOUND


async def test_a_call_is_cut_down_to_what_is_left_and_keeps_its_digest(calls, replies):
    ledger = Ledger()
    sent: list[Any] = []

    async def then(call: Any) -> Any:
        sent.append(call.request)
        return replies["model"]

    prices = ModelPrices({"fake:m": Price(1_000_000, 2_000_000)}, min_output_tokens=40)
    call = calls.of_model()
    await Budget(ledger, accounts(BOUND - 100), prices)(call, then)
    assert sent[0].max_output_tokens == 50
    assert (sent[0].digest, sent[0].size) == (call.request.digest, call.request.size)
    with pytest.raises(Refused) as refused:
        await Budget(Ledger(), accounts(BOUND - 121), prices)(call, then)
    assert refused.value.code == "budget_exhausted"


def conversation(calls: Any, turns: int, **more: Any) -> Any:
    """A request of 5,000 bytes and a bit, that has gone on for so many turns."""
    request = ModelRequest((OPENING, *(Message("user", (Text("y" * 98),)) for _ in range(turns))), max_output_tokens=1)
    return ModelCall(calls.scope, "run/turn", request, dependency=more.pop("dependency", "fake:m"), **more)


OPENING = Message("user", (Text("x" * 4998),))


@pytest.mark.parametrize(
    ("billed", "stop", "dependency", "input_tokens"),
    [
        (1500, StopReason.TOOL_USE, "fake:m", 1500 + 116),
        (1500, StopReason.MAX_TOKENS, "fake:m", 1500 + 116),
        (1500, StopReason.END, "fake:m", 5132),
        (1500, StopReason.TOOL_USE, "fake:n", 5132),
        (100, StopReason.TOOL_USE, "fake:m", 5132),
        (9000, StopReason.TOOL_USE, "fake:m", 5132),
    ],
)
async def test_a_conversation_that_goes_on_is_bound_by_what_it_was_billed_and_what_is_new(
    calls, billed, stop, dependency, input_tokens
):
    prices = ModelPrices({"fake:m": Price(1_000_000, 0), "fake:n": Price(1_000_000, 0)})

    async def then(call: Any) -> Any:
        return ModelReply("", (), stop, Usage(billed, 0), "m:m")

    first = conversation(calls, 0)
    assert prices.bound(first) == 5016
    await Budget(Ledger(), accounts(1_000_000), prices)(first, then)
    assert prices.bound(conversation(calls, 1, dependency=dependency)) == input_tokens


async def test_a_conversation_whose_beginning_has_changed_is_bound_by_its_bytes(calls):
    prices = ModelPrices({"fake:m": Price(1_000_000, 0)})

    async def then(call: Any) -> Any:
        return ModelReply("", (), StopReason.TOOL_USE, Usage(1500, 0), "m:m")

    await Budget(Ledger(), accounts(1_000_000), prices)(conversation(calls, 0), then)
    other = ModelRequest((Message("user", (Text("x" * 4998),)),), max_output_tokens=1)
    assert prices.bound(ModelCall(calls.scope, "run/turn", other, dependency="fake:m")) == other.size
    shown = ModelRequest((OPENING,), (ToolSpec.of("t", "d", {}),), max_output_tokens=1)
    assert prices.bound(ModelCall(calls.scope, "run/turn", shown, dependency="fake:m")) == shown.size


async def test_a_call_from_inside_a_priced_tool_never_waits(calls, replies):
    ledger = Ledger()
    of_models = waiting(Budget(ledger, accounts(10_000 + BOUND), PRICES))
    of_tools = Budget(ledger, accounts(10_000 + BOUND), ToolPrices())

    async def model(call: Any) -> Any:
        await asyncio.sleep(1)
        return replies["model"]

    async def tool(call: Any) -> Any:
        await asyncio.sleep(0.5)
        await asyncio.get_running_loop().create_task(of_models(calls.of_model(), model))

    first = asyncio.get_running_loop().create_task(of_models(calls.of_model(), model))
    with pytest.raises(Refused) as refused:
        await of_tools(calls.of_tool(), tool)
    assert refused.value.code == "budget_held"
    assert (await first).cost == 20


async def test_a_call_from_inside_a_tool_that_costs_nothing_waits(calls, replies):
    ledger = Ledger()
    budget = waiting(Budget(ledger, accounts(BOUND + 20), PRICES))

    async def model(call: Any) -> Any:
        await asyncio.sleep(1)
        return replies["model"]

    async def tool(call: Any) -> Any:
        return await budget(calls.of_model(), model)

    first = asyncio.get_running_loop().create_task(budget(calls.of_model(), model))
    await asyncio.sleep(0)
    assert (await Budget(ledger, accounts(0), ToolPrices())(calls.of_tool("refund"), tool)).cost == 20
    assert first.done()


async def test_thresholds_and_overruns_are_events(calls):
    budget = Budget(Ledger(), accounts(1000), PRICES)

    async def then(call: Any) -> Any:
        return ModelReply("", (), StopReason.END, Usage(900, 0), "m:m")

    await budget(calls.of_model(), then)
    told = [event for event in calls.events if event.kind != "issue"]
    assert [(event.kind, event.data["account"]) for event in told] == [
        ("budget.alert", "global"), ("budget.overrun", "global"), ("budget.overrun", "run/r-1"),
    ]  # fmt: skip
    assert [issue.code for issue in calls.run.issues] == ["budget_overrun"] * 2
    assert told[1].data == {"account": "global", "settled": 900, "ceiling": 1000, "overrun": 900 - BOUND}


@pytest.mark.parametrize(
    "more", [{"tools": (ToolSpec.of("look", "Looks.", {}),)}, {"output": OutputSpec.of("Answer", {"type": "object"})}]
)
def test_what_the_provider_adds_for_tools_and_typed_output_is_part_of_the_bound(calls, more):
    prices = ModelPrices({"fake:m": Price(1_000_000, 0, tool_tokens=530)})
    plain = ModelRequest((Message("user", (Text("x"),)),), max_output_tokens=1)
    adorned = ModelRequest(plain.messages, max_output_tokens=1, **more)
    assert prices.bound(ModelCall(calls.scope, "run/turn", plain, dependency="fake:m")) == plain.size
    assert prices.bound(ModelCall(calls.scope, "run/turn", adorned, dependency="fake:m")) == adorned.size + 530
    assert prices.least(ModelCall(calls.scope, "run/turn", adorned, dependency="fake:m")) == adorned.size + 530


async def test_what_a_call_costs_is_not_for_the_adapter_to_say():
    async def dear(model: str, request: ModelRequest) -> ModelReply:
        return ModelReply("hello", (), StopReason.END, Usage(10, 5), "free:m", cost=7)

    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return str(await ctx.ask(brief.request))

    told: list[Event] = []
    settings = Settings(models={"small": "free:m"}, prices={"free:*": {"input": 0, "output": 0}}, world={})
    async with Coordinator(Team(manager), settings, models={"free": dear}, observers=[told.append]) as coordinator:
        result = await coordinator.run("hello")
    assert (result.status, result.cost_usd) == (Status.COMPLETED, 0)
    assert [event.data["cost"] for event in told if "cost" in event.data] == [0, 0]


@pytest.mark.parametrize(
    "usage",
    [Usage(10, 5, cached_tokens=-100_000), Usage(10, 5, cache_write_tokens=-1), Usage(10.5, 5), Usage(float("nan"), 5)],
    ids=["cached", "written", "fraction", "nan"],
)
async def test_usage_that_cannot_be_billed_is_a_fault_and_keeps_nothing_held(usage):
    async def odd(model: str, request: ModelRequest) -> ModelReply:
        return ModelReply("hello", (), StopReason.END, usage, "odd:m")

    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return str(await ctx.ask(brief.request))

    prices = {"odd:*": {"input": 1, "output": 1, "cached": 3, "cache_write": 3}}
    settings = Settings(models={"small": "odd:m"}, prices=prices, world={}, tenant_day_usd=1)
    async with Coordinator(Team(manager), settings, models={"odd": odd}) as coordinator:
        result = await coordinator.run("hello")
        (day,) = coordinator.snapshot().accounts
    assert (result.status, result.code) == (Status.FAILED, "bad_reply")
    assert (day.reserved, day.reservations, type(day.settled)) == (0, 0, int)
