"""Runs of a Coordinator over the wire adapters: money, quota, retries and issues as the design has them."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from coordinator import AgentContext, Brief, Coordinator, Passage, Reply, Settings, Status, Team, agent, tool
from coordinator.domain.events import Event, Kind
from tests.models.providers.recordings import KEY, PROTOCOLS, STREAM, adapter

NAMES = {
    "openai_chat": "openai", "openai_responses": "openai-responses", "anthropic": "anthropic", "google": "google",
}  # fmt: skip


@tool()
async def look_up(order: str = "") -> list[Passage]:
    """Look an order up."""
    return [Passage(text="It was sent.", source="orders/1042")]


@tool()
async def search(words: str) -> list[Passage]:
    """Search."""
    return []


@agent(tools=[look_up, search])
async def clerk(brief: Brief, ctx: AgentContext) -> Reply:
    """Looks and answers."""
    return await ctx.solve(brief, instructions="Look it up.", output=Reply)


@agent()
async def herald(brief: Brief, ctx: AgentContext) -> str:
    """Passes on what it hears."""
    return await ctx.ask(brief.request)


class Provider:
    """Answers request by request, and the last answer for ever."""

    def __init__(self, protocol: str, *answers: httpx.Response) -> None:
        self.protocol = protocol
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.events: list[Event] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def run(self, team: Team, **more: Any) -> Any:
        return (await self.runs(1, team, **more))[0]

    async def runs(self, times: int, team: Team, **more: Any) -> list[Any]:
        name, model = NAMES[self.protocol], PROTOCOLS[self.protocol]["model"]
        settings = Settings(world={}, models={"small": f"{name}:{model}"}, **more)
        models = {name: adapter(self.protocol, self)}
        observers = [self.events.append]
        async with Coordinator(team, settings, models=models, observers=observers) as coordinator:
            results = [await coordinator.run("Where is order 1042?") for _ in range(times)]
            self.left = {account.name: account for account in coordinator.snapshot().accounts}
            self.price = coordinator.held.prices._prices[f"{name}:{model}"]
        assert KEY not in repr(self.events) + repr(results)
        return results


def stream(protocol: str, case: str, **replaced: str) -> httpx.Response:
    held = PROTOCOLS[protocol]["streams"][case]
    body = held["body"]
    for before, after in replaced.items():
        body = body.replace(before, after)
    return httpx.Response(200, headers={**STREAM, **held["headers"]}, content=body.encode())


def answer(protocol: str) -> httpx.Response:
    """Return the recording of a typed answer, with a Reply in place of its verdict."""
    found = PROTOCOLS[protocol]["streams"]["typed"]
    body = found["body"]
    for old, new in (("accept", "text"), ("true", '\\"It was sent.\\"'), ("why", "status"), ("fits", "completed")):
        body = body.replace(old, new)
    return httpx.Response(200, headers=STREAM, content=body.encode())


@pytest.mark.parametrize("protocol", NAMES)
async def test_an_agent_calls_its_tools_and_answers_in_every_protocol(protocol):
    provider = Provider(protocol, stream(protocol, "parallel_tools"), answer(protocol))
    result = await provider.run(Team(clerk))
    assert (result.status, result.text) == (Status.COMPLETED, "It was sent.")
    assert len(provider.asked) == 2
    assert "orders/1042" in json.dumps(provider.asked[1])


@pytest.mark.parametrize("protocol", NAMES)
async def test_the_bill_of_a_run_is_the_sum_of_its_calls_to_the_micro_dollar(protocol):
    provider = Provider(protocol, stream(protocol, "parallel_tools"), answer(protocol))
    result = await provider.run(Team(clerk))
    costs = [event.data["cost"] for event in provider.events if event.kind is Kind.MODEL_ENDED]
    assert len(costs) == 2
    assert all(costs)
    assert round(result.cost_usd * 1_000_000) == sum(costs)


async def test_cached_and_long_context_tokens_are_billed_at_their_own_price():
    provider = Provider("openai_chat", stream("openai_chat", "text"))
    result = await provider.run(Team(herald))
    price = provider.price
    # 2,006 tokens of input, 1,920 of them cached, and 300 of output, rounded up.
    tokens = 86 * price.input + 1920 * price.cached + 300 * price.output
    assert round(result.cost_usd * 1_000_000) == -(-tokens // 1_000_000)


@pytest.mark.parametrize("protocol", NAMES)
async def test_a_cut_stream_is_charged_in_full_and_tried_again(protocol):
    body = PROTOCOLS[protocol]["streams"]["text"]["body"].encode()
    cut = httpx.Response(200, headers=STREAM, content=body[:150])
    provider = Provider(protocol, cut, stream(protocol, "text"))
    result = await provider.run(Team(herald))
    assert (result.status, len(provider.asked)) == (Status.COMPLETED, 2)
    whole = Provider(protocol, stream(protocol, "text"))
    assert result.cost_usd > (await whole.run(Team(herald))).cost_usd
    assert [event.data["code"] for event in provider.events if event.kind is Kind.RETRY] == ["cut_off"]


@pytest.mark.parametrize("protocol", NAMES)
async def test_what_a_person_can_repair_stands_in_the_result_with_what_to_do(protocol):
    held = PROTOCOLS[protocol]["errors"]["wrong_key"]
    provider = Provider(protocol, httpx.Response(held["status"], content=held["body"]))
    result = await provider.run(Team(herald))
    assert (result.status, result.code, result.cost_usd) == (Status.FAILED, "denied", 0.0)
    assert held["says"] in result.issues[0].message
    assert len(provider.asked) == 1


async def test_what_an_agent_gets_around_is_told_once_all_the_same():
    @agent(delegates=[herald])
    async def stubborn(brief: Brief, ctx: AgentContext) -> str:
        """Asks twice, and answers without."""
        for _ in range(2):
            report = await ctx.delegate(herald, brief)
            assert report.code == "denied"
        return "Nobody answers."

    held = PROTOCOLS["openai_chat"]["errors"]["wrong_key"]
    provider = Provider("openai_chat", httpx.Response(401, content=held["body"]))
    result = await provider.run(Team(stubborn))
    told = [issue for issue in result.issues if issue.part == "openai:gpt-5-mini"]
    assert (result.status, len(told)) == (Status.FLAGGED, 1)
    assert "OPENAI_API_KEY" in told[0].message


async def test_what_the_provider_says_is_left_is_not_exceeded():
    scarce = stream("openai_chat", "text")
    scarce.headers["x-ratelimit-remaining-requests"] = "0"
    scarce.headers["x-ratelimit-reset-requests"] = "30s"

    @agent()
    async def twice(brief: Brief, ctx: AgentContext) -> str:
        """Asks two times."""
        await ctx.ask(brief.request)
        return await ctx.ask(brief.request)

    provider = Provider("openai_chat", scarce, stream("openai_chat", "text"))
    result = await provider.run(Team(twice))
    assert result.status is Status.COMPLETED
    assert result.duration_s >= 29


async def test_a_retry_waits_as_long_as_the_provider_asks():
    throttled = httpx.Response(429, headers={"retry-after": "7"}, content=b"{}")
    provider = Provider("openai_chat", throttled, stream("openai_chat", "text"))
    result = await provider.run(Team(herald))
    assert result.status is Status.COMPLETED
    assert 7 <= result.duration_s < 30
    assert result.cost_usd > 0


@agent(delegates=[herald])
async def hopeful(brief: Brief, ctx: AgentContext) -> str:
    """Has three members ask at once, and goes on without them."""
    branches = [ctx.fork(str(number)) for number in range(3)]
    await ctx.gather(*(branch.delegate(herald, brief) for branch in branches))
    return "Nobody answers."


@pytest.mark.parametrize("protocol", NAMES)
async def test_a_wrong_key_is_one_line_however_many_agents_meet_it(protocol):
    held = PROTOCOLS[protocol]["errors"]["wrong_key"]
    provider = Provider(protocol, httpx.Response(held["status"], content=held["body"]))
    result = await provider.run(Team(hopeful))
    assert [issue.code for issue in result.issues] == ["denied"]
    assert held["says"] in result.issues[0].message


@pytest.mark.parametrize("protocol", NAMES)
@pytest.mark.parametrize("failures", [2, 5])
async def test_a_cut_stream_is_told_with_its_hint_although_a_breaker_opens_behind_it(protocol, failures):
    body = PROTOCOLS[protocol]["streams"]["text"]["body"].encode()
    provider = Provider(protocol, httpx.Response(200, headers=STREAM, content=body[:150]))
    result = await provider.run(Team(hopeful), breaker={"failures": failures})
    assert [issue.code for issue in result.issues] == ["cut_off"]
    assert "look at proxies" in result.issues[0].message
    assert any(event.kind is Kind.BREAKER for event in provider.events)


async def test_a_run_that_begins_behind_an_open_breaker_is_told_why_it_opened():
    body = PROTOCOLS["openai_chat"]["streams"]["text"]["body"].encode()
    provider = Provider("openai_chat", httpx.Response(200, headers=STREAM, content=body[:150]))
    results = await provider.runs(3, Team(herald), breaker={"failures": 3})
    assert [issue.code for issue in results[2].issues] == ["cut_off", "breaker_open"]
    assert "look at proxies" in results[2].issues[0].message


@agent(delegates=[herald])
async def alone(brief: Brief, ctx: AgentContext) -> str:
    """Has a member ask, and goes on without it."""
    await ctx.delegate(herald, brief)
    return "Nobody answers."


async def test_a_model_that_never_answers_is_told_once_with_the_setting_to_raise():
    class Silent(Provider):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    result = await Silent("openai_chat").run(Team(alone), model_timeout_s=5)
    assert [issue.code for issue in result.issues] == ["timeout"]
    assert "model_timeout_s" in result.issues[0].message
