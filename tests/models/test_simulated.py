import asyncio

import pytest
from pydantic import ValidationError

from coordinator.domain.content import Message, StopReason, Text, ToolUse
from coordinator.domain.errors import Fault
from coordinator.domain.model import ModelReply, ModelRequest, ToolSpec
from coordinator.domain.money import Usage
from coordinator.domain.outcomes import Outcome, outcome
from coordinator.models.simulated import BAD_DAY, CALM, LatencyLaw, MishapLaw, Outage, SimulatedModel
from coordinator.simulation.chance import Dice

ASKED = Message("user", (Text("hello"),))
REQUEST = ModelRequest((ASKED,), tools=(ToolSpec.of("look", "", {}),), max_output_tokens=100)
USE = ToolUse("u1", "look", '{"a":1}')


async def words(model, request):
    return ModelReply("fine", (USE,), StopReason.TOOL_USE, Usage(3, 4), f"m:{model}")


def simulated(mishap=None, seed=1, **more):
    mishaps = MishapLaw(**{mishap: 1.0}) if mishap else CALM
    return SimulatedModel(words, Dice(seed).stream("m"), mishaps=mishaps, **more)


async def test_words_come_from_within_after_the_drawn_latency():
    law = LatencyLaw(least_s=2, tail_s=1, most_s=4)
    reply = await simulated(latency=law)("x", REQUEST)
    assert reply == await words("x", REQUEST)
    assert 2 <= asyncio.get_running_loop().time() <= 4.01


def test_latencies_follow_their_law():
    chance = Dice(1).stream("latency")
    drawn = [LatencyLaw(least_s=1, tail_s=0.5, most_s=3).draw(chance) for _ in range(20_000)]
    assert min(drawn) >= 1
    assert max(drawn) == 3
    assert sum(drawn) / len(drawn) == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize(
    ("mishap", "row", "code"),
    [
        ("throttled", Outcome.THROTTLED, "throttled"),
        ("throttled_until", Outcome.THROTTLED, "throttled"),
        ("server_error", Outcome.FAILED, "server_error"),
        ("unreached", Outcome.UNREACHED, "unreached"),
        ("cut", Outcome.UNCERTAIN, "cut_off"),
    ],
)
async def test_every_failure_has_its_row_in_the_outcome_table(mishap, row, code):
    with pytest.raises(Fault) as fault:
        await simulated(mishap)("x", REQUEST)
    assert (outcome(fault.value), fault.value.code) == (row, code)
    assert (fault.value.retry_after is None) == (mishap != "throttled_until")


async def test_a_stall_ends_by_a_time_out_alone():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10_000):
            await simulated("stall")("x", REQUEST)


async def test_a_wrong_bill_stays_within_the_bound_and_an_overrun_does_not():
    for seed in range(30):
        wrong = (await simulated("wrong_usage", seed)("x", REQUEST)).usage
        assert wrong.input_tokens <= REQUEST.size
        assert wrong.output_tokens <= REQUEST.max_output_tokens
        above = (await simulated("overrun", seed)("x", REQUEST)).usage
        assert above.input_tokens > REQUEST.size
        assert above.output_tokens > REQUEST.max_output_tokens


async def test_a_tool_that_nobody_offered_is_wished_for():
    reply = await simulated("unknown_tool")("x", REQUEST)
    assert reply.stop is StopReason.TOOL_USE
    assert reply.tool_uses[0].name not in {tool.name for tool in REQUEST.tools}


async def test_an_endless_loop_goes_on_whatever_is_drawn_later():
    first = (await simulated("endless_loop")("x", REQUEST)).tool_uses[0]
    later = ModelRequest((ASKED, Message("assistant", (first,)), Message("tool", ())), tools=REQUEST.tools)
    again = (await simulated("wrong_usage")("x", later)).tool_uses[0]
    assert (again.name, again.arguments) == (first.name, first.arguments) == (USE.name, USE.arguments)
    assert again.id != first.id


async def test_a_huge_text_fits_no_answer():
    reply = await simulated("huge_text")("x", REQUEST)
    assert len(reply.text) >= 40_000
    assert not reply.tool_uses


async def test_nothing_is_answered_during_an_outage():
    model = simulated(outages=[Outage(begins_s=5, lasts_s=10)])
    codes = []
    for _ in range(20):
        began = asyncio.get_running_loop().time()
        try:
            await model("x", REQUEST)
        except Fault as fault:
            codes.append(fault.code)
            assert 5 <= began < 15
        else:
            assert not 5 <= began < 15
    assert set(codes) == {"unreached", "server_error"}


def test_mishaps_come_as_often_as_their_shares_say():
    chance, seen = Dice(1).stream("m"), {}
    for _ in range(50_000):
        name = BAD_DAY.draw(chance)
        seen[name] = seen.get(name, 0) + 1
    assert seen["server_error"] / 50_000 == pytest.approx(BAD_DAY.server_error, rel=0.15)
    assert seen[None] / 50_000 == pytest.approx(0.914, abs=0.01)


async def test_the_same_randomness_gives_the_same_replies():
    async def told(seed):
        model, said = SimulatedModel(words, Dice(seed).stream("m"), mishaps=BAD_DAY), []
        for _ in range(200):
            try:
                async with asyncio.timeout(100):
                    said.append(repr(await model("x", REQUEST)))
            except (Fault, TimeoutError) as error:
                said.append(repr(error))
        return said

    assert await told(1) == await told(1) != await told(2)


@pytest.mark.parametrize(
    "wrong",
    [{"throttled": 2}, {"throttled": -1}, {"nonsense": 0.1}, {"throttled": 0.6, "cut": 0.6}],
)
def test_shares_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        MishapLaw(**wrong)
