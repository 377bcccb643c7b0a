"""Which accounts are forgotten when there is no place for another one."""

import heapq
import math
from collections.abc import Collection, Iterator, Sequence

from coordinator.stores.memory.books import Book

# Looking through all accounts is slow: so large a share of them is forgotten at once.
SHARE = 0.02


def forgettable(books: Collection[Book], spared: Collection[str]) -> list[str]:
    """Name the accounts of *books* that are forgotten to make room; none when all of them are needed.

    Nothing is lost with those that nobody uses and on which nothing is settled. Where these are too few, sessions go
    that nobody uses just now, those of the tenant that has the most of them first; of one tenant those that were used
    on the earliest day, the oldest first. What is spent of a day, a period or a run is never forgotten.

    Args:
        books: all of them, in the order in which they were opened.
        spared: names of those that somebody is about to use.
    """
    idle = [book for book in books if book.idle and book.name not in spared]
    unspent = [book.name for book in idle if not book.settled]
    lacking = math.ceil(SHARE * len(books)) - len(unspent)
    return [*unspent, *_sessions([book for book in idle if book.settled], lacking)]


def _sessions(idle: Sequence[Book], most: int) -> Iterator[str]:
    """Yield up to *most* names of sessions."""
    by_tenant: dict[str, list[Book]] = {}
    for book in idle:
        kind, _, owner = book.name.partition("/")  # as in `session/TENANT/USER/SESSION`
        if kind == "session":
            by_tenant.setdefault(owner.partition("/")[0], []).append(book)
    for sessions in by_tenant.values():
        sessions.reverse()
        sessions.sort(key=lambda book: -book.expires)  # the next to go stands last
    crowds = [(-len(sessions), tenant) for tenant, sessions in by_tenant.items()]
    heapq.heapify(crowds)
    while crowds and most > 0:
        _, tenant = heapq.heappop(crowds)
        sessions = by_tenant[tenant]
        yield sessions.pop().name
        most -= 1
        if sessions:
            heapq.heappush(crowds, (-len(sessions), tenant))
