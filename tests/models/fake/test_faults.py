"""What goes wrong on purpose: which requests it meets, and how."""

import asyncio
from collections import Counter

import pytest
from pydantic import ValidationError

from coordinator.domain.content import Message, StopReason, Text, ToolUse
from coordinator.domain.errors import Fault
from coordinator.domain.model import ModelReply, ModelRequest, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.fake.faults import WireFault, WireFaults
from coordinator.models.simulated import BAD_DAY, LatencyLaw
from coordinator.simulation.chance import Dice

ASK = ModelRequest((Message("user", (Text("Hello"),)),), max_output_tokens=100)
SAID = ModelReply("Fine, and how are you today?", (), StopReason.END, Usage(100, 20), "x:m")


def due(rules, models, seed=1):
    faults = WireFaults([WireFault(**rule) for rule in rules], ("openai", "compatible"), Dice(seed).stream("f"))
    return [rule.fail if (rule := faults.due(model)) else "" for model in models]


def test_rules_count_what_they_let_pass_and_what_they_fail():
    assert due([{"fail": "html", "after": 1, "times": 2}], "mmmmm") == ["", "html", "html", "", ""]


def test_the_first_rule_that_is_due_decides_and_the_others_do_not_count_it():
    rules = [{"fail": "html", "times": 1}, {"fail": "error", "times": 1}]
    assert due(rules, "mmm") == ["html", "error", ""]


@pytest.mark.parametrize("named", ["*", "m:7b", "openai:*", "openai:m:7b", "compatible:*"])
def test_a_rule_is_about_the_models_that_it_names(named):
    assert due([{"fail": "html", "model": named}], ["m:7b"]) == ["html"]
    assert due([{"fail": "html", "model": named}], ["other"]) == (["html"] if "*" in named else [""])


def test_a_rule_about_another_provider_is_about_nobody_here():
    assert due([{"fail": "html", "model": "anthropic:*"}], ["m"]) == [""]


def test_a_share_fails_as_often_as_it_says_and_the_same_seed_lets_the_same_fail():
    met = due([{"fail": "html", "chance": 0.3}], ["m"] * 5000)
    assert met.count("html") == pytest.approx(1500, abs=120)
    assert met == due([{"fail": "html", "chance": 0.3}], ["m"] * 5000)
    assert met != due([{"fail": "html", "chance": 0.3}], ["m"] * 5000, seed=2)


@pytest.mark.parametrize(
    "wrong", [{"fail": "melt"}, {"fail": "html", "chance": 0}, {"fail": "html", "retry_after_s": 1}]
)
def test_what_makes_no_sense_is_no_rule(wrong):
    with pytest.raises(ValidationError):
        WireFault(**wrong)


async def test_an_answer_may_never_come(pair):
    there = pair(SAID, faults=(WireFault(fail="timeout"),))
    answer = await there.provider(await question(there))
    assert (answer.end, list(answer.parts)) == ("stall", [])
    there = pair(SAID, faults=(WireFault(fail="stall"),))
    asked = await question(there)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(there.provider(asked), 10_000)


async def test_what_is_no_request_is_refused_whatever_else_goes_wrong(pair):
    assert (await pair(SAID, faults=(WireFault(fail="timeout"),)).post(b"{}")).status == 400


@pytest.mark.parametrize(("fail", "end"), [("cut", "cut"), ("stall_midway", "stall")])
async def test_half_of_an_answer_goes_out(pair, fail, end):
    there = pair(SAID, faults=(WireFault(fail=fail),))
    answer = await there.provider(await question(there))
    assert answer.end == end
    whole = await pair(SAID).provider(await question(there))
    assert b"".join(whole.parts).startswith(b"".join(answer.parts)[:15])
    assert 0 < len(b"".join(answer.parts)) < len(b"".join(whole.parts))


@pytest.mark.parametrize("fail", ["unreached", "lost"])
async def test_a_closed_connection_says_nothing(pair, fail):
    there = pair(SAID, faults=(WireFault(fail=fail),))
    answer = await there.provider(await question(there))
    assert (answer.end, list(answer.parts)) == ("cut", [])
    assert len(there.asked) == (fail == "lost")


async def test_slow_answers_come_later(pair):
    loop = asyncio.get_running_loop()
    began = loop.time()
    await pair(SAID, faults=(WireFault(fail="slow", delay_s=9),))(ASK)
    assert loop.time() - began == pytest.approx(9, abs=0.01)


async def test_answers_take_as_long_as_the_law_says_and_repeat_by_their_seed(pair):
    loop, law = asyncio.get_running_loop(), LatencyLaw(least_s=0.4, tail_s=0.8, most_s=30)

    async def took(seed):
        there, times = pair(SAID, latency=law, seed=seed), []
        for _ in range(20):
            began = loop.time()
            await there(ASK)
            times.append(round(loop.time() - began, 3))
        return times

    first = await took(1)
    assert min(first) >= 0.4
    assert first == await took(1)
    assert first != await took(2)


async def test_streams_are_written_at_the_speed_that_is_asked_for(pair, name):
    there = pair(SAID, tokens_per_s=10)
    answer = await there.provider(await question(there))
    assert answer.pause_s * len(answer.parts) == pytest.approx(2)  # 20 tokens


async def test_on_a_bad_day_everything_happens_that_the_law_knows(pair):
    there = pair(SAID, mishaps=BAD_DAY, latency=LatencyLaw())
    request = ModelRequest(ASK.messages, (ToolSpec.of("look", "Looks.", {"type": "object", "properties": {}}),))
    met: Counter[str] = Counter()
    for _ in range(1500):
        try:
            async with asyncio.timeout(60):
                reply = await there(request)
        except Fault as fault:
            met[fault.code] += 1
        except TimeoutError:
            met["stall"] += 1
        else:
            met["tool" if reply.tool_uses else "huge" if len(reply.text) > 1000 else "well"] += 1
    assert {"throttled", "server_error", "tool", "huge", "well", "stall"} <= met.keys()
    assert met["well"] > 1300


async def test_a_model_that_is_caught_in_a_loop_knows_it_by_the_names_of_its_calls(pair):
    look = ToolSpec.of("look", "Looks.", {"type": "object", "properties": {}})
    there = pair(ModelReply("", (ToolUse("call-1", "look", "{}"),), StopReason.TOOL_USE, Usage(9, 9), "x:m"),
                 faults=(WireFault(fail="endless_loop"),))  # fmt: skip
    reply = await there(ModelRequest(ASK.messages, (look,)))
    assert reply.tool_uses[0].name == "look"


async def question(there):
    """The question that the adapter would ask."""
    well = type(there).__call__
    faults, there.provider._faults = there.provider._faults, WireFaults((), (), lambda: 0.0)
    await well(there, ASK)
    there.provider._faults = faults
    there.asked.clear()
    return there.wired.questions[-1]
