"""A run that was started and is watched from outside: its events, its result, its end."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable

from coordinator.domain.errors import Invalid
from coordinator.domain.events import Event, Kind
from coordinator.domain.result import RunResult, Status

log = logging.getLogger("coordinator")

KEPT_EVENTS = 1_000


class EventFeed:
    """The observer of one run: keeps its newest events, for readers that come late or read slowly.

    Args:
        most: events that are kept; who falls further behind is dropped.
    """

    __slots__ = ("_ended", "_events", "_readers")

    def __init__(self, most: int = KEPT_EVENTS) -> None:
        self._events: deque[Event] = deque(maxlen=most)
        self._readers: set[asyncio.Future[None]] = set()
        self._ended = False

    def __call__(self, event: Event) -> None:
        """Keep *event* and wake the readers."""
        self._events.append(event)
        self._wake()

    def end(self) -> None:
        """Say that no event will come any more."""
        self._ended = True
        self._wake()

    async def read(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield every event whose number is above *after*, until the run has ended.

        A reader that falls so far behind that events it should see are gone gets a last event of the kind
        `events.dropped`, whose data counts what it missed.
        """
        while True:
            for event in [event for event in self._events if event.seq > after]:
                if event.seq > after + 1:
                    missed = {"missed": event.seq - after - 1}
                    yield Event(event.run, after, event.at, Kind.EVENTS_DROPPED, event.tenant, "", "run", missed)
                    return
                after = event.seq
                yield event
            if self._ended and not (self._events and self._events[-1].seq > after):
                return
            await self._news(after)

    async def _news(self, after: int) -> None:
        if self._ended or (self._events and self._events[-1].seq > after):
            return
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.add(news)
        try:
            await news
        finally:
            self._readers.discard(news)

    def _wake(self) -> None:
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)


class RunHandle:
    """A started run. It belongs to the Coordinator and goes on when nobody watches.

    Its events, its result and its end are for the event loop that it runs in: `Invalid` (`wrong_loop`) elsewhere.

    Nobody need ask for its result. Whatever goes wrong in a run is part of that, and of its events and the log; only
    wrong input that is found after the start, such as a tenant that a resolver does not know, is raised to who asks,
    and is else a line (INFO) in the log named coordinator, because a run that never began has no events.

    Args:
        run_id: its name.
        task: the task that runs it.
        feed: its events.
        cancelled: makes the result of a run that was cancelled.
    """

    __slots__ = ("_called_off", "_cancelled", "_feed", "_loop", "_outcome", "_task", "run_id")

    def __init__(
        self, run_id: str, task: asyncio.Task[RunResult], feed: EventFeed, cancelled: Callable[[], RunResult]
    ) -> None:
        self.run_id = run_id
        self._task = task
        self._feed = feed
        self._cancelled = cancelled
        self._called_off = False
        self._loop = task.get_loop()
        self._outcome: asyncio.Future[RunResult] = self._loop.create_future()
        task.add_done_callback(self._end)

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        return self._outcome.done()

    @property
    def refused_for_now(self) -> bool:
        """Whether the run was refused, and asking again after a while may succeed."""
        outcome = self._outcome
        ended = outcome.done() and not outcome.cancelled() and outcome.exception() is None
        return ended and outcome.result().status is Status.REFUSED and outcome.result().retry_after is not None

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield the run's events whose number is above *after*, live, until it ends; a slow reader is dropped."""
        self._check_loop()
        async for event in self._feed.read(after):
            yield event

    async def result(self) -> RunResult:
        """Await the result; cancelling the wait does not cancel the run."""
        self._check_loop()
        return await asyncio.shield(self._outcome)

    async def cancel(self) -> RunResult:
        """Cancel the run and await its result, whose status is `cancelled` unless the run had ended before."""
        self._check_loop()
        self._called_off = self._task.cancel() or self._called_off
        return await self.result()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise Invalid(
                f"run {self.run_id} was started in another event loop", code="wrong_loop",
                hint="watch and cancel it there: asyncio.run_coroutine_threadsafe(handle.result(), loop)",
            )  # fmt: skip

    def _end(self, task: asyncio.Task[RunResult]) -> None:
        self._feed.end()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._outcome.set_exception(error)
            if isinstance(error, Invalid):
                self._outcome.exception()  # as if somebody had asked, or asyncio would complain that nobody has
                log.info("run %s never began: %s", self.run_id, error)
        else:
            # Called off is called off, also when an agent has swallowed its cancellation and handed something back.
            self._outcome.set_result(self._cancelled() if task.cancelled() or self._called_off else task.result())
