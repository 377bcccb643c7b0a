"""Thoughts as Anthropic's models have them: https://docs.claude.com/en/docs/build-with-claude/extended-thinking."""

from collections.abc import Iterator, Sequence

from coordinator.models.fake.wire import Json, Said, WireError
from coordinator.models.reasoning import LEAST_BUDGET, THOUGHTS

THOUGHT = {"type": "thinking", "thinking": "What was asked? What is known?", "signature": "c2lnbmVkIGJ5IG5vYm9keQ=="}


def thoughts_of(said: Said) -> list[Json]:
    """Return what is thought before a tool is called, where the model thinks."""
    return [THOUGHT] if said.asked.thoughts and said.reply.tool_uses else []


def grown(index: int, block: Json) -> Iterator[Json]:
    """Yield the events by which the thought *block* comes to be."""
    yield {"type": "content_block_start", "index": index, "content_block": {**block, "thinking": "", "signature": ""}}
    for kind in ("thinking", "signature"):
        yield {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", kind: block[kind]}}
    yield {"type": "content_block_stop", "index": index}


def check_thinking(told: Json) -> None:
    """Check of a request to a model that thinks what goes along with thoughts, and that they come back where needed.

    Raises:
        WireError: `bad_request`, in the provider's words.
    """
    setting = told.get("thinking") or {}
    if setting.get("type") != "enabled":
        return
    if not LEAST_BUDGET <= setting["budget_tokens"] < told["max_tokens"]:
        raise WireError(
            "bad_request", f"`max_tokens` must be greater than `thinking.budget_tokens`, at least {LEAST_BUDGET}."
        )
    said = next((one["content"] for one in reversed(told["messages"]) if one["role"] == "assistant"), "")
    kinds = [block["type"] for block in said] if isinstance(said, list) else []
    if "tool_use" in kinds and kinds[0] not in THOUGHTS:
        raise WireError("bad_request", f"Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`.")


def check_thoughts(blocks: Sequence[Json], place: int) -> None:
    """Check that the thoughts among *blocks* are as they were when they came.

    Raises:
        WireError: `bad_request`.
    """
    if any(block["type"] == "thinking" and block != THOUGHT for block in blocks):
        raise WireError("bad_request", f"messages.{place}.content.0: Invalid `signature` in `thinking` block")
