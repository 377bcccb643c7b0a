"""How long `coordinator run scenarios/support_ticket.yaml` takes from start to end, warm: at most 1.5 s."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS, LIMIT = 5, 1.5
ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "coordinator", "run", "scenarios/support_ticket.yaml"]


def once() -> float:
    """Return the seconds from starting the process to its end."""
    begin = time.perf_counter()
    done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begin
    if done.returncode != 0:
        sys.exit(f"{' '.join(COMMAND[1:])} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return taken


def main() -> None:
    """Print the best and the median of several runs; the first warms the files and is not counted."""
    once()
    taken = [once() for _ in range(RUNS)]
    verdict = "within" if min(taken) <= LIMIT else "ABOVE"
    print(f"coordinator run: best {min(taken):.3f} s, median {statistics.median(taken):.3f} s of {RUNS}", end="")
    print(f" ({verdict} the limit of {LIMIT} s)")


if __name__ == "__main__":
    main()
