from typing import Any

import pytest

from coordinator import Coordinator
from coordinator.domain.errors import Invalid
from coordinator.domain.limits import GateLimits
from coordinator.domain.team import Team, agent
from coordinator.domain.tool import tool
from coordinator.policies.rate_names import check_rates
from coordinator.settings import Settings, load_settings

SOME = GateLimits(requests=10)


def find_elsewhere(what: str) -> str:
    return what


@tool(fallbacks=[find_elsewhere])
def find(what: str) -> str:
    """Find something."""
    return what


@agent(tools=[find])
async def analyst(brief: Any, ctx: Any) -> str:
    """Looks."""
    return ""


TEAM = Team(analyst)


@pytest.mark.parametrize(
    "name",
    ["find", "find#0", "find#1", "agent:analyst", "agent:*", "user:*", "user:u-7", "tenant:acme", "tenant:*", "global",
     "offline:*", "openai:some-model", "provider:offline"],
)  # fmt: skip
def test_names_that_mean_something_pass(name):
    check_rates({name: SOME}, TEAM)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fnd", "find"),
        ("find#2", "0 to 1"),
        ("find#x", "0 to 1"),
        ("agent:analist", "analyst"),
        ("tennant:acme", "tenant:acme"),
        ("users:*", "user:*"),
        ("user:", "user:*"),
        ("globl", "global"),
    ],
)
def test_a_name_that_would_limit_nothing_is_refused_with_the_nearest(name, hint):
    with pytest.raises(Invalid) as invalid:
        check_rates({name: SOME}, TEAM)
    assert invalid.value.code == "bad_settings"
    assert name in invalid.value.message
    assert hint in invalid.value.hint
    assert "\n" not in str(invalid.value)


def test_tokens_of_a_tool_are_no_limit():
    with pytest.raises(Invalid):
        check_rates({"find": GateLimits(tokens=10)}, TEAM)
    check_rates({"find": GateLimits(requests=1, tokens=10)}, TEAM)


def test_a_coordinator_refuses_such_names_before_anything_runs():
    with pytest.raises(Invalid) as invalid:
        Coordinator(TEAM, Settings(rates={"agent:analist": {"requests": 1}}, world={}))
    assert invalid.value.code == "bad_settings"


@pytest.mark.parametrize("rate", [{}, {"requests": 0}, {"requests": 1, "burst": 1.0}, {"tokens": 5, "per_s": 0}])
def test_rates_that_limit_nothing_or_make_no_sense_are_refused(rate, tmp_path):
    with pytest.raises(Invalid) as invalid:
        load_settings(tmp_path, rates={"find": rate})
    assert invalid.value.code == "bad_settings"
    assert "\n" not in str(invalid.value)
