"""The runs that a Coordinator started: they belong to it, and go on when nobody watches."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from coordinator.domain.errors import Invalid
from coordinator.domain.result import RunResult
from coordinator.domain.value import value
from coordinator.engine.handle import EventFeed, RunHandle

KEPT_KEYS = 10_000


@value
class Prepared:
    """A run about to start: its id, its work, and what its result is when it is cancelled."""

    run_id: str
    work: Coroutine[Any, Any, RunResult]
    cancelled: Callable[[], RunResult]


class Started:
    """Keeps what was started: every task until it ends, and handles by key, so that a repeated start starts nothing.

    Args:
        most: keys that are kept; the oldest whose run has ended is forgotten first.
    """

    def __init__(self, most: int = KEPT_KEYS) -> None:
        self._most = most
        self._running: set[asyncio.Task[RunResult]] = set()
        self._keys: OrderedDict[tuple[str, str], tuple[str, RunHandle]] = OrderedDict()

    def begin(self, prepare: Callable[[EventFeed], Prepared]) -> RunHandle:
        """Start what *prepare* makes, in a task of its own: an error of one run must not end the others of a group.

        Args:
            prepare: makes the run that tells its events to the feed it is given.
        """
        feed = EventFeed()
        run = prepare(feed)
        task = asyncio.get_running_loop().create_task(run.work, name=run.run_id)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return RunHandle(run.run_id, task, feed, run.cancelled)

    def known(self, tenant: str, key: str, digest: str) -> RunHandle | None:
        """Return the run that *tenant* started under *key*, if there is one; not one that may be asked for again.

        Raises:
            Invalid: `key_reused`, when it was another task.
        """
        entry = self._keys.get((tenant, key))
        if entry is None:
            return None
        if entry[0] != digest:
            raise Invalid(
                f"key {key!r} was used for another task", code="key_reused", hint="give every task a key of its own"
            )
        if entry[1].refused_for_now:
            del self._keys[tenant, key]
            return None
        return entry[1]

    def keep(self, tenant: str, key: str, digest: str, handle: RunHandle) -> None:
        """Remember *handle* under *key*."""
        self._keys[tenant, key] = (digest, handle)
        while len(self._keys) > self._most:
            ended = next((name for name, (_, kept) in self._keys.items() if kept.done), None)
            if ended is None:
                return
            del self._keys[ended]

    async def close(self) -> None:
        """Cancel everything that still runs, and wait until it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
