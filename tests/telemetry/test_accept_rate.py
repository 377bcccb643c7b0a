"""Laws of the accept rate: verdicts are counted over a window, and a rate that falls too low alarms once."""

import logging

import pytest

from coordinator.domain.events import Event, Kind
from coordinator.telemetry.accept_rate import AcceptRate


def tell(observer: AcceptRate, *decisions: str, kind: Kind = Kind.VERDICT) -> None:
    for seq, decision in enumerate(decisions, start=1):
        observer(Event("r-1", seq, 0.0, kind, "acme", "reviewer", "run", {"decision": decision, "reasons": 0}))


def test_the_rate_is_that_of_the_last_verdicts_and_of_nothing_else() -> None:
    observer = AcceptRate(window=4)
    assert observer.rate is None
    tell(observer, "reject", kind=Kind.STATE)
    assert observer.rate is None
    tell(observer, "reject", "accept", "accept", "accept")
    assert observer.rate == 0.75
    tell(observer, "revise", "accept")
    assert observer.rate == 0.75


def test_an_alarm_comes_once_below_seventy_percent_and_again_after_a_recovery() -> None:
    rates: list[float] = []
    observer = AcceptRate(window=10, alarm=rates.append)
    tell(observer, *["accept"] * 7, *["reject"] * 3)
    assert rates == []
    tell(observer, "reject", "reject")
    assert rates == [0.6]
    tell(observer, *["accept"] * 10, *["reject"] * 4)
    assert rates == [0.6, 0.6]


def test_a_few_verdicts_make_no_rate() -> None:
    rates: list[float] = []
    tell(AcceptRate(alarm=rates.append), *["reject"] * 9)
    assert rates == []


def test_by_default_the_alarm_is_a_warning_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="coordinator"):
        tell(AcceptRate(), *["reject"] * 10)
    assert [record.getMessage() for record in caplog.records] == [
        "only 0 % of the drafts were accepted by their reviewers"
    ]
