"""What is known of models that think before they answer: which do, and how many tokens they may take for it.

Their thoughts are billed as output and count against the limit of a reply, so that they need room beside it.
"""

import re
from collections.abc import Mapping
from typing import Any

ROOM = 4096
"""Tokens for thoughts where nobody says how many: what a short task takes at a usual effort, seldom more."""

THOUGHTS = frozenset({"thinking", "redacted_thinking"})
"""The blocks of Anthropic's in which they come; they go back before the call that they led to, as they came."""
LEAST_BUDGET = 1024
"""Tokens below which Anthropic refuses a budget for them."""

# The provider keeps no response, and so its thoughts go along with the conversation, sealed; models without any refuse
# to be asked for them: https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
SEALED = "reasoning.encrypted_content"

# Models from Gemini 3 on refuse a step whose first call has no signature. For one that another model made, or code,
# Google allows this in its place: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
FOREIGN = "skip_thought_signature_validator"
_SIGNING = re.compile(r"gemini-(?!1|2|pro$|pro-vision)")

# Families by what their older models cannot do, so that models to come count as those that think.
_THINKERS = {
    "openai": re.compile(r"o\d|gpt-(?!3|4|5-chat|\d*[a-z])\d"),
    "anthropic": re.compile(r"claude-(?!\d|v\d|instant|(?:opus|sonnet|haiku)-4)"),
    "google": re.compile(r"gemini-(?!1|2\.0|2\.5-flash-lite|pro$|pro-vision)"),
}
_THINKERS["openai-responses"] = _THINKERS["openai"]

Options = Mapping[str, Any]


def thinks(provider: str, model: str, options: Options) -> bool:
    """Say whether *model* thinks when it is asked with *options*, fields of requests in the provider's own words."""
    told = _told(provider, options)
    if told is not None:
        return told != 0
    family = _THINKERS.get(provider)
    return family is not None and family.match(model.removeprefix("models/")) is not None


def signs(model: str) -> bool:
    """Say whether *model*, of Google, signs its calls, and refuses those that nobody signed."""
    return _SIGNING.match(model.removeprefix("models/")) is not None


def room(provider: str, model: str, options: Options) -> int:
    """Return how many tokens *model* may take for its thoughts beside a reply; 0 for one that does not think."""
    told = _told(provider, options)
    if told is not None and told >= 0:
        return told
    return ROOM if thinks(provider, model, options) else 0


def _told(provider: str, options: Options) -> int | None:
    """Return the tokens that *options* give to thoughts, -1 when they leave the number open; None: they do not say."""
    if provider == "anthropic" and isinstance(thinking := options.get("thinking"), Mapping):
        if thinking.get("type") == "disabled":
            return 0
        return _count(thinking.get("budget_tokens"))
    if provider == "google":
        config = (options.get("generationConfig") or {}).get("thinkingConfig") or {}
        return _count(config["thinkingBudget"]) if "thinkingBudget" in config else None
    if provider in ("openai", "openai-responses"):
        effort = options.get("reasoning_effort") or (options.get("reasoning") or {}).get("effort")
        return 0 if effort == "none" else None
    return None


def _count(given: Any) -> int:
    return given if type(given) is int and given >= 0 else -1
