"""A sample meets its limits as often as the whole meets the whole ones, whatever they are for, and says what it is."""

import pytest

from coordinator.load import LoadPlan, load_virtual
from coordinator.load.picturing import page_of
from coordinator.load.scaling import scaled_faults
from coordinator.load.telling import told
from coordinator.simulation.faults import FaultRule

pytestmark = pytest.mark.real_time  # a virtual load test owns its loop

CHEAP = {"prices": {"offline:*": {"input": 0.15, "output": 0.001}}, "min_output_tokens": 10, "run_usd": 0.00003}
HALF, WHOLE = (LoadPlan(1600, rate=20, tenants=2, sample=sample) for sample in (800, None))


def refused(report):
    return report.statuses.get("refused", 0) / report.runs


@pytest.mark.parametrize(
    "limits",
    [
        {"global_usd": 0.0019},
        {"global_usd": 0.0019, "global_period": "month"},
        {"tenant_day_usd": 0.001},
        {"user_day_usd": 0.0007},
        {"session_usd": 0.000035},
        {"tenants": {"acme": {"tenant_day_usd": 0.0008}}},
        {"surfaces": {"free": {"tenant_day_usd": 0.001}}, "unknown_tenants": "free"},
        {"rates": {"tenant:*": {"requests": 100}}, "deadline_s": 20},
        {"rates": {"global": {"requests": 400}}, "deadline_s": 20},
        {"admission": {"runs": 20, "waiting": 20}},
    ],
)
def test_a_sample_is_refused_as_often_as_the_whole(staged, limits):
    stage = staged(**CHEAP, **limits)
    whole, half = load_virtual(stage, WHOLE), load_virtual(stage, HALF)
    assert 0.02 < refused(whole) < 0.9
    assert refused(half) == pytest.approx(refused(whole), abs=0.06)
    assert half.bottleneck.cause == whole.bottleneck.cause
    assert half.ok
    assert whole.ok


def test_the_report_of_a_sample_says_what_was_scaled_and_what_was_not(staged):
    found = load_virtual(staged(**CHEAP, global_usd=1), HALF)
    note = next(line for line in told(found) if "a sample" in line)
    for said in ("800 runs stand for 1,600", "rates", "users, tenants and everybody", "scaled by 0.5", "session"):
        assert said in note
        assert said in page_of(found)
    assert found.coarse == []


def test_a_ceiling_of_which_the_sample_has_hardly_anything_is_called_too_coarse(staged):
    limits = {"user_day_usd": 0.0002, "tenants": {"acme": {"tenant_day_usd": 0.0002}}, "admission": {"runs": 6}}
    found = load_virtual(staged(**CHEAP, **limits), HALF)
    assert [one.partition(" ")[0] for one in found.coarse] == [
        "user_day_usd", "tenants.acme.tenant_day_usd", "admission.runs",
    ]  # fmt: skip
    assert any(line.strip().startswith("too coarse to judge by") for line in told(found))
    assert load_virtual(staged(**CHEAP, **limits), WHOLE).coarse == []


def test_faults_that_are_counted_shrink_and_those_that_go_on_do_not():
    rules = (FaultRule(tool="a", fail="error", times=30, after=100), FaultRule(tool="b", fail="slow", times=1))
    part = scaled_faults(rules, 0.1)
    assert [(rule.times, rule.after) for rule in part] == [(3, 10), (1, 0)]
    assert scaled_faults(rules, 1.0) == rules
    assert scaled_faults((FaultRule(tool="c", fail="error"),), 0.1)[0].times is None
