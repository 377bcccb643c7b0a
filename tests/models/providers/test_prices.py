"""Published prices in integers: the same money as genai-prices computes, for every model of every shipped provider."""

from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data_snapshot import get_snapshot

from coordinator.domain.money import Usage
from coordinator.models.prices import VENDORS, published_price

NOW = datetime(2026, 11, 20, tzinfo=UTC)
USAGES = [
    Usage(1, 1), Usage(1000, 500), Usage(1000, 500, cached_tokens=900), Usage(1000, 500, cache_write_tokens=400),
    Usage(1000, 500, 300, 200, 400), Usage(200_000, 10), Usage(200_001, 10, 100_000), Usage(500_000, 9000, 10, 0, 20),
]  # fmt: skip
MODELS = [
    (name, model.id)
    for name, vendor in VENDORS.items()
    for provider in get_snapshot().providers
    if provider.id == vendor
    for model in provider.models
    if published_price(name, model.id, NOW.timestamp()) is not None
]


def theirs(vendor: str, model: str, usage: Usage) -> int:
    used = TheirUsage(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens, cache_write_tokens=usage.cache_write_tokens,
    )  # fmt: skip
    cost = get_snapshot().calc(used, model, vendor, None, NOW).total_price
    return int((cost * Decimal(1_000_000)).to_integral_value(rounding=ROUND_CEILING))


def test_there_are_many_models_to_look_at():
    assert len(MODELS) > 150


@pytest.mark.parametrize("usage", USAGES, ids=str)
def test_the_bill_of_every_model_is_the_published_one_to_the_micro_dollar(usage):
    wrong = {}
    for provider, model in MODELS:
        price = published_price(provider, model, NOW.timestamp())
        assert price is not None
        ours, published = price.cost(usage), theirs(VENDORS[provider], model, usage)
        if ours != published:
            wrong[provider, model] = (ours, published)
    assert wrong == {}


def test_the_bound_of_every_model_covers_whatever_it_may_be_billed():
    for provider, model in MODELS:
        price = published_price(provider, model, NOW.timestamp())
        assert price is not None
        for usage in USAGES:
            assert price.bound(usage.input_tokens, usage.output_tokens) >= price.cost(usage), (provider, model, usage)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("offline", "offline"),
        ("compatible", "llama3@http://localhost:11434/v1"),
        ("x", "y"),
    ],
)
def test_a_model_without_a_published_price_has_none(provider, model):
    assert published_price(provider, model, NOW.timestamp()) is None


def test_a_compatible_server_is_known_by_its_address():
    assert published_price("compatible", "llama-3.3-70b-versatile@https://api.groq.com/openai/v1", NOW.timestamp())


def test_a_model_of_google_costs_the_same_by_its_full_name():
    full = published_price("google", "models/gemini-2.5-pro", NOW.timestamp())
    assert full == published_price("google", "gemini-2.5-pro", NOW.timestamp())
    assert full is not None


def test_a_price_follows_the_day_on_which_it_changes():
    before = published_price("openai", "o3", datetime(2025, 6, 1, tzinfo=UTC).timestamp())
    after = published_price("openai", "o3", datetime(2025, 7, 1, tzinfo=UTC).timestamp())
    assert before is not None
    assert after is not None
    assert before.input > after.input
