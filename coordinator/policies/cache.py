"""Cache: a request that was answered lately is not sent again."""

from asyncio import CancelledError

from coordinator.domain import ports
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import ANSWERED
from coordinator.domain.layer import Handler
from coordinator.domain.model import Answered, ModelReply, Reuse
from coordinator.domain.scope import RunState


class Cache:
    """Answers a request of a tenant with the reply that the very same one got, for a while; it costs nothing.

    The reply to the same request in flight, for which a call has waited further inside, comes past it too, and is told
    and counted like one that was kept.

    Args:
        replies: what was answered lately.
    """

    __slots__ = ("_replies",)

    def __init__(self, replies: ports.Replies) -> None:
        self._replies = replies

    async def __call__(self, call: ModelCall, then: Handler[ModelCall, ModelReply]) -> ModelReply:
        run = call.scope.run
        known = self._replies.get(run.tenant.tenant, call.digest)
        if known is not None:
            return self._spared(run, known.reused(Reuse.CACHE, known.cost), Reuse.CACHE)
        try:
            reply = await then(call)
        except Answered as answered:
            return self._spared(run, answered.reply, Reuse.FLIGHT)
        except CancelledError as cancelled:
            cancelled.__cause__ = None  # that nothing was sent for this call says nothing of what it is made inside of
            raise
        if reply.stop in ANSWERED:
            self._replies.keep(run.tenant.tenant, call.digest, reply)
        return reply

    def _spared(self, run: RunState, reply: ModelReply, how: Reuse) -> ModelReply:
        self._replies.reused(how)
        run.saved += reply.saved
        run.model = reply.model
        return reply
