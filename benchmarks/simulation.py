"""Simulated worlds a second: 50 runs each of the support scenario, faults and limits drawn, everything checked."""

import os
import time
from pathlib import Path

from measured import build

from coordinator.app.collector import relax_collector
from coordinator.simulate import simulate

SCENARIO = Path(__file__).parent.parent / "scenarios" / "support_ticket.yaml"
SEEDS = 60


def main() -> None:
    """Print the figure for one process, and for one process a core."""
    print(f"simulated worlds, {build()}:")
    relax_collector()
    simulate(SCENARIO, seeds=2)
    for workers in (1, os.cpu_count() or 1):
        began, busy = time.perf_counter(), time.process_time()
        report = simulate(SCENARIO, seeds=SEEDS, workers=workers)
        rate = SEEDS / (time.perf_counter() - began)
        assert report.ok, str(report)
        cpu = f", {(time.process_time() - busy) / SEEDS * 1e3:.0f} ms CPU each" if workers == 1 else ""
        print(f"simulated worlds of 50 runs, {workers} processes: {rate:.1f} a second{cpu}")


if __name__ == "__main__":
    main()
