"""Published prices of models, from the data that genai-prices brings along: no network, resolved once per model.

https://github.com/pydantic/genai-prices
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices

from coordinator.domain.money import Price, Rates, micros
from coordinator.domain.prices import TOOL_TOKENS

# By the names of genai-prices. A compatible server is known by its address, or not at all.
VENDORS = {"openai": "openai", "openai-responses": "openai", "anthropic": "anthropic", "google": "google"}

COLUMNS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
PER_REQUESTS = 1000


def published_price(provider: str, model: str, now: float) -> Price | None:
    """Return the standard price of *model* at *now*, in integer micro-dollars; None when none is published.

    Batches and special service tiers have other prices, and are not what adapters ask for.

    Args:
        provider: as in `provider:model`.
        model: its name there; `NAME@URL` of a compatible server.
        now: UTC seconds since the epoch: prices change on announced days.
    """
    name, _, url = model.partition("@") if provider == "compatible" else (model.removeprefix("models/"), "", "")
    vendor = VENDORS.get(provider)
    if vendor is None and not url:
        return None
    try:
        _, found = get_snapshot().find_provider_model(name, None, vendor, url or None)
    except LookupError:
        return None
    return _price(found.get_prices(datetime.fromtimestamp(now, UTC)))


def _price(published: ModelPrice) -> Price | None:
    columns = [getattr(published, column) for column in COLUMNS]
    if columns[0] is None or columns[1] is None:  # it is not sold by tokens
        return None
    own = _rates(columns, -1)
    longer = tuple(_rates(columns, start) for start in sorted(set(_starts(columns))))
    per_request = getattr(published, "requests_kcount", None) or Decimal(0)
    request = micros(_at(per_request, -1) / PER_REQUESTS)
    return Price(own.input, own.output, request, own.cached, own.cache_write, longer, TOOL_TOKENS)


def _starts(columns: list[Any]) -> Iterator[int]:
    for column in columns:
        if isinstance(column, TieredPrices):
            yield from (tier.start for tier in column.tiers)


def _rates(columns: list[Any], above: int) -> Rates:
    read, written = (None if column is None else micros(_at(column, above)) for column in columns[2:])
    return Rates(micros(_at(columns[0], above)), micros(_at(columns[1], above)), read, written, above)


def _at(column: Decimal | TieredPrices, above: int) -> Decimal:
    """Return the price of a request with more than *above* input tokens, and not so many as the next tier needs."""
    if not isinstance(column, TieredPrices):
        return column
    reached = [tier for tier in column.tiers if tier.start <= above]
    return max(reached, key=lambda tier: tier.start).price if reached else column.base
