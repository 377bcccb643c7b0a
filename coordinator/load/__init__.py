"""Many runs at once, measured: throughput, latency, money, refusals, waiting, memory; in real or in virtual time."""

from coordinator.load.driving import Progress
from coordinator.load.plan import LoadPlan, WarmUp
from coordinator.load.report import LoadReport
from coordinator.load.testing import LoadTest, load, load_virtual

__all__ = ["LoadPlan", "LoadReport", "LoadTest", "Progress", "WarmUp", "load", "load_virtual"]
