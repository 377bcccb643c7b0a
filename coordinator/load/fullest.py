"""The accounts that runs share, over time: of each kind the fullest few, from when they were among them."""

from collections.abc import Iterable
from heapq import nlargest
from typing import Any

from coordinator.load.timeline import Bin

FEW = 5
"""Accounts of a kind that are shown."""
MOST = 4 * FEW
"""Accounts of a kind that are followed: who was among the fullest once may not be in the end."""


OWN = frozenset({"run", "allowance"})
"""Kinds of accounts that belong to one run."""


def kind_of(account: str) -> str:
    """Return what an account is of, such as `tenant-day`."""
    return account.partition("/")[0]


class Fullest:
    """Writes down how full accounts are; what it keeps is bounded, however many accounts there are."""

    def __init__(self) -> None:
        self._followed: dict[str, set[str]] = {}
        self._next = 0.0

    def look(self, at: float, there: Bin, width: float, books: Iterable[Any]) -> None:
        """Look at *books* for the bin *there*, at the moment *at*; twice in the *width* of a bin is enough."""
        if at < self._next:
            return
        self._next = at + width / 2
        kinds: dict[str, list[Any]] = {}
        for book in books:
            kind = kind_of(book.name)
            if kind not in OWN:
                kinds.setdefault(kind, []).append(book)
        for kind, found in kinds.items():
            followed = self._followed.setdefault(kind, set())
            for book in nlargest(FEW, found, used):
                if len(followed) < MOST:
                    followed.add(book.name)
            there.used.update((book.name, used(book)) for book in found if book.name in followed)


def used(book: Any) -> float:
    """Return the share of an account's ceiling that is spent."""
    return float(book.settled / book.ceiling) if book.ceiling else 0.0
