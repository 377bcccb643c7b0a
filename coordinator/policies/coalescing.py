"""Coalescing: a request that is in flight is not sent a second time beside it."""

import asyncio
from typing import Protocol

from coordinator.domain.calls import ModelCall
from coordinator.domain.content import ANSWERED
from coordinator.domain.errors import Unsent
from coordinator.domain.layer import Handler
from coordinator.domain.model import Answered, ModelReply, Reuse
from coordinator.domain.money import Usage

Key = tuple[str, str, str]
"""Tenant, what is asked, and the digest of the request."""


class Prices(Protocol):
    """Says what a usage costs."""

    def reported(self, call: ModelCall, usage: Usage) -> int:
        """Return the micro-dollars that *usage* costs where *call* is sent."""


class Flight:
    """A request on its way, and who else waits for its reply; None tells them to ask anew."""

    __slots__ = ("left", "waiting")

    def __init__(self) -> None:
        self.left = False
        """Whether who sent it has left, so that one of the others may send it for all."""
        self.waiting: list[asyncio.Future[ModelReply | None]] = []

    async def reply(self, loop: asyncio.AbstractEventLoop) -> ModelReply | None:
        """Wait for the reply; whatever ends the wait otherwise is marked, as it comes to a call that was not sent."""
        waiter: asyncio.Future[ModelReply | None] = loop.create_future()
        self.waiting.append(waiter)
        try:
            return await waiter
        except BaseException as error:
            error.__cause__ = Unsent()
            raise


class Coalescing:
    """Lets a request of a tenant wait for the reply to the very same one, where that was sent and has no reply yet.

    It stands innermost, so that a call waits for nothing but the provider: its own gates, money and breaker it has
    passed, and gets all of it back, because nothing was sent. A reply that was cut off, and a failure, are their
    sender's alone: then every other sends its own request. When the sender is cancelled, one of the others sends it for
    all. Either way they pass gates, money and breaker again: leave that was given long ago is none.

    Args:
        prices: say what was spared.

    Raises:
        Answered: the reply came.
        Unsent: it will not come, and the call must begin anew. What ends the wait, such as a cancellation, has this as
            its cause.
    """

    __slots__ = ("_flights", "_prices")

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._flights: dict[Key, Flight] = {}

    async def __call__(self, call: ModelCall, then: Handler[ModelCall, ModelReply]) -> ModelReply:
        key = _key(call)
        flight = self._flights.get(key)
        if flight is None:
            return await self._send(call, then, key)
        run = call.scope.run
        let_down = run.own(self, _Steps)
        if call.step in let_down:
            return await then(call)
        reply = await flight.reply(run.loop)
        if reply is not None:
            raise Answered(reply.reused(Reuse.FLIGHT, self._prices.reported(call, reply.usage)))
        if not flight.left:
            let_down.add(call.step)
        raise Unsent

    async def _send(self, call: ModelCall, then: Handler[ModelCall, ModelReply], key: Key) -> ModelReply:
        flight = self._flights[key] = Flight()
        reply: ModelReply | None = None
        try:
            reply = await then(call)
        except asyncio.CancelledError:
            flight.left = True
            raise
        finally:
            del self._flights[key]
            answer = reply if reply is not None and reply.stop in ANSWERED else None
            for waiter in flight.waiting:
                if not waiter.done():
                    waiter.set_result(answer)
        return reply


class _Steps(set[str]):
    """The calls of a run that have waited in vain; they wait for nobody a second time."""


def _key(call: ModelCall) -> Key:
    return call.scope.run.tenant.tenant, call.dependency, call.digest
