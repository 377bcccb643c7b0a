"""Laws of alarms: each is raised once when its condition begins to hold, and again only after it has ceased to."""

from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Event, Kind, Settings, Team, agent
from coordinator.domain.alarms import AlarmSetting
from coordinator.telemetry.alarms import Watch


class World:
    """A watch, what it was told, and what it told."""

    def __init__(self, **setting: Any) -> None:
        self.told: list[Event] = []
        self.watch = Watch([self.told.append], AlarmSetting(**setting))
        self.seq = 0

    def hear(self, kind: Kind, at: float = 0.0, **data: Any) -> None:
        self.seq += 1
        self.watch(Event("r-1", self.seq, at, kind, "acme", "boss", "run", data))

    def judge(self, *decisions: str) -> None:
        for decision in decisions:
            self.hear(Kind.VERDICT, decision=decision, reasons=0)

    def end(self, times: int, status: str = "completed", steps: int = 10) -> None:
        for _ in range(times):
            self.hear(Kind.RUN_ENDED, status=status, steps=steps)

    def trip(self, at: float, dependency: str = "crm#0", **change: str) -> None:
        self.hear(Kind.BREAKER, at, dependency=dependency, **({"from": "closed", "to": "open"} | change))

    @property
    def alarms(self) -> list[str]:
        return [event.data["alarm"] for event in self.told]


# ---------------------------------------------------------------------------------------------------- the accept rate


def test_an_accept_rate_below_seventy_percent_alarms_once_and_again_after_a_recovery() -> None:
    world = World(verdicts=10)
    world.judge(*["accept"] * 7, *["reject"] * 3)
    assert world.alarms == []
    world.judge("reject", "reject", "revise")
    assert [event.data["rate"] for event in world.told] == [0.6]
    world.judge(*["accept"] * 10, *["reject"] * 4)
    assert world.alarms == ["accept_rate"] * 2


def test_a_few_verdicts_make_no_rate() -> None:
    world = World()
    world.judge(*["reject"] * 9)
    assert world.alarms == []
    world.judge("reject")
    assert world.told[0].data["message"] == "only 0% of the last 10 drafts were accepted by their reviewers"


# -------------------------------------------------------------------------------- success that falls while steps rise


def test_success_that_falls_while_steps_rise_alarms_once() -> None:
    world = World(runs=10)
    world.end(10)
    world.end(5)
    world.end(5, "flagged", 15)
    assert world.alarms == ["success_falling"]
    assert world.told[0].data["message"] == (
        "50% of the last 10 runs completed, after 100% of those before, and they took 12.5 steps instead of 10.0"
    )
    world.end(3, "flagged", 15)
    assert world.alarms == ["success_falling"]


@pytest.mark.parametrize(("status", "steps"), [("flagged", 10), ("completed", 30), ("failed", 4)])
def test_one_without_the_other_is_no_alarm(status: str, steps: int) -> None:
    world = World(runs=10)
    world.end(10)
    world.end(10, status, steps)
    assert world.alarms == []


@pytest.mark.parametrize("status", ["refused", "cancelled"])
def test_runs_that_had_no_chance_are_not_judged(status: str) -> None:
    world = World(runs=10)
    world.end(10)
    world.end(20, status, 99)
    world.end(10)
    assert world.alarms == []


def test_as_many_runs_as_are_compared_must_have_ended_twice() -> None:
    world = World(runs=10)
    world.end(10)
    world.end(9, "failed", 99)
    assert world.alarms == []


# ------------------------------------------------------------------------------------------------- breakers that flap


def test_a_breaker_that_opens_three_times_in_the_window_flaps() -> None:
    world = World(flap_window_s=600)
    world.trip(0)
    world.trip(300)
    world.trip(0, "mail#0")
    assert world.alarms == []
    world.trip(600)
    assert [(event.data["alarm"], event.data["dependency"]) for event in world.told] == [("breaker_flapping", "crm#0")]
    world.trip(700)
    world.trip(1000)
    assert len(world.told) == 1
    world.trip(5000)
    world.trip(5001)
    world.trip(5002)
    assert len(world.told) == 2


def test_a_breaker_that_slowly_opens_again_does_not_flap() -> None:
    world = World(flap_window_s=600)
    for number in range(10):
        world.trip(301 * number)
    assert world.alarms == []


def test_what_stays_down_does_not_flap() -> None:
    world = World()
    world.trip(0)
    for number in range(20):
        world.trip(number, **{"from": "open", "to": "half-open"})
        world.trip(number, **{"from": "half-open", "to": "open"})
    assert world.alarms == []


# ------------------------------------------------------------------------------------------------------------- budgets


def test_soft_limits_of_shared_accounts_alarm_and_those_of_one_run_do_not() -> None:
    world = World()
    money = {"settled": 4_100_000, "ceiling": 5_000_000}
    world.hear(Kind.BUDGET_ALERT, account="run/r-1", **money)
    world.hear(Kind.BUDGET_ALERT, account="allowance/r-1/run/delegate1", **money)
    assert world.alarms == []
    world.hear(Kind.BUDGET_ALERT, account="global/2026-11-20", **money)
    assert world.told[0].data["message"] == "$4.1000 of $5.0000 of the account global/2026-11-20 is spent"
    world.hear(Kind.BUDGET_OVERRUN, account="run/r-1", overrun=70, **money)
    assert world.alarms == ["budget", "budget_overrun"]


# ---------------------------------------------------------------------------------------------------------- as events


def test_an_alarm_is_an_event_of_the_process_with_a_number_of_its_own() -> None:
    world = World(verdicts=10, flaps=2)
    world.judge(*["reject"] * 10)
    world.trip(7.5)
    world.trip(8.5)
    assert [(event.run, event.seq, event.kind, event.tenant) for event in world.told] == [
        ("", 1, "alarm", ""), ("", 2, "alarm", "")
    ]  # fmt: skip
    assert [(event.at, event.data["run"]) for event in world.told] == [(0.0, "r-1"), (8.5, "r-1")]


def test_a_watch_that_hears_its_own_alarms_raises_no_more() -> None:
    heard: list[Event] = []

    def back(event: Event) -> None:
        heard.append(event)
        watch(event)

    watch = Watch([back])
    for seq in range(20):
        watch(Event("r-1", seq, 0.0, Kind.VERDICT, "acme", "", "run", {"decision": "reject", "reasons": 1}))
    assert len(heard) == 1


@agent()
async def harsh(brief: Brief, ctx: AgentContext) -> str:
    """Rejects its own drafts."""
    ctx.judge("reject", 1)
    return "done"


async def test_a_coordinator_tells_its_observers_of_alarms_by_the_thresholds_of_its_settings() -> None:
    told: list[Event] = []
    settings = Settings(world={}, alarms={"fewest_verdicts": 3})
    async with Coordinator(Team(harsh), settings, observers=[told.append]) as coordinator:
        runs = [(await coordinator.run("hello")).run_id for _ in range(5)]
    (alarm,) = [event for event in told if event.kind is Kind.ALARM]
    assert alarm.data == {
        "alarm": "accept_rate", "message": "only 0% of the last 3 drafts were accepted by their reviewers",
        "run": runs[2], "rate": 0.0, "threshold": 0.7, "count": 3,
    }  # fmt: skip


async def test_where_nobody_observes_nothing_is_watched_and_a_run_says_nothing() -> None:
    async with Coordinator(Team(harsh), Settings(world={})) as coordinator:
        assert coordinator._watch.told == ()


async def test_an_observer_that_raises_at_an_alarm_is_dropped_and_the_others_hear_it() -> None:
    heard: list[Event] = []

    def bad(event: Event) -> None:
        if event.kind is Kind.ALARM:
            raise ZeroDivisionError

    settings = Settings(world={}, alarms={"fewest_verdicts": 1})
    async with Coordinator(Team(harsh), settings, observers=[bad, heard.append]) as coordinator:
        assert (await coordinator.run("hello")).status == "completed"
    assert [event.kind for event in heard if event.kind is Kind.ALARM] == [Kind.ALARM]
