import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from coordinator import AgentContext, Brief, Coordinator, Invalid, Settings, Status, Team, agent
from coordinator.domain.content import StopReason
from coordinator.domain.events import Event
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.domain.surfaces import Tenant

PRICES = {"m:*": {"input": 0, "output": 1000}}  # a tenth of a cent for each token of a reply


@agent(max_output_tokens=10, allowance_usd=0.015)
async def thrifty(brief: Brief, ctx: AgentContext) -> str:
    """May cost a cent and a half."""
    await ctx.ask("one")
    return await ctx.ask("two")


@agent(max_output_tokens=10)
async def member(brief: Brief, ctx: AgentContext) -> str:
    """Asks as often as it is told."""
    for _ in range(int(brief.goal)):
        await ctx.ask("more")
    return "done"


@agent(delegates=[member, thrifty], max_output_tokens=10)
async def manager(brief: Brief, ctx: AgentContext) -> str:
    """Delegates what it is told, and finishes."""
    words = brief.request.split()
    if words[0] == "delegate":
        report = await ctx.delegate(words[1], Brief(request="r", goal=words[2]))
        await ctx.ask("finish")
        return report.code
    await asyncio.gather(*(ctx.fork(f"f{number}").ask("all") for number in range(int(words[1]))))
    return f"{ctx.tenant.surface} {ctx.tenant.weight} {ctx.limits.deadline_s:g}"


class Model:
    """Writes ten tokens at most, after a second."""

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(1)
        return ModelReply("x", (), StopReason.END, Usage(0, request.max_output_tokens), "m:m")


def opened(resolver: Any = None, events: list[Event] | None = None, **more: Any) -> Coordinator:
    defaults = {"models": {"small": "m"}, "prices": PRICES, "world": {}, "min_output_tokens": 10}
    observers = [] if events is None else [events.append]
    settings = Settings(**(defaults | more))
    return Coordinator(Team(manager), settings, models={"m": Model()}, tenants=resolver, observers=observers)


SURFACES = {"free": {"run_usd": 0.05, "deadline_s": 30}, "paid": {"run_usd": 1, "tenant_day_usd": 2}}
TENANTS = {"acme": {"surface": "paid", "weight": 2, "deadline_s": 60}, "bob": {"surface": "free"}}


async def test_a_tenant_has_the_limits_of_its_surface_and_its_own():
    async with opened(surfaces=SURFACES, tenants=TENANTS) as coordinator:
        told = [await coordinator.run("ask 1", tenant=name) for name in ("acme", "bob", "eve")]
    assert [result.text for result in told] == ["paid 2 60", "free 1 30", "default 1 300"]
    assert [result.ceiling_usd for result in told] == [1, 0.05, 0.5]


async def test_unknown_tenants_may_have_a_surface_or_be_turned_away_before_anything_runs():
    async with opened(surfaces=SURFACES, unknown_tenants="free") as coordinator:
        assert (await coordinator.run("ask 1", tenant="eve")).text == "free 1 30"
    events: list[Event] = []
    async with opened(events=events, surfaces=SURFACES, tenants=TENANTS, unknown_tenants="refuse") as coordinator:
        with pytest.raises(Invalid, match="'eve'") as invalid:
            await coordinator.run("ask 1", tenant="eve")
        assert invalid.value.code == "unknown_tenant"
        assert "acme" in invalid.value.hint
        with pytest.raises(Invalid):
            coordinator.start("ask 1", tenant="eve")
    assert events == []


async def test_a_resolver_is_asked_for_tenants_that_the_settings_do_not_name():
    asked = []

    async def resolver(name: str) -> Tenant | None:
        asked.append(name)
        await asyncio.sleep(0)
        return Tenant(surface="paid", weight=5) if name == "new" else Tenant(surface="lost") if name == "odd" else None

    async with opened(resolver, surfaces=SURFACES, tenants=TENANTS, unknown_tenants="refuse") as coordinator:
        assert (await coordinator.run("ask 1", tenant="new")).text == "paid 5 300"
        assert (await coordinator.start("ask 1", tenant="new").result()).text == "paid 5 300"
        assert (await coordinator.run("ask 1", tenant="bob")).text == "free 1 30"
        for name, code in (("eve", "unknown_tenant"), ("odd", "unknown_surface")):
            with pytest.raises(Invalid) as invalid:
                await coordinator.run("ask 1", tenant=name)
            assert invalid.value.code == code
    assert asked == ["new", "new", "eve", "odd"]


async def test_calls_that_do_not_fit_at_once_wait_for_one_another_and_never_pass_a_ceiling():
    async with opened(run_usd=1, tenant_day_usd=1, surfaces={}) as coordinator:
        results = await asyncio.gather(*(coordinator.run("ask 5", tenant="acme") for _ in range(20)))
        assert {result.status for result in results} == {Status.COMPLETED}
        [day] = coordinator.held.ledger.snapshot()
        assert (day.settled, day.ceiling, day.reserved) == (1_000_000, 1_000_000, 0)
        refused = await coordinator.run("ask 1", tenant="acme")
        assert (refused.status, refused.code) == (Status.REFUSED, "budget_exhausted")
        assert (await coordinator.run("ask 1", tenant="other")).status is Status.COMPLETED


async def test_the_manager_can_finish_when_its_delegates_have_spent_what_they_may():
    async with opened(run_usd=0.1, finish_share=0.2) as coordinator:
        result = await coordinator.run("delegate member 9")
        assert result.text == "budget_exhausted"
        assert (result.status, result.cost_usd) == (Status.FLAGGED, 0.09)


async def test_a_delegation_spends_no_more_than_its_allowance():
    async with opened(run_usd=1) as coordinator:
        result = await coordinator.run("delegate thrifty 0")
        assert result.text == "budget_exhausted"
        assert result.cost_usd == 0.02
        assert coordinator.held.ledger.snapshot() == ()


async def test_each_process_has_its_share_of_the_ceilings_that_runs_share():
    async with opened(run_usd=1, tenant_day_usd=4, global_usd=40, share=0.25) as coordinator:
        await coordinator.run("ask 1")
        ceilings = {account.name.split("/")[0]: account.ceiling for account in coordinator.held.ledger.snapshot()}
    assert ceilings == {"tenant-day": 1_000_000, "global": 10_000_000}


@pytest.mark.parametrize(
    ("wrong", "place", "message"),
    [
        ({"run_usd": 1, "tenant_day_usd": 0.5}, "tenant_day_usd", "at least run_usd"),
        ({"user_day_usd": 3, "global_usd": 2}, "global_usd", "at least user_day_usd"),
        ({"run_usd": 3, "global_usd": 2, "global_period": "hour"}, "global_usd", "at least run_usd"),
        ({"global_period": "week"}, "global_period", "'hour', 'day', 'month' or 'total'"),
        ({"share": "3/2"}, "share", "less than or equal to 1"),
        ({"soft_deadline_s": 61, "deadline_s": 60}, "soft_deadline_s", "at most deadline_s"),
        ({"surfaces": {"s": {"run_usd": 2, "session_usd": 1}}}, "surfaces.s.session_usd", "at least run_usd"),
        ({"run_usd": 2, "surfaces": {"s": {"session_usd": 1}}}, "surfaces.s.session_usd", "at least run_usd"),
        ({"tenants": {"t": {"surface": "x"}}}, "tenants.t.surface", "one of default"),
        ({"unknown_tenants": "x"}, "unknown_tenants", "one of default, refuse"),
        ({"tenants": {"t": {"weight": 0}}}, "tenants.t.weight", "greater than or equal to 1"),
        ({"session_usd": -1}, "session_usd", "greater than or equal to 0"),
        ({"finish_share": 0.9}, "finish_share", "less than or equal to 0.5"),
        ({"share": 0}, "share", "greater than 0"),
        ({"share": 1e-300, "session_usd": 1}, "share", "at least a millionth of a dollar of session_usd (1)"),
        ({"share": 1e-300, "global_usd": 9}, "share", "at least a millionth of a dollar of global_usd (9)"),
        ({"share": 1e-9, "tenants": {"t": {"tenant_day_usd": 5}}}, "share", "of tenant_day_usd (5)"),
        ({"share": 1e-9, "surfaces": {"s": {"user_day_usd": 5}}}, "share", "of user_day_usd (5)"),
    ],
)
def test_limits_that_contradict_one_another_or_make_no_sense_are_named(wrong, place, message):
    with pytest.raises(ValidationError) as error:
        Settings(**wrong)
    first = error.value.errors()[0]
    assert ".".join(map(str, first["loc"])) == place
    assert message in first["msg"]


def test_a_share_of_no_ceiling_may_be_as_small_as_it_likes():
    assert Settings(share=1e-300).share == Settings(share=1e-300, tenant_day_usd=0, run_usd=0).share == 1e-300


@pytest.mark.parametrize(
    ("tenant", "said"),
    [
        (Tenant(run_usd=2, session_usd=1), "session_usd = 1 should be at least run_usd (2)"),
        (Tenant(surface="paid", tenant_day_usd=0.5), "tenant_day_usd = 0.5 should be at least run_usd (1)"),
        (Tenant(session_usd=1), "share = 1e-07 should leave at least a millionth of a dollar of session_usd (1)"),
    ],
)
async def test_a_resolver_whose_limits_contradict_one_another_is_told_so_in_one_line(tenant, said):
    async def resolver(name: str) -> Tenant:
        return tenant

    share = 1e-7 if "share" in said else 1
    async with opened(resolver, surfaces={"paid": {"run_usd": 1}}, share=share) as coordinator:
        with pytest.raises(Invalid) as invalid:
            await coordinator.run("ask 1", tenant="new")
    assert invalid.value.code == "bad_tenant_limits"
    assert said in invalid.value.message


def test_a_day_may_cost_more_than_one_of_its_hours():
    assert Settings(tenant_day_usd=20, global_usd=2, global_period="hour").global_usd == 2


def test_a_default_gives_way_to_what_somebody_wrote():
    assert Settings(tenant_day_usd=0.01).limits().tenant_day == 10_000


def test_an_allowance_that_is_no_amount_is_named():
    with pytest.raises(Invalid, match="allowance of agent broke") as invalid:

        @agent(allowance_usd=-1)
        async def broke(brief: Brief, ctx: AgentContext) -> str:
            """Has less than nothing."""
            return ""

    assert invalid.value.code == "bad_agent"
