"""Teller: what the events of a call say of it; one for each kind of call."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from coordinator.domain.calls import Call
from coordinator.domain.events import Kind

C_contra = TypeVar("C_contra", bound=Call, contravariant=True)
R_contra = TypeVar("R_contra", contravariant=True)

Facts = Mapping[str, Any]


class Teller(Protocol[C_contra, R_contra]):
    """What is said about calls of one kind: names and numbers, and content only where that is asked for."""

    started: Kind
    ended: Kind

    def count(self, call: C_contra) -> None:
        """Count the call in its run."""

    def opening(self, call: C_contra) -> Facts:
        """Name what is called."""

    def closing(self, call: C_contra, reply: R_contra) -> dict[str, Any]:
        """Tell how it went; `code` is `ok` or the reason why it did not."""

    def failing(self, call: C_contra, error: BaseException) -> dict[str, Any]:
        """Tell what the call was, when *error* ended it."""
