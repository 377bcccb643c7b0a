"""Coalescing: a request that is in flight is not sent a second time beside it."""

import asyncio

from coordinator.domain import ports
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import ANSWERED
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply, Reuse

Key = tuple[str, str, str]
"""Tenant, what is asked, and the digest of the request."""


class Flight:
    """A request on its way, and who else waits for its reply; None tells them to ask for themselves."""

    __slots__ = ("left", "waiting")

    def __init__(self) -> None:
        self.left = False
        """Whether who sent it has left, so that one of the others may send it in its place."""
        self.waiting: list[asyncio.Future[ModelReply | None]] = []


class Coalescing:
    """Lets a request of a tenant wait for the reply to the very same one, where that was sent and has no reply yet.

    It stands innermost, so that a call waits for nothing but the provider: its own gates, money and breaker it has
    passed, and gets back what it did not use. A reply that was cut off, and a failure, are its sender's alone: then
    every other sends its own request. When the sender is cancelled, one of the others sends it for all.

    Args:
        replies: counts what was not sent.
    """

    __slots__ = ("_flights", "_replies")

    def __init__(self, replies: ports.Replies) -> None:
        self._replies = replies
        self._flights: dict[Key, Flight] = {}

    async def __call__(self, call: ModelCall, then: Handler[ModelCall, ModelReply]) -> ModelReply:
        run = call.scope.run
        key = (run.tenant.tenant, call.dependency, call.digest)
        while (flight := self._flights.get(key)) is not None:
            waiter: asyncio.Future[ModelReply | None] = run.loop.create_future()
            flight.waiting.append(waiter)
            reply = await waiter
            if reply is not None:
                self._replies.reused(Reuse.FLIGHT)
                run.model = reply.model
                return reply.shared()
            if not flight.left:
                return await then(call)
        return await self._send(call, then, key)

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
