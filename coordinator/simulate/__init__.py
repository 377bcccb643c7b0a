"""Simulation of a scenario or a team: many seeds, many runs in each, everything checked, repeatable by its seed."""

from coordinator.simulate.drawing import Terms
from coordinator.simulate.report import SimulationReport
from coordinator.simulate.seeds import simulate
from coordinator.simulate.stage import Stage
from coordinator.simulate.world import WorldReport

__all__ = ["SimulationReport", "Stage", "Terms", "WorldReport", "simulate"]
