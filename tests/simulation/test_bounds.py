"""What gates say that they have let through is held against their limits, window by window."""

from types import SimpleNamespace
from typing import Any

import pytest

from coordinator.domain.limits import GateLimits
from coordinator.settings import Settings
from coordinator.simulate.bounds import bounds_of
from coordinator.simulation.bounds import Bounds, Passages

LIMITS = GateLimits(requests=10, tokens=100, window_s=5, queue=3)
CALM = SimpleNamespace(running=0, waiting=0)


def gate(requests: int = 0, tokens: float = 0.0, waiting: int = 0, name: str = "m:m") -> Any:
    return SimpleNamespace(name=name, passed=(requests, tokens, waiting))


def looked(*states: tuple[float, Any]) -> list[str]:
    passages = Passages(Bounds(lambda name: LIMITS, 2, 2))
    return [breach for now, state in states for breach in passages.look([state], CALM, now)]


@pytest.mark.parametrize(("first", "then"), [(gate(0, 0), gate(10, 100)), (gate(7, 70), gate(17, 170))])
def test_a_window_may_be_full(first: Any, then: Any) -> None:
    assert looked((0, first), (4.9, then)) == []


def test_a_window_that_lets_more_requests_or_tokens_through_is_told() -> None:
    [requests] = looked((0, gate()), (4, gate(11, 50)))
    assert requests == "gate: 11 requests passed m:m within 5 s, where 10 may"
    [tokens] = looked((0, gate()), (4, gate(5, 101)))
    assert tokens == "gate: 101 tokens passed m:m within 5 s, where 100 may"


def test_what_may_have_come_before_the_window_does_not_count() -> None:
    assert looked((0, gate()), (5.1, gate(15, 150))) == []


def test_a_queue_and_an_admission_that_are_too_long_are_told() -> None:
    assert looked((0, gate(waiting=4))) == ["gate: 4 calls wait for m:m, where 3 may"]
    passages = Passages(Bounds(lambda name: None, 2, 2))
    assert len(list(passages.look([], SimpleNamespace(running=3, waiting=0), 0.0))) == 1


def test_a_scope_that_some_calls_went_around_is_told() -> None:
    passages = Passages(Bounds(lambda name: None, 2, 2, ("tenant", "global")))
    around = [
        gate(3),
        gate(2, name="look#0"),
        gate(3, name="tenant a"),
        gate(2, name="tenant b"),
        gate(4, name="global"),
    ]
    assert list(passages.at_end(around)) == ["gate: 5 calls passed in all, and 4 of them the limit of global"]


@pytest.mark.parametrize(
    ("gate_name", "rate"),
    [
        ("user acme/u-7", "user:u-7"),
        ("user acme/u-8", "user:*"),
        ("tenant acme", "tenant:*"),
        ("agent writer", "agent:writer"),
        ("agent editor", None),
        ("provider offline", "provider:offline"),
        ("global", "global"),
        ("offline:offline", "offline:*"),
        ("look#1", "look"),
    ],
)
def test_every_gate_has_the_limits_that_settings_give_it(gate_name: str, rate: str | None) -> None:
    named = ["user:u-7", "user:*", "tenant:*", "agent:writer", "provider:offline", "global", "offline:*", "look"]
    rates = {name: {"requests": number} for number, name in enumerate(named, start=1)}
    limits = bounds_of(Settings(rates=rates)).limits(gate_name)
    assert (limits and limits.requests) == (named.index(rate) + 1 if rate else None)
