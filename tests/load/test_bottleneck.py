"""The bottleneck is what stops most runs; when hardly any is stopped, what is waited for most."""

from coordinator.load.bottleneck import bottleneck, overloaded
from coordinator.load.histogram import Percentiles
from coordinator.load.report import GateUse, Waiting


def waiting(cause, share):
    return Waiting(cause=cause, seconds=share * 100, share=share, runs=Percentiles())


GATES = [
    GateUse(gate="crm", admitted=9, refused=1, waited_s=5),
    GateUse(gate="offline:offline", admitted=9, refused=0, waited_s=80),
]


def test_what_stops_most_runs_is_it():
    found = bottleneck(100, {"admission_full": 30, "gate_full": 10}, [waiting("gates", 0.5)], [], GATES, [])
    assert found.cause == "admission"
    assert "30 of 100" in found.why


def test_when_nobody_is_stopped_it_is_what_is_waited_for():
    found = bottleneck(100, {}, [waiting("gates", 0.5), waiting("retries", 0.1)], [], GATES, [])
    assert (found.cause, found.where) == ("gates", "offline:offline")


def test_runs_that_waits_made_late_are_stopped_by_what_they_waited_for():
    late = {"soft_deadline": 60}
    assert bottleneck(100, late, [waiting("gates", 0.9)], [], GATES, []).cause == "gates"
    assert bottleneck(100, late, [], [], GATES, []).cause == "deadlines"


def test_when_no_limit_matters_there_is_none():
    assert bottleneck(100, {"nothing_found": 90}, [waiting("gates", 0.001)], [], GATES, []).cause == "nothing"


def test_a_process_that_is_late_itself_is_the_bottleneck():
    assert overloaded(Percentiles(count=100, p50=0.1, p90=2.5)).cause == "process"
    assert overloaded(Percentiles(count=100, p90=0.02, max=3.0)) is None
    assert overloaded(Percentiles()) is None
