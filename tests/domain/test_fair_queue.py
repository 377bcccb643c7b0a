import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.fair_queue import FairQueue, Standing, Waiting


def tenant_of(one: Waiting) -> str:
    return one.flow.tenant


def queue_of(*waiting: tuple[str, int]) -> FairQueue[Waiting]:
    queue: FairQueue[Waiting] = FairQueue()
    for tenant, cost in waiting:
        queue.join(Waiting(cost), Standing(tenant))
    return queue


def served(queue: FairQueue[Waiting], most: int = 10**9) -> list[Waiting]:
    order = []
    while len(order) < most and (head := queue.head()) is not None:
        queue.serve(head)
        order.append(head)
    return order


def test_tenants_take_turns_however_many_of_them_wait():
    queue = queue_of(*[("a", 1)] * 10, ("b", 1), ("c", 1), ("b", 1))
    assert "".join(tenant_of(one) for one in served(queue)) == "abcab" + "a" * 8


def test_weights_share_what_is_served():
    queue: FairQueue[Waiting] = FairQueue()
    for tenant, weight in (("a", 1), ("b", 3)):
        for _ in range(100):
            queue.join(Waiting(7), Standing(tenant, weight))
    assert Counter(tenant_of(one) for one in served(queue, 80)) == {"a": 20, "b": 60}


def test_shares_are_of_cost_not_of_numbers():
    queue = queue_of(*[("small", 1)] * 2000, *[("large", 100)] * 20)
    spent: Counter[str] = Counter()
    for one in served(queue, 1010):
        spent[tenant_of(one)] += one.cost
    assert spent["small"] == pytest.approx(spent["large"], abs=101)


def test_a_large_request_is_served_after_as_much_was_served_to_each_other_tenant():
    queue = queue_of(("large", 1000), *[("small", 1)] * 5000)
    before = 0
    while tenant_of(head := queue.head()) != "large":
        queue.serve(head)
        before += 1
    assert before <= 1000 + 1


def test_inside_a_tenant_the_oldest_run_goes_first_and_retries_before_what_is_new():
    queue: FairQueue[Waiting] = FairQueue()
    names: dict[Waiting, str] = {}
    for name, order, attempt in (("new", 2, 1), ("old", 1, 1), ("retry", 1, 2), ("newest", 3, 1), ("old too", 1, 1)):
        one = Waiting(1)
        names[one] = name
        queue.join(one, Standing("t", order=order, attempt=attempt))
    assert [names[one] for one in served(queue)] == ["retry", "old", "old too", "new", "newest"]


def test_the_head_stays_until_it_is_served_or_an_older_one_comes():
    queue = queue_of(("a", 1), ("b", 1))
    head = queue.head()
    assert queue.head() is head
    queue.join(Waiting(1), Standing("c"))
    assert queue.head() is head
    older = Waiting(1)
    queue.join(older, Standing("a", order=-1))
    assert queue.head() is older


def test_an_empty_queue_forgets_what_was_left_over_and_what_is_owed():
    queue = queue_of(("a", 5), ("b", 1))
    owed = queue.head().flow
    served(queue)
    owed.deficit -= 1000
    for tenant in "abab":
        queue.join(Waiting(1), Standing(tenant))
    assert "".join(tenant_of(one) for one in served(queue)) == "abab"


def test_corrections_return_to_the_deficit():
    queue = queue_of(*[("a", 10)] * 30, *[("b", 10)] * 30)
    spent: Counter[str] = Counter()
    for _ in range(36):
        head = queue.head()
        queue.serve(head)
        spent[tenant_of(head)] += 1
        if tenant_of(head) == "a":
            head.flow.deficit -= 20  # it used three times what was estimated
    assert spent == {"a": 9, "b": 27}


def test_a_debt_of_any_size_is_passed_over_in_constant_time():
    queue = queue_of(("a", 1), ("a", 1), ("b", 1))
    queue.serve(queue.head())
    queue._flows["a"].deficit -= 10**18
    assert [tenant_of(one) for one in served(queue)] == ["b", "a"]


def test_who_leaves_is_not_served():
    queue = queue_of(("a", 1), ("b", 1), ("b", 1), ("c", 1))
    leaving = [one for one in queue if tenant_of(one) in "ab"][:2]
    for one in leaving:
        queue.leave(one)
    assert "".join(tenant_of(one) for one in served(queue)) == "bc"
    assert (queue.size, queue.head()) == (0, None)


def test_a_full_queue_drops_the_last_of_the_tenant_with_the_most_for_its_weight():
    queue = queue_of(("a", 1), *[("flood", 1)] * 5)
    last = list(queue)[-1]
    assert queue.victim(Standing("new")) is last
    assert queue.victim(Standing("flood")) is None
    assert queue_of(("a", 1), ("b", 1)).victim(Standing("c")) is None
    heavy: FairQueue[Waiting] = FairQueue()
    for _ in range(5):
        heavy.join(Waiting(1), Standing("heavy", weight=5))
    assert heavy.victim(Standing("c")) is None


def test_who_is_ahead_of_a_newcomer_is_what_its_share_makes_it():
    queue = queue_of(*[("flood", 1)] * 100)
    assert queue.ahead_of(Standing("flood"), 1)[0] == 100
    assert queue.ahead_of(Standing("other"), 1)[0] == pytest.approx(1)
    assert queue.ahead_of(Standing("other", weight=2), 4)[0] == pytest.approx(2)
    assert queue.ahead_of(Standing("other"), 1000)[0] == 100


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), tenants=st.integers(2, 8), most=st.sampled_from([1, 10, 1000]))
def test_tenants_that_always_wait_get_their_weighted_shares(seed, tenants, most):
    """The bound of the paper: over any interval two tenants differ by at most a quantum and the largest cost each."""
    chance = random.Random(seed)
    queue: FairQueue[Waiting] = FairQueue()
    weights = {f"t{number}": chance.randint(1, 4) for number in range(tenants)}
    spent: Counter[str] = Counter()
    while min(len(flow.waiters) for flow in queue._flows.values()) < 20 if queue.size else True:
        for tenant, weight in weights.items():
            queue.join(Waiting(chance.randint(1, most)), Standing(tenant, weight))
    while len(queue._flows) == tenants:
        head = queue.head()
        queue.serve(head)
        spent[tenant_of(head)] += head.cost
        shares = [spent[tenant] / weight for tenant, weight in weights.items()]
        assert max(shares) - min(shares) <= 3 * most + 1


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_order_of_joining_leaving_and_serving_loses_nobody(seed):
    chance = random.Random(seed)
    queue: FairQueue[Waiting] = FairQueue()
    inside: set[Waiting] = set()
    for _ in range(300):
        act = chance.random()
        if act < 0.5:
            tenant, one = chance.choice("abcdef"), Waiting(chance.choice([1, 1, 5, 1000]), chance.randint(0, 9))
            queue.join(one, Standing(tenant, chance.randint(1, 3), chance.randint(0, 5), chance.randint(1, 3)))
            inside.add(one)
        elif act < 0.6 and inside:
            one = chance.choice(sorted(inside, key=lambda one: one.place))
            queue.leave(one)
            inside.discard(one)
        elif inside:
            head = queue.head()
            if chance.random() < 0.2:
                head.flow.deficit += chance.randint(-2000, 2000)
                head = queue.head()
            queue.serve(head)
            inside.discard(head)
        assert (queue.size, queue.tokens) == (len(inside), sum(one.tokens for one in inside))
    assert set(served(queue)) == inside
