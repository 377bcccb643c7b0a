"""What a Coordinator needs from outside itself."""

import random
import time
import uuid

from coordinator.domain.ports import Chance, NewId, Stamp
from coordinator.domain.value import value


def _new_id() -> str:
    return f"r-{uuid.uuid4().hex[:12]}"


@value
class Ports:
    """Clock, ids and randomness, to be replaced where runs must repeat exactly.

    *stamp*: UTC seconds; *new_id*: names of runs; *chance*: randomness of retries.
    """

    stamp: Stamp = time.time
    new_id: NewId = _new_id
    chance: Chance = random.random
