"""A queue that is fair between tenants: weighted deficit round robin.

Source: M. Shreedhar and G. Varghese, "Efficient Fair Queueing using Deficit Round Robin", SIGCOMM 1995. The tenants
that wait stand in a ring. In each round a tenant is fed one quantum for each unit of its weight, and is served as long
as what it was fed covers the cost of its next request; what is left over stays for the next round, unless nobody of the
tenant waits any more. So over time each tenant gets its share of what is given out, whatever the size of its requests
and however many wait, and a large request waits for a few rounds at most.

Here the quantum is the mean cost of those who wait when the round begins, so that a round serves about one request for
each tenant and the search for the next takes constant time. Costs are integers: sums of them are exact.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from operator import attrgetter
from typing import Generic, TypeVar

from coordinator.domain.value import value


@value
class Standing:
    """Where somebody belongs in a queue.

    Between tenants *weight* decides. Inside a tenant the lowest *order* goes first, the place of its run in the order
    of admission; of one run, what was tried before goes before what is new.
    """

    tenant: str = "default"
    weight: int = 1
    order: int = 0
    attempt: int = 1


@value
class FlowState:
    """One tenant in a queue: how many of its calls wait, and what it was fed and has not used."""

    tenant: str
    weight: int
    waiting: int
    deficit: int


class Waiting:
    """Somebody who waits. *cost*, at least 1: what serving it takes of what tenants share. *tokens* foretell waits."""

    __slots__ = ("cost", "flow", "place", "tokens")

    def __init__(self, cost: int, tokens: int = 0) -> None:
        self.cost = cost
        self.tokens = tokens
        self.flow: Flow | None = None
        """The flow it waits in, or was served from; None before it joins."""
        self.place: tuple[int, int, int] = (0, 0, 0)


W = TypeVar("W", bound=Waiting)

_PLACE = attrgetter("place")


class Flow:
    """A tenant's requests, the next one first; dropped with its deficit when nobody waits any more."""

    __slots__ = ("cost", "deficit", "fed", "tenant", "tokens", "waiters", "weight")

    def __init__(self, tenant: str, weight: int) -> None:
        self.tenant = tenant
        self.weight = weight
        self.deficit = 0
        self.fed = False
        self.cost = 0
        self.tokens = 0
        self.waiters: list[Waiting] = []

    def index(self, place: tuple[int, int, int]) -> int:
        """Return how many go before *place*."""
        waiters = self.waiters
        if not waiters or waiters[-1].place < place:
            return len(waiters)
        return bisect_left(waiters, place, key=_PLACE)


class FairQueue(Generic[W]):
    """Who waits, in the order of their turns. *size* is how many; nothing in here awaits."""

    __slots__ = ("_arrivals", "_cost", "_flows", "_idle", "_left", "_quantum", "size", "tokens")

    def __init__(self) -> None:
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        """The ring: the first is the one whose turn it is."""
        self.size = 0
        self.tokens = 0
        """Of all who wait."""
        self._cost = 0
        self._arrivals = 0
        self._quantum = 1
        self._left = 0
        """Turns left in this round."""
        self._idle = 0
        """Turns in a row in which nobody could be served."""

    def __iter__(self) -> Iterator[W]:
        for flow in self._flows.values():
            yield from flow.waiters  # type: ignore[misc]  # join lets nothing but W in

    def join(self, waiter: W, standing: Standing) -> None:
        """Give *waiter* its place: behind all of its tenant that are older, in front of all that are younger."""
        flow = self._flows.get(standing.tenant)
        if flow is None:
            flow = self._flows[standing.tenant] = Flow(standing.tenant, standing.weight)
        flow.weight = standing.weight
        self._arrivals += 1
        waiter.flow = flow
        waiter.place = (standing.order, -standing.attempt, self._arrivals)
        flow.waiters.insert(flow.index(waiter.place), waiter)
        self._count(flow, waiter, 1)

    def head(self) -> W | None:
        """Return whose turn it is; the same one until it is served, leaves, or an older one of its tenant joins."""
        flows = self._flows
        while flows:
            flow = next(iter(flows.values()))
            if not flow.fed:
                if self._left <= 0:
                    self._begin_round()
                self._left -= 1
                flow.deficit += self._quantum * flow.weight
                flow.fed = True
            first = flow.waiters[0]
            if first.cost <= flow.deficit:
                return first  # type: ignore[return-value]  # join lets nothing but W in
            flow.fed = False
            flows.move_to_end(flow.tenant)
            self._idle += 1
        return None

    def serve(self, waiter: W) -> None:
        """Take *waiter*, the head, out of the queue and its cost off its tenant's deficit."""
        flow = waiter.flow
        assert flow is not None
        flow.deficit -= waiter.cost
        self._idle = 0
        self._remove(flow, waiter, 0)

    def leave(self, waiter: W) -> None:
        """Take *waiter* out unserved."""
        flow = waiter.flow
        assert flow is not None
        self._remove(flow, waiter, flow.index(waiter.place))

    def ahead_of(self, standing: Standing, cost: int) -> tuple[float, float]:
        """Return how many who wait, and how many of their tokens, would be served before a newcomer.

        Its own tenant's older ones are; of the others, only what their weights give them until its turn comes.
        """
        own = self._flows.get(standing.tenant)
        requests = tokens = mine = 0.0
        if own is not None:
            part = own.index((standing.order, -standing.attempt, self._arrivals + 1)) / len(own.waiters)
            requests, tokens, mine = part * len(own.waiters), part * own.tokens, part * own.cost - own.deficit
        reach = (max(0.0, mine) + cost) / standing.weight
        for flow in self._flows.values():
            if flow is not own:
                part = min(1.0, reach * flow.weight / flow.cost)
                requests += part * len(flow.waiters)
                tokens += part * flow.tokens
        return requests, tokens

    def victim(self, standing: Standing) -> W | None:
        """Return who gives way to a newcomer when the queue is full; None when the newcomer is the one to go.

        It is the last of the tenant with the most waiting for its weight, so that no tenant can fill a queue alone.
        """
        flow = max(self._flows.values(), key=_crowd, default=None)
        own = self._flows.get(standing.tenant)
        after = ((len(own.waiters) if own else 0) + 1) / standing.weight
        if flow is None or flow is own or _crowd(flow) <= after:
            return None
        return flow.waiters[-1]  # type: ignore[return-value]  # join lets nothing but W in

    def snapshot(self) -> tuple[FlowState, ...]:
        """Return every tenant that waits, in the order of the ring."""
        return tuple(
            FlowState(flow.tenant, flow.weight, len(flow.waiters), flow.deficit) for flow in self._flows.values()
        )

    def _remove(self, flow: Flow, waiter: Waiting, index: int) -> None:
        del flow.waiters[index]
        self._count(flow, waiter, -1)
        if not flow.waiters:
            del self._flows[flow.tenant]

    def _count(self, flow: Flow, waiter: Waiting, sign: int) -> None:
        self.size += sign
        self.tokens += sign * waiter.tokens
        self._cost += sign * waiter.cost
        flow.cost += sign * waiter.cost
        flow.tokens += sign * waiter.tokens

    def _begin_round(self) -> None:
        flows = self._flows
        self._left = len(flows)
        self._quantum = -(-self._cost // self.size)
        if self._idle < len(flows):
            return
        # A whole round served nobody, because all are in debt or large: give at once what the next rounds would.
        quantum = self._quantum
        rounds = min(-((flow.deficit - flow.waiters[0].cost) // (quantum * flow.weight)) for flow in flows.values())
        for flow in flows.values():
            flow.deficit += max(0, rounds - 1) * quantum * flow.weight
        self._idle = 0


def _crowd(flow: Flow) -> float:
    return len(flow.waiters) / flow.weight
