"""What has come of a reply so far, and what becomes of it in the end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson

from coordinator.domain.content import Origin, StopReason, ToolResult, ToolUse
from coordinator.domain.errors import Invalid
from coordinator.domain.model import ModelReply, ModelRequest, Quota
from coordinator.domain.money import Usage

COMPLETE = (StopReason.END, StopReason.TOOL_USE)


class ErrorEventError(Exception):
    """The provider says in the middle of a reply that it failed; *error* is what it says."""

    def __init__(self, error: Any) -> None:
        super().__init__("the reply holds an error")
        self.error = error


class Draft(ABC):
    """A reply that is being read, event by event.

    Args:
        request: what is answered.
        answer: the name of the tool by which a typed answer is handed in; empty when it comes as text.
    """

    __slots__ = ("answer", "begun", "ended", "id", "model", "refused", "request", "stop", "text", "usage", "uses")

    def __init__(self, request: ModelRequest, answer: str = "") -> None:
        self.request = request
        self.answer = answer
        self.text: list[str] = []
        self.uses: list[ToolUse] = []
        self.refused: list[str] = []
        """What the model says in place of an answer that it will not give."""
        self.stop: StopReason | None = None
        """Set once the reply is whole."""
        self.usage: Usage | None = None
        self.model = ""
        self.id = ""
        self.begun = False
        """Whether anything of the reply has come."""
        self.ended = False
        """Whether the provider says that nothing more will come."""

    @abstractmethod
    def read(self, event: Mapping[str, Any]) -> None:
        """Take in one event.

        Raises:
            ErrorEventError: it is an error.
            ArithmeticError, AttributeError, LookupError, TypeError, ValueError: it is not what the protocol says.
        """

    def reply(self, provider: str, name: str, request_id: str, quota: Quota | None) -> ModelReply:
        """Return the whole reply; of one that was cut at its limit, or refused, no tool call is kept.

        Args:
            provider: who was asked.
            name: the model that was asked.
            request_id: the provider's name of the request; that of the reply where it is empty.
            quota: what is left to us.
        """
        stop = self.stop or StopReason.END
        text, uses = "".join(self.text), tuple(self.uses) if stop in COMPLETE else ()
        if self.refused:
            text, uses, stop = "".join(self.refused), (), StopReason.REFUSAL
        if self.answer and uses:
            others = tuple(use for use in uses if use.name != self.answer)
            if not others:
                text = uses[0].arguments
            elif len(others) < len(uses):  # an answer beside calls was written without their results
                others = _handed_on(others, uses, self.answer)
            uses = others
        if stop in COMPLETE:
            stop = StopReason.TOOL_USE if uses else StopReason.END
        if any(use.signature for use in uses):
            uses = tuple(_signed(use, Origin("model", f"{provider}:{name}")) for use in uses)
        # Who does not say what was used is billed at the bound.
        usage = self.usage or Usage(self.request.size, self.request.max_output_tokens)
        return ModelReply(
            text, uses, stop, usage, f"{provider}:{self.model or name}", request_id or self.id, 0, quota,
            uncertain=self.usage is None,
        )  # fmt: skip


def _handed_on(kept: tuple[ToolUse, ...], uses: tuple[ToolUse, ...], dropped: str) -> tuple[ToolUse, ...]:
    """Return the calls *kept* of *uses*; the first takes over what the provider wants to see again of one *dropped*."""
    signature = next((use.signature for use in uses if use.name == dropped and use.signature), "")
    first, *others = kept
    if not signature or first.signature:
        return kept
    return (ToolUse(first.id, first.name, first.arguments, signature=signature), *others)


def _signed(use: ToolUse, origin: Origin) -> ToolUse:
    return ToolUse(use.id, use.name, use.arguments, origin, use.signature)


def signature_of(use: ToolUse, provider: str, model: str) -> str:
    """Return what *model* wants to see again beside its own call; empty where another model made it."""
    return use.signature if use.signature and use.origin.name == f"{provider}:{model}" else ""


def count(usage: Mapping[str, Any], name: str) -> int:
    """Return how many tokens *usage* tells under *name*; 0 when it does not, or tells a number below it."""
    return max(0, int(usage.get(name) or 0))


def wish(name: Any, tool: Any, arguments: Any, signature: Any = "") -> ToolUse:
    """Return a tool call as it was read.

    Raises:
        TypeError: something in it is no text.
    """
    for given in (name, tool, arguments, signature):
        if type(given) is not str:
            raise TypeError(given)
    return ToolUse(name, tool, arguments or "{}", signature=signature)


def unsupported(part: object, provider: str) -> Invalid:
    """Return the error of a message that has a *part* which the protocol of *provider* cannot carry."""
    return Invalid(
        f"a message has a part of type {type(part).__name__}, which the adapter of {provider} cannot send",
        code="unsupported_part", hint="send text, tool calls and tool results",
    )  # fmt: skip


def fields_of(arguments: str) -> dict[str, Any]:
    """Return the arguments of a call as a model wrote them; what is no JSON object is kept as text."""
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"text": arguments}


def went_wrong(result: ToolResult) -> bool:
    """Whether *result* tells of an error or of a policy's no."""
    return result.text.startswith(('{"status":"error"', '{"status":"rejected"'))
