"""The waist: every policy is a layer around a call, and a pipeline is layers in a stated order."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from coordinator.domain.ports import Reservation

Q = TypeVar("Q")
R = TypeVar("R")

Handler = Callable[[Q], Awaitable[R]]


class Turn(Protocol):
    """A place in somebody's queue for the money of one call."""

    async def wait(self) -> Reservation:
        """Wait until the money can be held, and hold it."""

    def at_once(self) -> Reservation | None:
        """Hold the money ahead of those who wait, because the call has had its turn; None when others hold it."""

    def go_on(self, held: Reservation) -> Awaitable[Any]:
        """Carry the call out with the money that is held for it."""


class MustWait(Exception):
    """Others hold the money that a call needs, and nothing was sent: who holds a place for it gives that back first.

    A place that is kept meanwhile would let the call go out at another time than the one for which it was given.

    Args:
        turn: how to wait for the money, and to go on.
    """

    def __init__(self, turn: Turn) -> None:
        super().__init__("others hold the money")
        self.turn = turn


class Layer(Protocol[Q, R]):
    """One policy around a call: decide, call *then* (or do not), account for what came back."""

    async def __call__(self, call: Q, then: Handler[Q, R], /) -> R: ...


def onion(core: Handler[Q, R], *layers: Layer[Q, R]) -> Handler[Q, R]:
    """Wrap *core* in *layers*; the first layer listed is the outermost."""
    handler = core
    for layer in reversed(layers):
        handler = _wrap(layer, handler)
    return handler


def _wrap(layer: Layer[Q, R], then: Handler[Q, R]) -> Handler[Q, R]:
    # A plain closure over the bound method costs 90 ns a layer and no coroutine frame of its own; calling the layer
    # itself costs 220, functools.partial more.
    step = layer.__call__
    return lambda call: step(call, then)
