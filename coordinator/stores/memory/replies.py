"""Replies of models in one process, kept for a while for who asks the very same again."""

from collections import OrderedDict

from coordinator.domain.model import ModelReply, Reuse
from coordinator.domain.ports import Stamp
from coordinator.domain.value import value


@value
class RepliesState:
    """How many replies are kept, and how many calls they, and replies in flight, have answered."""

    kept: int
    cached: int
    coalesced: int


class Replies:
    """Keeps each reply for *for_s* seconds, under its tenant and the digest of its request.

    Tenants never see one another's replies. When all places are taken the tenant that holds more than its share gives
    up its own oldest, so that no tenant can push the others out.

    Args:
        for_s: seconds; 0 keeps nothing, and requests in flight are still shared.
        most: replies that are kept.
        stamp: the injected clock.
    """

    __slots__ = ("_cached", "_coalesced", "_for_s", "_most", "_size", "_stamp", "_tenants")

    def __init__(self, for_s: float, most: int, stamp: Stamp) -> None:
        self._for_s = for_s
        self._most = most
        self._stamp = stamp
        self._tenants: OrderedDict[str, OrderedDict[str, tuple[float, ModelReply]]] = OrderedDict()
        """The tenant whose newest reply is the oldest stands first, and so does the oldest reply of a tenant."""
        self._size = self._cached = self._coalesced = 0

    def get(self, tenant: str, digest: str) -> ModelReply | None:
        """Return the reply that is kept, or None."""
        kept = self._tenants.get(tenant)
        entry = kept.get(digest) if kept is not None else None
        if kept is None or entry is None:
            return None
        until, reply = entry
        if self._stamp() < until:
            return reply
        self._drop(tenant, digest)
        return None

    def keep(self, tenant: str, digest: str, reply: ModelReply) -> None:
        """Keep *reply* in place of an older one."""
        if self._for_s <= 0:
            return
        self._drop(tenant, digest)
        while self._size >= self._most:
            self._make_room(tenant)
        self._tenants.setdefault(tenant, OrderedDict())[digest] = (self._stamp() + self._for_s, reply)
        self._tenants.move_to_end(tenant)
        self._size += 1

    def reused(self, how: Reuse) -> None:
        """Count a call that was answered without being sent."""
        if how is Reuse.CACHE:
            self._cached += 1
        else:
            self._coalesced += 1

    def snapshot(self) -> RepliesState:
        """Return how many are kept and were reused."""
        return RepliesState(self._size, self._cached, self._coalesced)

    def _make_room(self, tenant: str) -> None:
        own = len(self._tenants.get(tenant, ()))
        crowding = own and own * len(self._tenants) >= self._size
        victim = tenant if crowding else next(iter(self._tenants))
        self._drop(victim, next(iter(self._tenants[victim])))

    def _drop(self, tenant: str, digest: str) -> None:
        kept = self._tenants.get(tenant)
        if kept is None or kept.pop(digest, None) is None:
            return
        self._size -= 1
        if not kept:
            del self._tenants[tenant]
