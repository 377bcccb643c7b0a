"""Scenarios: a task with its world, its faults and what must come out; read, run and judged."""

from coordinator.scenario.judging import Tally, judge
from coordinator.scenario.opening import Overrides, open_scenario, run_scenario
from coordinator.scenario.running import Scenario
from coordinator.scenario.schema import json_schema

__all__ = ["Overrides", "Scenario", "Tally", "json_schema", "judge", "open_scenario", "run_scenario"]
