"""The garbage collector beside a world: it looks when the world says so, not when the process has made much.

What it finds is closed there and then: `finally` blocks run, and read the clock of whichever world is running. When it
looks depends on all that the process has made before; so a seed would be another world among others than alone.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 1
"""The oldest generation that is looked at: what came before the world is older, and left alone."""
EVERY = 50_000
"""Events between two looks; of so many, what has piled up is at most some 60 MB."""


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let the collector find nothing of its own accord; what is young garbage now is found before."""
    worked = gc.isenabled()
    gc.disable()
    try:
        gc.collect(YOUNG)
        yield
    finally:
        if worked:
            gc.enable()


def collect(events: int) -> None:
    """Let the collector look, when the number of *events* says so."""
    if events % EVERY == 0:
        gc.collect(YOUNG)
