import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from coordinator.domain.calls import ModelCall, ToolCall
from coordinator.domain.effects import Effect
from coordinator.domain.errors import Fault, UnknownOutcome
from coordinator.domain.outcomes import Outcome, outcome
from coordinator.simulation.faults import FaultRule, Faults, names_model


def call(name: str = "find", tier: int = 0, effect: Effect = Effect.READ, **more: Any) -> ToolCall:
    return ToolCall(None, "run/t", name, "{}", None, tier=tier, effect=effect, **more)


def request(dependency: str = "offline:offline") -> ModelCall:
    return ModelCall(None, "run/turn1", None, dependency=dependency)


async def fine(call: Any) -> Any:
    return "fine"


async def tries(faults: Faults, times: int, **more: Any) -> list[str]:
    results = []
    for _ in range(times):
        try:
            results.append(await faults(call(**more), fine))
        except Fault as fault:
            results.append(fault.code)
    return results


async def test_a_rule_fails_so_many_attempts_of_its_tier():
    faults = Faults([FaultRule(tool="find", fail="timeout", times=2)])
    assert await tries(faults, 1, tier=1) == ["fine"]
    assert await tries(faults, 1, name="other") == ["fine"]
    assert await tries(faults, 4) == ["timeout", "timeout", "fine", "fine"]


async def test_without_times_every_attempt_fails_and_after_lets_some_pass():
    assert await tries(Faults([FaultRule(tool="find", fail="error", after=1)]), 4) == ["fine"] + ["tool_error"] * 3


async def test_each_instance_counts_for_itself():
    rules = [FaultRule(tool="find", fail="error", times=1)]
    for _ in range(2):
        assert await tries(Faults(rules), 2) == ["tool_error", "fine"]


@pytest.mark.parametrize(
    ("fail", "row"),
    [
        ("timeout", Outcome.UNCERTAIN),
        ("error", Outcome.FAILED),
        ("unreached", Outcome.UNREACHED),
        ("throttled", Outcome.THROTTLED),
        ("denied", Outcome.DENIED),
        ("crash", Outcome.FAILED),
    ],
)
async def test_every_failure_has_its_row_in_the_outcome_table(fail, row):
    with pytest.raises(Fault) as fault:
        await Faults([FaultRule(tool="find", fail=fail)])(call(), fine)
    assert outcome(fault.value) is row


async def test_a_lost_reply_of_an_effect_is_an_unknown_outcome_unless_it_is_keyed():
    faults = Faults([FaultRule(tool="find", fail="timeout")])
    with pytest.raises(UnknownOutcome):
        await faults(call(effect=Effect.WRITE), fine)
    with pytest.raises(Fault):
        await faults(call(effect=Effect.WRITE, keyed=True), fine)


async def test_slow_answers_late():
    assert await Faults([FaultRule(tool="find", fail="slow", delay_s=5)])(call(), fine) == "fine"
    assert asyncio.get_running_loop().time() == pytest.approx(5, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"fail": "explode"}, {"fail": "error", "times": 0}, {"fail": "error", "x": 1}])
def test_a_rule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        FaultRule.model_validate({"tool": "find", **wrong})


@pytest.mark.parametrize(
    ("fail", "row"),
    [
        ("timeout", Outcome.UNCERTAIN),
        ("lost", Outcome.UNCERTAIN),
        ("error", Outcome.FAILED),
        ("unreached", Outcome.UNREACHED),
        ("throttled", Outcome.THROTTLED),
        ("denied", Outcome.DENIED),
    ],
)
async def test_a_model_fails_by_the_same_table(fail, row):
    faults = Faults([FaultRule(model="offline", fail=fail, times=1)])
    assert await faults(request("openai:large"), fine) == "fine"
    with pytest.raises(Fault) as fault:
        await faults(request(), fine)
    assert outcome(fault.value) is row
    assert await faults(request(), fine) == "fine"


async def test_a_rule_for_a_model_fails_no_tool_of_that_name_and_the_other_way_round():
    assert await Faults([FaultRule(model="find", fail="error")])(call(), fine) == "fine"
    assert await Faults([FaultRule(tool="offline", fail="error")])(request(), fine) == "fine"


@pytest.mark.parametrize(
    ("name", "model", "same"),
    [
        ("offline", "offline:offline", True),
        ("offline:offline", "offline", True),
        ("offline:*", "offline", True),
        ("openai:*", "openai:small", True),
        ("openai:small", "openai:small", True),
        ("openai", "openai:small", False),
        ("openai:large", "openai:small", False),
        ("open", "openai:small", False),
        ("off:*", "offline", False),
    ],
)
def test_a_model_is_named_alone_or_with_all_of_its_provider(name, model, same):
    assert names_model(name, model) is same


@pytest.mark.parametrize(
    "wrong",
    [
        {"fail": "error"},
        {"tool": "find", "model": "offline", "fail": "error"},
        {"model": "offline", "tier": 1, "fail": "error"},
        {"model": "offline", "fail": "crash"},
        {"model": "", "fail": "error"},
    ],
)
def test_a_rule_names_one_tool_or_one_model(wrong):
    with pytest.raises(ValidationError):
        FaultRule.model_validate(wrong)
