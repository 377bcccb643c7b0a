"""Laws of work that its caller leaves: threads, inline work, and async tools that do not care for cancellation."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from coordinator.domain.errors import Refused
from coordinator.engine.apart import GRACE_S, Apart
from coordinator.engine.offload import Threads
from coordinator.simulation.offload import Inline
from coordinator.simulation.stacks import places
from coordinator.stores.memory.stragglers import Stragglers


class Errand:
    """Remembers what it was told."""

    name = "slow#0"

    def __init__(self) -> None:
        self.told: list[str] = []

    def left(self) -> None:
        self.told.append("left")

    def late(self, error: BaseException | None) -> None:
        self.told.append("done" if error is None else type(error).__name__)


def now() -> float:
    return asyncio.get_running_loop().time()


def begin(work: Any) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(work)


async def cancelled(task: asyncio.Task[Any]) -> float:
    """Cancel *task* and return how many seconds it took to end."""
    began = now()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    return now() - began


class Stuck:
    """Blocking work that ends when it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.began = threading.Event()
        self.free = threading.Event()
        self.error = error

    def __call__(self, given: str = "result") -> str:
        self.began.set()
        assert self.free.wait(10)
        if self.error:
            raise self.error
        return given

    async def until_it_begins(self) -> None:
        assert await asyncio.to_thread(self.began.wait, 10)


@pytest.mark.real_time
async def test_a_thread_brings_its_result_or_its_error() -> None:
    stuck, threads = Stuck(), Threads(Stragglers())
    stuck.free.set()
    assert await threads(stuck, "x") == "x"
    with pytest.raises(ZeroDivisionError):
        await threads(lambda: 1 / 0)


@pytest.mark.real_time
@pytest.mark.parametrize(("error", "told"), [(None, "done"), (ValueError("late"), "ValueError")])
async def test_a_blocked_thread_holds_nobody_and_its_end_is_told(error: Exception | None, told: str) -> None:
    stuck, stragglers, errand = Stuck(error), Stragglers(), Errand()
    task = begin(Threads(stragglers)(stuck, errand=errand))
    await stuck.until_it_begins()
    assert await cancelled(task) < 0.5
    assert (stragglers.snapshot().working, errand.told) == (("slow#0",), ["left"])
    stuck.free.set()
    assert await stragglers.drained(5) == 0
    assert errand.told == ["left", told]


@pytest.mark.real_time
async def test_work_that_was_left_before_it_began_is_never_done() -> None:
    stuck, other, stragglers, errand = Stuck(), Stuck(), Stragglers(), Errand()
    threads = Threads(stragglers, most=1)
    first = begin(threads(stuck))
    await stuck.until_it_begins()
    waits = begin(threads(other, errand=errand))
    await asyncio.sleep(0.01)
    await cancelled(waits)
    stuck.free.set()
    assert await first == "result"
    assert (other.began.is_set(), errand.told, stragglers.snapshot().working) == (False, [], ())


@pytest.mark.real_time
async def test_an_abandoned_thread_leaves_its_place_to_others_until_there_are_too_many() -> None:
    stragglers = Stragglers(most=2)
    threads = Threads(stragglers, most=1)
    stuck = [Stuck(), Stuck()]
    for work in stuck:
        task = begin(threads(work))
        await work.until_it_begins()
        await cancelled(task)
    with pytest.raises(Refused) as refused:
        await threads(Stuck())
    assert refused.value.code == "stragglers_full"
    for work in stuck:
        work.free.set()
    assert await stragglers.drained(5) == 0
    free = Stuck()
    free.free.set()
    assert await threads(free) == "result"


@pytest.mark.real_time
async def test_who_waited_for_a_thread_is_refused_when_too_many_have_been_abandoned_meanwhile() -> None:
    stragglers = Stragglers(most=1)
    threads = Threads(stragglers, most=1)
    stuck, other = Stuck(), Stuck()
    first = begin(threads(stuck))
    await stuck.until_it_begins()
    second = begin(threads(other))
    await asyncio.sleep(0)
    await cancelled(first)
    with pytest.raises(Refused) as refused:
        await second
    assert (refused.value.code, other.began.is_set()) == ("stragglers_full", False)
    stuck.free.set()
    assert await stragglers.drained(5) == 0


@pytest.mark.real_time
async def test_threads_that_are_abandoned_together_are_never_more_than_may_be() -> None:
    stragglers = Stragglers(most=3)
    threads = Threads(stragglers, most=2)
    work = [Stuck() for _ in range(8)]
    tasks = [begin(threads(one)) for one in work]
    for room in (work[:2], work[2:3]):  # of the second two, only one has room
        for one in room:
            await one.until_it_begins()
        for one, task in zip(work, tasks, strict=True):
            if one.began.is_set():
                task.cancel()
        await asyncio.wait(tasks, timeout=0)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(error, Refused) for error in ended] == [False] * 3 + [True] * 5
    assert sum(one.began.is_set() for one in work) == len(stragglers.snapshot().working) == 3
    for one in work:
        one.free.set()
    assert await stragglers.drained(5) == 0


async def test_inline_work_takes_seeded_virtual_time_and_is_done_in_the_loop() -> None:
    inline = Inline(Stragglers(), lambda: 0.5, longest_s=4)
    assert await inline(threading.current_thread) is threading.main_thread()
    assert now() == pytest.approx(2, abs=1e-3)
    with pytest.raises(ZeroDivisionError):
        await inline(lambda: 1 / 0)


@pytest.mark.parametrize(("work", "told"), [(list, "done"), (lambda: 1 / 0, "ZeroDivisionError")])
async def test_inline_work_whose_caller_is_cancelled_is_done_alone(work: Callable[[], Any], told: str) -> None:
    stragglers, errand = Stragglers(), Errand()
    task = begin(Inline(stragglers, lambda: 0.5, longest_s=4)(work, errand=errand))
    await asyncio.sleep(1)
    assert await cancelled(task) < 1e-3
    assert await stragglers.drained(5) == 0
    assert now() == pytest.approx(2, abs=1e-3)
    assert errand.told == ["left", told]


def apart(work: Any, stragglers: Stragglers | None = None, errand: Errand | None = None) -> asyncio.Task[Any]:
    loop = asyncio.get_running_loop()
    return begin(Apart(stragglers or Stragglers())(lambda: work, loop, errand or Errand()))


async def test_work_apart_brings_its_result_or_its_error() -> None:
    async def fails() -> None:
        await asyncio.sleep(1)
        raise LookupError

    assert await apart(asyncio.sleep(1, "x")) == "x"
    assert await apart(asyncio.sleep(0, "x")) == "x"
    with pytest.raises(LookupError):
        await apart(fails())


async def test_work_that_ends_when_it_is_cancelled_may_clean_up_and_is_no_straggler() -> None:
    stragglers, errand, cleaned = Stragglers(), Errand(), []

    async def careful() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(GRACE_S / 2)
            cleaned.append(True)

    task = apart(careful(), stragglers, errand)
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(GRACE_S / 4)
    task.cancel()  # a second time does not cut the grace short
    await asyncio.wait([task])
    assert (task.cancelled(), cleaned, errand.told, stragglers.snapshot().ended) == (True, [True], [], 0)


async def test_work_that_swallows_its_cancellation_holds_nobody_and_its_end_is_told() -> None:
    stragglers, errand = Stragglers(), Errand()

    async def deaf() -> None:
        for _ in range(10):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)

    task = apart(deaf(), stragglers, errand)
    await asyncio.sleep(1.5)
    assert await cancelled(task) == pytest.approx(GRACE_S, abs=1e-2)
    assert errand.told == ["left"]
    assert await stragglers.drained(60) == 0
    assert errand.told == ["left", "done"]
    assert 9 < now() < 11


@pytest.mark.parametrize(("error", "told"), [(None, "done"), (LookupError(), "LookupError")])
async def test_a_cancellation_is_never_lost_however_the_work_answers_it(error: Exception | None, told: str) -> None:
    stragglers, errand = Stragglers(), Errand()

    async def answers() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if error is not None:
                raise error from None
        return "as if nothing had happened"

    task = apart(answers(), stragglers, errand)
    await asyncio.sleep(1)
    assert await cancelled(task) < GRACE_S
    await asyncio.sleep(0)
    assert errand.told == ["left", told]
    assert stragglers.snapshot().working == ()


async def test_time_limits_inside_the_work_are_its_own() -> None:
    async def impatient() -> str:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(60)
        except TimeoutError:
            await asyncio.sleep(5)
        return "partial"

    assert await apart(impatient()) == "partial"
    assert now() == pytest.approx(6, abs=1e-2)


async def test_where_work_apart_waits_can_be_told() -> None:
    async def waits_here() -> None:
        await asyncio.sleep(5)

    task = apart(waits_here())
    await asyncio.sleep(1)
    waiting = next(other for other in asyncio.all_tasks() if "_begun" in places(other))
    assert "waits_here" in places(waiting)
    await task
