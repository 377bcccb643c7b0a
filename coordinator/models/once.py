"""What is made of a value once, and found again by the value's identity."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 1024


class Once(Generic[K, V]):
    """Makes something of each value that it is given, and gives the same again for the same object.

    Values that hold schemas cannot be hashed, and to compare them costs more than to find them.

    Args:
        make: what to make of one value.
    """

    __slots__ = ("_known", "_make")

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._known: dict[int, tuple[K, V]] = {}

    def __call__(self, thing: K) -> V:
        """Return what was made of *thing*; who makes new things for ever is forgotten now and then."""
        known = self._known.get(id(thing))
        if known is not None and known[0] is thing:
            return known[1]
        if len(self._known) >= MOST:
            self._known.clear()
        made = self._make(thing)
        self._known[id(thing)] = (thing, made)
        return made
