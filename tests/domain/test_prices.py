"""No price that may apply is above the bound, and a bill is what the provider's own arithmetic makes of the usage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coordinator.domain.content import Message, Text
from coordinator.domain.errors import Invalid
from coordinator.domain.model import ModelRequest
from coordinator.domain.money import Price, Rates, Usage
from coordinator.domain.prices import ModelPrice

LARGE = ModelPrice(
    input=3, output=15, cached=0.3, cache_write=3.75, request=0.01,
    long_context=[{"above": 200_000, "input": 6, "output": 22.5, "cached": 0.6, "cache_write": 7.5}],
).price()  # fmt: skip

amounts = st.integers(0, 50_000_000)
maybe = st.none() | amounts
tiers = st.lists(
    st.builds(Rates, amounts, amounts, maybe, maybe, st.integers(1, 2000)), max_size=3, unique_by=lambda one: one.above
).map(tuple)
prices = st.builds(Price, amounts, amounts, st.integers(0, 1000), maybe, maybe, tiers)
tokens = st.integers(0, 3000)


@given(prices, tokens, tokens, st.data())
def test_whatever_is_billed_within_the_bound_on_tokens_costs_no_more_than_the_bound(price, most_input, most, data):
    used = data.draw(st.integers(0, most_input))
    usage = Usage(used, data.draw(st.integers(0, most)), data.draw(tokens), 0, data.draw(tokens))
    assert price.request <= price.cost(usage) <= price.bound(most_input, most)


@given(prices, tokens, st.integers(0, 200_000))
def test_a_reply_cut_to_an_amount_is_bound_by_it(price, most_input, amount):
    within = price.output_within(most_input, amount)
    if within:
        assert price.bound(most_input, within) <= amount or not price.bound(0, 10**12) - price.request


def test_input_from_the_cache_and_into_it_has_prices_of_its_own():
    usage = Usage(100_000, 1000, cached_tokens=60_000, cache_write_tokens=30_000)
    assert LARGE.cost(usage) == 10_000 + 10_000 * 3 + 60_000 * 3 // 10 + 30_000 * 375 // 100 + 15_000


def test_a_long_context_makes_every_token_dearer_beyond_its_border():
    assert LARGE.cost(Usage(200_000, 100)) == 10_000 + 600_000 + 1500
    assert LARGE.cost(Usage(200_001, 100)) == 10_000 + 1_200_006 + 2250


def test_the_bound_is_at_the_dearest_input_that_may_apply():
    assert LARGE.bound(200_000, 0) == 10_000 + 200_000 * 375 // 100
    assert LARGE.bound(200_001, 0) == 10_000 + (200_001 * 75 + 9) // 10


def test_usage_that_contradicts_itself_costs_no_less_than_nothing_and_no_more_than_its_input():
    assert LARGE.cost(Usage(10, 0, cached_tokens=500, cache_write_tokens=500)) == 10_000 + 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": -1}, {"cached": -1}, {"cache_write": float("nan")}, {"request": 1e9}, {"tool_tokens": -5},
        {"long_context": [{"above": 0, "input": 1, "output": 1}]},
        {"long_context": [{"above": 5, "input": 1, "output": 1}, {"above": 5, "input": 2, "output": 2}]},
    ],
)  # fmt: skip
def test_a_price_that_makes_no_sense_is_wrong(wrong):
    with pytest.raises(ValidationError):
        ModelPrice(**{"input": 1, "output": 2, **wrong})


class Image:
    """A part that bytes do not bound."""

    def __init__(self, most_tokens: object) -> None:
        self.most_tokens = most_tokens


def test_a_part_that_bytes_do_not_bound_says_how_many_tokens_it_may_be():
    message = Message("user", (Text("look"), Image(1500)))
    assert ModelRequest((message,)).size == 6 + 1500 + 16
    assert (message.text, len(ModelRequest((message,)).digest)) == ("look", 32)


@pytest.mark.parametrize("part", [Image(None), Image(-1), Image("many"), object()])
def test_a_part_that_nothing_bounds_is_invalid(part):
    with pytest.raises(Invalid) as caught:
        Message("user", (part,))
    assert caught.value.code == "unbounded_part"
