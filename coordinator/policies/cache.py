"""Cache: a request that was answered lately is not sent again."""

from coordinator.domain import ports
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import ANSWERED
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply, Reuse


class Cache:
    """Answers a request of a tenant with the reply that the very same one got, for a while; it costs nothing.

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
            self._replies.reused(Reuse.CACHE)
            run.saved += known.cost
            run.model = known.model
            return known.reused(Reuse.CACHE, known.cost)
        reply = await then(call)
        if reply.stop in ANSWERED and reply.reuse is None:
            self._replies.keep(run.tenant.tenant, call.digest, reply)
        return reply
