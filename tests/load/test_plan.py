"""What makes no sense is told in one line, before anything runs."""

import pytest

from coordinator.domain.errors import Invalid
from coordinator.load import LoadPlan, LoadTest, WarmUp
from coordinator.simulation.faults import FaultRule


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "neither a rate nor a concurrency"),
        ({"rate": 1.0, "concurrency": 1}, "both a rate and a concurrency"),
        ({"rate": -1.0}, "rate is -1"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"rate": float("inf")}, "rate is inf"),
        ({"rate": 1e9}, "rate is"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"rate": 1.0, "runs": 0}, "runs is 0"),
        ({"rate": 1.0, "tenants": 0}, "tenants is 0"),
        ({"rate": 1.0, "seed": -1}, "seed is -1"),
        ({"rate": 1.0, "sample": 5}, "a sample is for virtual time only"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(given, says):
    with pytest.raises(Invalid) as caught:
        LoadPlan(**given).check(virtual=False)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["5", "-5%", "95%", "s", "abc", "nan%", ""])
def test_a_warm_up_is_a_share_or_seconds(text):
    with pytest.raises(Invalid, match="neither a share of the runs nor seconds"):
        WarmUp.parse(text)
    assert WarmUp.parse("10%") == WarmUp(0.1)
    assert WarmUp.parse("30 s") == WarmUp(0.0, 30.0)


@pytest.mark.parametrize("plan", [{"runs": 21, "rate": 2.0}, {"runs": 21, "concurrency": 10}])
def test_a_warm_up_beyond_the_last_run_is_told_before_anything_runs(staged, plan):
    stage = staged(deadline_s=5)  # a closed loop takes up to five seconds a round
    LoadTest(stage, LoadPlan(**plan, warm_up=WarmUp(0.0, 10.0)))
    with pytest.raises(Invalid, match=r"at most 10 s after the first, within a warm-up of 10\.1 s"):
        LoadTest(stage, LoadPlan(**plan, warm_up=WarmUp(0.0, 10.1)))


def test_a_sample_is_drawn_by_itself_when_there_are_very_many_runs():
    assert LoadPlan(1_000_000, rate=11.6).sampled(virtual=True) == 20_000
    assert LoadPlan(1_000_000, rate=11.6).sampled(virtual=False) == 1_000_000
    assert LoadPlan(1_000_000, rate=11.6, sample=500).sampled(virtual=True) == 500
    assert LoadPlan(20_000, rate=2).sampled(virtual=True) == 20_000


def test_tenants_that_the_settings_turn_away_are_told_before_anything_runs(staged):
    stage = staged(tenants={"acme": {}}, unknown_tenants="refuse")
    with pytest.raises(Invalid, match="do not know the tenant 'acme-2'"):
        LoadTest(stage, LoadPlan(rate=1, tenants=2), virtual=True)


@pytest.mark.parametrize("virtual", [True, False])
@pytest.mark.parametrize(
    ("fault", "code", "hint"),
    [
        (FaultRule(tool="look_upp", fail="error"), "unknown_tool", "did you mean look_up"),
        (FaultRule(tool="look_up", tier=1, fail="error"), "unknown_tier", "its only tier is 0"),
        (FaultRule(model="ofline", fail="error"), "unknown_model", "offline"),
    ],
)
def test_faults_that_name_what_the_team_does_not_have_are_told_before_anything_runs(staged, fault, code, hint, virtual):
    with pytest.raises(Invalid) as caught:
        LoadTest(staged(), LoadPlan(rate=1, faults=[fault]), virtual=virtual)
    assert caught.value.code == code
    assert hint in caught.value.hint
