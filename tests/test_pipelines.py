"""The order of the layers is a decision; changing one means changing this page."""

from collections.abc import Iterable

import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent
from coordinator.pipelines import delegation_layers, model_layers, run_layers, tool_layers
from coordinator.simulation.faults import FaultRule


@pytest.fixture
def tiny() -> Coordinator:
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return brief.request

    return Coordinator(Team(manager), Settings(world={}))


def _names(layers: Iterable[object]) -> list[str]:
    return [type(layer).__name__ for layer in layers]


def test_layers_of_a_run_stand_in_this_order(tiny: Coordinator) -> None:
    assert _names(run_layers(tiny.held)) == ["Trace", "Admission", "Deadline"]


def test_layers_of_a_delegation_stand_in_this_order(tiny: Coordinator) -> None:
    assert _names(delegation_layers(tiny.held)) == ["Trace", "Rights", "Depth", "LoopGuard", "Deadline"]


def test_layers_of_a_model_call_stand_in_this_order(tiny: Coordinator) -> None:
    assert _names(model_layers(tiny.held)) == [
        "Trace", "Route", "Retry", "RateLimit", "Budget", "Breaker", "Timeout",
    ]  # fmt: skip


def test_cache_stands_outside_of_the_route_and_coalescing_innermost_where_settings_say_so(tiny: Coordinator) -> None:
    caching = Coordinator(tiny.team, Settings(world={}, cache={"for_s": 60}))
    assert _names(model_layers(caching.held)) == [
        "Trace", "Cache", "Route", "Retry", "RateLimit", "Budget", "Breaker", "Timeout", "Coalescing",
    ]  # fmt: skip


def test_layers_of_a_tool_call_stand_in_this_order(tiny: Coordinator) -> None:
    assert _names(tool_layers(tiny.held)) == [
        "Trace", "Rights", "Contract", "LoopGuard", "Fallback", "Retry", "RateLimit", "Budget", "Breaker", "Timeout",
        "OutputContract",
    ]  # fmt: skip


def test_faults_stand_innermost_and_only_where_a_scenario_names_them(tiny: Coordinator) -> None:
    faulty = Coordinator(tiny.team, Settings(world={}), faults=[FaultRule(tool="look", fail="error")])
    assert _names(tool_layers(faulty.held))[-2:] == ["OutputContract", "Faults"]
    assert _names(model_layers(faulty.held))[-1] == "Timeout"
    faulty = Coordinator(tiny.team, Settings(world={}), faults=[FaultRule(model="offline", fail="error")])
    assert _names(model_layers(faulty.held))[-2:] == ["Timeout", "Faults"]
    assert _names(tool_layers(faulty.held))[-1] == "OutputContract"
