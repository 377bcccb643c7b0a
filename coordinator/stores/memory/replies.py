"""Replies of models in one process, kept for a while for who asks the very same again."""

from collections import OrderedDict
from itertools import chain

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

    Tenants never see one another's replies. When all places are taken, a tenant that holds its share of them or more
    gives up its own oldest, so that no tenant can push the others out.

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
        self._forget_late(tenant)
        if self._size >= self._most:
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

    def _forget_late(self, tenant: str) -> None:
        """Drop what *tenant* has kept for its time."""
        now, kept = self._stamp(), self._tenants.get(tenant)
        while kept:
            digest, (until, _) = next(iter(kept.items()))
            if now < until:
                return
            self._drop(tenant, digest)

    def _make_room(self, tenant: str) -> None:
        """Drop what is out of date of who is idle for longest, or else the oldest of *tenant* or of who crowds."""
        self._forget_late(next(iter(self._tenants)))
        if self._size >= self._most:
            # Nobody is left out: somebody always holds the average or more.
            crowd = next(name for name in chain((tenant,), self._tenants) if self._crowds(name))
            self._drop(crowd, next(iter(self._tenants[crowd])))

    def _crowds(self, tenant: str) -> bool:
        return len(self._tenants.get(tenant, ())) * len(self._tenants) >= self._size

    def _drop(self, tenant: str, digest: str) -> None:
        kept = self._tenants.get(tenant)
        if kept is None or kept.pop(digest, None) is None:
            return
        self._size -= 1
        if not kept:
            del self._tenants[tenant]
