import asyncio

import pytest

from coordinator.domain.errors import Refused
from coordinator.stores.memory.stragglers import Stragglers


class Errand:
    """Remembers what it was told."""

    def __init__(self, name="slow#0"):
        self.name = name
        self.told = []

    def left(self):
        self.told.append("left")

    def late(self, error):
        self.told.append("done" if error is None else type(error).__name__)


async def test_what_goes_on_alone_is_recorded_and_its_end_is_told():
    stragglers, errands = Stragglers(), [Errand(), Errand()]
    kept = [stragglers.keep(errand) for errand in errands]
    await asyncio.sleep(3)
    state = stragglers.snapshot()
    assert (state.working, state.ended) == (("slow#0", "slow#0"), 0)
    assert state.oldest_s == pytest.approx(3, abs=1e-3)
    kept[0].ended(None)
    kept[1].ended(ValueError())
    assert [errand.told for errand in errands] == [["left", "done"], ["left", "ValueError"]]
    state = stragglers.snapshot()
    assert (state.working, state.ended, state.failed, state.oldest_s) == ((), 2, 1, 0.0)


async def test_when_it_is_full_new_blocking_work_is_refused_in_passing():
    stragglers = Stragglers(most=2, retry_after_s=3)
    kept = [stragglers.keep(Errand()) for _ in range(2)]
    with pytest.raises(Refused) as refused:
        stragglers.check()
    assert (refused.value.code, refused.value.passing, refused.value.retry_after) == ("stragglers_full", True, 3)
    kept[0].ended(None)
    stragglers.check()
    assert stragglers.snapshot().refused == 1


async def test_when_it_is_full_other_work_is_refused_only_to_those_who_fill_it():
    stragglers = Stragglers(most=1)
    stragglers.keep(Errand("slow#0"))
    stragglers.check("other#0")
    with pytest.raises(Refused):
        stragglers.check("slow#0")


async def test_what_has_begun_is_kept_even_when_it_is_full():
    stragglers = Stragglers(most=1)
    for _ in range(3):
        stragglers.keep(Errand())
    assert len(stragglers.snapshot().working) == 3


async def test_draining_waits_for_all_and_counts_those_that_still_go_on():
    stragglers = Stragglers()
    assert await stragglers.drained(1) == 0
    loop = asyncio.get_running_loop()
    for seconds in (1, 2, 9):
        loop.call_later(seconds, stragglers.keep(Errand()).ended, None)
    assert await stragglers.drained(5) == 1
    assert loop.time() == pytest.approx(5, abs=1e-2)
    assert await stragglers.drained(5) == 0
    assert loop.time() == pytest.approx(9, abs=1e-2)
    assert (await asyncio.gather(stragglers.drained(1), stragglers.drained(1))) == [0, 0]
