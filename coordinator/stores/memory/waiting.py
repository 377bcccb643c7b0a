"""Where calls wait for money that others hold: one fair queue for each account that lacks it."""

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import FairQueue
from coordinator.domain.ports import Stamp
from coordinator.stores.memory.books import Ask, Book, full, late

if TYPE_CHECKING:
    from coordinator.stores.memory.ledger import Reservation

# A clock that has not moved when its day should have ended is asked again after so many seconds.
SHORTEST_WAIT_S = 1.0


class WaitingRoom:
    """Everybody who waits, each in the queue of one account: the narrowest that lacks the money.

    Accounts are nested, so who touches a narrow one touches all the wider ones behind it. Who has got through a narrow
    queue joins the next wider one, and no call of its own tenant that came later can take what it had there, because
    all of them stand behind it in the wider queue. So large claims do not starve behind small ones, and a run that
    waits for itself stops nobody else.

    After every change the head of each queue is one whom that very account keeps waiting, which means that somebody
    holds money on it and will settle. So nobody waits for ever.

    Args:
        take: holds an amount on accounts of this room, once it fits.
        most: how many may wait; beyond it the tenant with the most gives way.
        stamp: the injected clock, by which days end.
    """

    __slots__ = ("_most", "_roll", "_roll_at", "_stamp", "_take", "asks")

    def __init__(
        self, take: "Callable[[WaitingRoom, list[Book], int], Reservation]", most: int, stamp: Stamp | None = None
    ) -> None:
        self._take = take
        self._most = most
        self._stamp = stamp
        self.asks: dict[Ask, None] = {}
        """Everybody who waits."""
        self._roll: asyncio.TimerHandle | None = None
        self._roll_at = math.inf

    @property
    def size(self) -> int:
        """How many wait."""
        return len(self.asks)

    async def wait(self, ask: Ask, at: Book, deadline: float) -> "Reservation | None":
        """Wait in the queue of *at* until *ask* is granted; None when a day of its accounts has ended.

        Raises:
            Refused: `budget_exhausted`, `budget_queue_full` or `deadline_out_of_reach`.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= deadline:
            raise late(at, ask)
        crowded = len(self.asks) >= self._most
        if crowded:
            self._make_room(at, ask)
        answer = ask.answer = loop.create_future()
        self.asks[ask] = None
        self._join(ask, at)
        if deadline < math.inf:
            ask.timer = loop.call_at(deadline, self._expire, ask)
        self._watch_day(loop, ask)
        if crowded:  # who gave way may have been all that *ask* was waiting for
            self.serve(at)
        try:
            found: Reservation | Refused | None = await answer
        except BaseException:
            self._desert(ask)
            raise
        if isinstance(found, Refused):
            raise found
        return found

    def serve(self, book: Book) -> None:
        """Serve who waits for *book*, until its first in line must go on waiting for it."""
        while book.queue is not None:
            ask = book.queue.head()
            if ask is None:
                return
            found = None if ask.answer is None or ask.answer.done() else ask.grant()
            if found is book:
                return
            if isinstance(found, Book):
                self._part(ask, book)
                self._join(ask, found)
            elif isinstance(found, int):
                self._end(ask, self._take(self, ask.books, found), served=True)
            else:
                self._end(ask, found)

    def _join(self, ask: Ask, book: Book) -> None:
        if book.queue is None:
            book.queue = FairQueue()
        book.queue.join(ask, ask.standing)
        ask.at = book

    def _part(self, ask: Ask, book: Book, *, served: bool = False) -> None:
        queue = book.queue
        assert queue is not None
        if served:
            queue.serve(ask)
        else:
            queue.leave(ask)
        ask.at = None
        if not queue.size:
            book.queue = None

    def _end(self, ask: Ask, found: "Reservation | Refused | None", *, served: bool = False) -> None:
        """Take *ask* out of the room with its answer, unless its task was cancelled in this turn of the loop."""
        if ask.at is not None:
            self._part(ask, ask.at, served=served)
        self.asks.pop(ask, None)
        if ask.timer is not None:
            ask.timer.cancel()
        if ask.answer is not None and not ask.answer.done():
            ask.answer.set_result(found)
        if not self.asks and self._roll is not None:
            self._roll.cancel()
            self._roll, self._roll_at = None, math.inf

    def _desert(self, ask: Ask) -> None:
        answer, at = ask.answer, ask.at
        if answer is not None and answer.done() and not answer.cancelled():
            # Granted and cancelled in the same turn of the loop: nobody else knows of this reservation.
            found = answer.result()
            if found is not None and not isinstance(found, Refused):
                found.release()
            return
        self._end(ask, None)
        if at is not None:
            self.serve(at)

    def _expire(self, ask: Ask) -> None:
        at = ask.at
        if at is not None:
            self._end(ask, late(at, ask))
            self.serve(at)

    def _make_room(self, at: Book, ask: Ask) -> None:
        victim = at.queue.victim(ask.standing) if at.queue is not None else None
        no = full(at, victim or ask, len(self.asks))
        if victim is None:
            raise no
        self._end(victim, no)

    def _watch_day(self, loop: asyncio.AbstractEventLoop, ask: Ask) -> None:
        ends = min(book.expires for book in ask.books)
        if self._stamp is None or ends >= self._roll_at:
            return
        if self._roll is not None:
            self._roll.cancel()
        self._roll_at = ends
        self._roll = loop.call_later(max(SHORTEST_WAIT_S, ends - self._stamp()), self._end_day, loop)

    def _end_day(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send all whose accounts have expired to ask again for those of today."""
        self._roll, self._roll_at = None, math.inf
        now = self._stamp() if self._stamp else -math.inf
        freed = {}
        for ask in list(self.asks):
            if min(book.expires for book in ask.books) <= now:
                if ask.at is not None:
                    freed[ask.at.name] = ask.at
                self._end(ask, None)
        for book in freed.values():
            self.serve(book)
        for ask in self.asks:
            self._watch_day(loop, ask)
