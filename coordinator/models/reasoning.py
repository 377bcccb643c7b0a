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

# OpenAI's that refuse every word on how hard to think. A name that is not known, as that of a gateway, is none of them.
_THOUGHTLESS = re.compile(r"(?:ft:)?(?:chatgpt-|gpt-(?:3|4|5-chat))")

# Chat completions refuse functions to these unless they are told not to think, and most think unless they are told.
# Those at the end cannot be told, and use functions by responses alone.
_EITHER = re.compile(r"gpt-(?:5\.(?:[4-9]|\d\d)|[6-9]|\d\d)(?!.*-(?:pro|codex|chat))")

# Anthropic's that cannot be bound to a schema, and those that may be forced to call a tool, so that models to come can
# be the one and may not be the other: https://platform.claude.com/docs/en/build-with-claude/structured-outputs and
# .../models/opus-5-5/whats-new-opus-5-5#forced-tool-use-is-not-supported
_TYPED = re.compile(r"claude-(?!\d|v\d|instant|(?:opus|sonnet|haiku)-4(?!-[5-9](?!\d)|-\d\d(?!\d)))")
_UNFORCED = re.compile(r"claude-(?!\d|v\d|instant|[a-z]+-4|[a-z]+-5(?!-[1-9](?!\d)|-\d\d(?!\d)))")

Options = Mapping[str, Any]


def thinks(provider: str, model: str, options: Options) -> bool:
    """Say whether *model* thinks when it is asked with *options*, fields of requests in the provider's own words."""
    told = _told(provider, options)
    if told is not None:
        return told != 0
    family = _THINKERS.get(provider)
    return family is not None and family.match(model.removeprefix("models/")) is not None


def thoughtless(model: str) -> bool:
    """Say whether *model*, of OpenAI, refuses options about its thoughts."""
    return _THOUGHTLESS.match(model) is not None


def acts_or_thinks(model: str) -> bool:
    """Say whether *model*, of OpenAI, uses tools in chat completions only where it is told not to think."""
    return _EITHER.match(model) is not None


def typed(model: str) -> bool:
    """Say whether *model*, of Anthropic, can be bound to the schema of its answer."""
    return _TYPED.match(model) is not None


def forced(model: str, options: Options) -> bool:
    """Say whether *model*, of Anthropic, may be forced to call a tool: not while it thinks, and the newest never."""
    return not thinks("anthropic", model, options) and _UNFORCED.match(model) is None


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
