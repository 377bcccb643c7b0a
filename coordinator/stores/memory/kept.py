"""What is there for as long as somebody keeps it."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Something that may be found again while anybody has this: it can be referred to weakly, what is compiled cannot.

    Args:
        held: the thing itself, which does not know of it.
    """

    __slots__ = ("__weakref__", "held")

    def __init__(self, held: T) -> None:
        self.held = held
