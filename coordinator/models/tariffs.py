"""What the options of a provider do to its prices: which words are billed otherwise, and what cache writes cost."""

from collections.abc import Mapping
from typing import Any

from coordinator.domain.money import Price, Rates
from coordinator.domain.value import changed

_TIERS = frozenset({"auto", "default", "standard", "standard_only"})
# What is billed as published; any other word is not: https://platform.openai.com/docs/pricing,
# https://platform.claude.com/docs/en/about-claude/pricing and https://ai.google.dev/gemini-api/docs/pricing
_STANDARD = {
    "service_tier": _TIERS, "serviceTier": _TIERS, "speed": frozenset({"standard"}),
    "inference_geo": frozenset({"global"}),
}  # fmt: skip

Options = Mapping[str, Any]


def special(options: Options) -> str:
    """Return the first of *options* by which calls are not billed as published, as it was written; empty for none."""
    for name, standard in _STANDARD.items():
        given = options.get(name)
        if given is not None and str(given).lower() not in standard:
            return f"{name} = {given}"
    return ""


def kept_prompts(price: Price, options: Options, *, published: bool) -> Price:
    """Return *price*, of Anthropic, with what prompts cost that it keeps: 1.25 times the input, for an hour twice.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing

    Args:
        price: one that names a price of cache writes keeps it, but for the hour where it is a *published* one.
        options: whose `cache_control` says how long prompts are kept; null or false that they are not.
        published: whether it is the provider's own, for five minutes.
    """
    keeping = options.get("cache_control", True)
    if not keeping:
        return price
    hour = isinstance(keeping, Mapping) and keeping.get("ttl") == "1h"
    longer = tuple(_written(rates, hour, published) for rates in price.longer)
    own = _written(Rates(price.input, price.output, price.cached, price.cache_write), hour, published)
    return Price(price.input, price.output, price.request, price.cached, own.cache_write, longer, price.tool_tokens)


def _written(rates: Rates, hour: bool, published: bool) -> Rates:
    if rates.cache_write is not None and not (hour and published):
        return rates
    return changed(rates, cache_write=2 * rates.input if hour else -(-5 * rates.input // 4))
