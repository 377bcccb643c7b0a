"""Cache: a request that was answered lately, or is being answered now, is not sent again."""

import asyncio

from coordinator.domain import ports
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import StopReason
from coordinator.domain.errors import CoordinatorError, Refused
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply, Reuse
from coordinator.domain.paying import PAYING

ANSWERS = frozenset({StopReason.END, StopReason.TOOL_USE})
"""A reply that was cut off or refused is not worth keeping."""

Key = tuple[str, str]
Landing = ModelReply | CoordinatorError | None
"""What became of a flight: a reply, a failure that all share, or nothing, so that each must ask for itself."""


class Cache:
    """Answers a request of a tenant with the reply that the very same one got, for a while; both cost what one costs.

    A request that equals one in flight waits for its reply instead (coalescing), unless it is made from inside a priced
    tool, which holds money that the one in flight may be waiting for. What fails for a reason of its own,
    such as its run's ceiling, its deadline or its end, leaves its place to one of those that wait; what fails for a
    reason that all of them share, the provider or the request, fails for all.

    Args:
        replies: what was answered lately.
    """

    __slots__ = ("_flights", "_replies")

    def __init__(self, replies: ports.Replies) -> None:
        self._replies = replies
        self._flights: dict[Key, list[asyncio.Future[Landing]]] = {}
        """Of each request in flight, those who wait for its reply."""

    async def __call__(self, call: ModelCall, then: Handler[ModelCall, ModelReply]) -> ModelReply:
        key = (call.scope.run.tenant.tenant, call.digest)
        while True:
            known = self._replies.get(*key)
            if known is not None:
                return self._reused(call, known, Reuse.CACHE)
            waiting = self._flights.get(key)
            if waiting is None:
                return await self._send(call, then, key)
            if PAYING.get():
                return await then(call)
            found = await _wait(call, waiting)
            if isinstance(found, CoordinatorError):
                raise found
            if found is not None:
                return self._reused(call, found, Reuse.FLIGHT)

    async def _send(self, call: ModelCall, then: Handler[ModelCall, ModelReply], key: Key) -> ModelReply:
        waiting = self._flights[key] = []
        landing: Landing = None
        try:
            landing = reply = await then(call)
        except CoordinatorError as error:
            landing = None if isinstance(error, Refused) else error
            raise
        finally:
            del self._flights[key]
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(landing)
        if reply.stop in ANSWERS:
            self._replies.keep(*key, reply)
        return reply

    def _reused(self, call: ModelCall, reply: ModelReply, how: Reuse) -> ModelReply:
        self._replies.reused(how)
        call.scope.run.saved += reply.cost
        return reply.reused(how)


async def _wait(call: ModelCall, waiting: "list[asyncio.Future[Landing]]") -> Landing:
    run = call.scope.run
    waiter: asyncio.Future[Landing] = run.loop.create_future()
    waiting.append(waiter)
    began = run.loop.time()
    try:
        return await waiter
    finally:
        run.waited("the same request", run.loop.time() - began, call.scope.agent, call.step)
