"""How long `from coordinator import Coordinator` takes, in fresh processes with warm files: at most 0.3 s."""

import statistics
import subprocess
import sys

RUNS, LIMIT = 7, 0.3
IMPORT = "from coordinator import Coordinator"
CODE = f"import time; begin = time.perf_counter(); {IMPORT}; print(time.perf_counter() - begin)"


def once() -> float:
    """Return the seconds that the import took in a process of its own."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print the best and the median of several runs; the first warms the files and is not counted."""
    once()
    taken = [once() for _ in range(RUNS)]
    verdict = "within" if min(taken) <= LIMIT else "ABOVE"
    print(f"{IMPORT}: best {min(taken):.3f} s, median {statistics.median(taken):.3f} s of {RUNS}", end="")
    print(f" ({verdict} the limit of {LIMIT} s)")


if __name__ == "__main__":
    main()
