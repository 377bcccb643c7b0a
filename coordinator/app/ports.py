"""What a Coordinator needs from outside itself."""

import os
import random
import time
from collections.abc import Callable

from coordinator.domain.errands import Offload, Stragglers
from coordinator.domain.ports import Chance, NewId, Stamp
from coordinator.domain.value import value
from coordinator.engine.offload import Threads
from coordinator.pipelines import Holders


def _new_id() -> str:
    return f"r-{os.urandom(6).hex()}"


def _as_built(held: Holders) -> Holders:
    return held


@value
class Ports:
    """Clock, ids, randomness and threads, to be replaced where runs must repeat exactly.

    *stamp*: UTC seconds; *new_id*: names of runs; *chance*: randomness of retries; *offload* makes the place where
    blocking work goes, given what keeps account of work whose caller has left; *around* may put something around the
    holders when they are built.
    """

    stamp: Stamp = time.time
    new_id: NewId = _new_id
    chance: Chance = random.random
    offload: Callable[[Stragglers], Offload] = Threads
    around: Callable[[Holders], Holders] = _as_built
