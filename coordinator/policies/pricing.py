"""Pricing: what attempts may cost before they are made, and did cost after."""

from collections.abc import Mapping
from operator import is_

from coordinator.domain.calls import ModelCall, ToolCall, ToolReply
from coordinator.domain.content import StopReason
from coordinator.domain.errors import Invalid
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import TOKENS_PER_MESSAGE, Price, Usage
from coordinator.domain.result import Issue

MIN_OUTPUT_TOKENS = 256  # a reply cut shorter than this is seldom of use

# Text has 0.2 to 0.3 tokens a byte. Who bills far less for a prompt counts something else, and is not relied upon.
PLAUSIBLE_BYTES_PER_TOKEN = 8

# Of shorter requests the reply's limit is the dearer part, and a closer look at the prompt would cost time for nothing.
WORTHWHILE_BYTES = 4096


class ModelPrices:
    """Prices of models by dependency, `provider:model`.

    The bound of a request takes each byte for a token: no byte-level tokenizer makes more of them. Of a conversation
    that goes on, what the same model was billed for last time is known, and only what is new counts by its bytes.

    Args:
        prices: by dependency.
        min_output_tokens: a call is not cut down to a reply shorter than this.
    """

    __slots__ = ("_min_output_tokens", "_prices")

    def __init__(self, prices: Mapping[str, Price], min_output_tokens: int = MIN_OUTPUT_TOKENS) -> None:
        self._prices = dict(prices)
        self._min_output_tokens = min_output_tokens

    def bound(self, call: ModelCall) -> int:
        """Price the most input tokens that the request may have, and its limit as output tokens."""
        price, request = self._prices.get(call.dependency) or self._price(call), call.request
        if request.size < WORTHWHILE_BYTES and not price.tool_tokens:
            return price.bound(request.size, request.max_output_tokens)
        return price.bound(self._input(call, price), request.max_output_tokens)

    def least(self, call: ModelCall) -> int:
        """Price the same with the shortest reply that is of use."""
        shortest = min(self._min_output_tokens, call.request.max_output_tokens)
        price = self._price(call)
        return price.bound(self._input(call, price), shortest)

    def within(self, call: ModelCall, amount: int) -> ModelCall:
        """Return the call with the longest reply that *amount* pays for."""
        price = self._price(call)
        affordable = price.output_within(self._input(call, price), amount)
        return call if affordable >= call.request.max_output_tokens else call.clamped(affordable)

    def reported(self, call: ModelCall, usage: Usage) -> int:
        """Price what was reported."""
        return self._price(call).cost(usage)

    def paid(self, call: ModelCall, reply: ModelReply, held: int) -> tuple[int, ModelReply]:
        """Price the usage that the reply reports, and remember it while the conversation goes on."""
        cost = (self._prices.get(call.dependency) or self._price(call)).cost(reply.usage)
        if call.request.size >= WORTHWHILE_BYTES:
            _remember(call, reply, call.scope.run.own(self, _Talks))
        if reply.uncertain:
            cost = held
            told = f"{call.dependency} told no usage; its calls are billed at their bound"
            issue = Issue(code="usage_not_told", message=told, part=call.dependency)
            call.scope.run.note(issue, call.scope.agent, call.step)
        return cost, ModelReply(
            reply.text, reply.tool_uses, reply.stop, reply.usage, reply.model, reply.request_id, cost,
            reply.quota, uncertain=reply.uncertain,
        )  # fmt: skip

    def _input(self, call: ModelCall, price: Price) -> int:
        request = call.request
        most = size = request.size
        if price.tool_tokens and (request.tools or request.output):
            most += price.tool_tokens
        if size < WORTHWHILE_BYTES:
            return most
        talk = call.scope.run.own(self, _Talks).get(call.scope.path)
        return most if talk is None or talk.dependency != call.dependency else talk.bound(request, most)

    def _price(self, call: ModelCall) -> Price:
        price = self._prices.get(call.dependency)
        if price is None:
            raise Invalid(
                f"model {call.dependency} has no price", code="unknown_price",
                hint=f"set prices.{call.dependency} in the settings; a model that costs nothing has the price 0",
            )  # fmt: skip
        return price


class _Talk:
    """The last request of a conversation, and what its input was billed as."""

    __slots__ = ("dependency", "input_tokens", "request")

    def __init__(self, dependency: str, request: ModelRequest, input_tokens: int) -> None:
        self.dependency = dependency
        self.request = request
        self.input_tokens = input_tokens

    def bound(self, request: ModelRequest, most: int) -> int:
        """Return the most input tokens that *request* may have; *most* by its bytes, as it need not go on from here."""
        before, now = self.request.messages, request.messages
        goes_on = (
            len(now) >= len(before)
            and request.tools is self.request.tools
            and request.output is self.request.output
            and all(map(is_, before, now))
        )
        if not goes_on:
            return most
        new = now[len(before) :]
        tokens = self.input_tokens + TOKENS_PER_MESSAGE * len(new)
        for message in new:
            tokens += message.size
        return min(tokens, most)


class _Talks(dict[str, _Talk]):
    """Conversations that may go on, by the path of their agent."""


def _remember(call: ModelCall, reply: ModelReply, talks: _Talks) -> None:
    path, tokens = call.scope.path, reply.usage.input_tokens
    if reply.stop is StopReason.END:
        talks.pop(path, None)
    elif tokens * PLAUSIBLE_BYTES_PER_TOKEN >= call.request.size:
        talks[path] = _Talk(call.dependency, call.request, tokens)


class ToolPrices:
    """Prices of tools: what their contracts say per call."""

    __slots__ = ()

    def bound(self, call: ToolCall) -> int:
        """Return the contract's price per call."""
        return call.tool.contract.price if call.tool else 0

    def least(self, call: ToolCall) -> int:
        """Return the same: a tool cannot be called in part."""
        return self.bound(call)

    def within(self, call: ToolCall, amount: int) -> ToolCall:
        """Return the call as it is: its price is its least."""
        return call

    def reported(self, call: ToolCall, usage: Usage) -> int:
        """Return the price per call: tools report no tokens."""
        return self.bound(call)

    def paid(self, call: ToolCall, reply: ToolReply, held: int) -> tuple[int, ToolReply]:
        """Return the price that was held."""
        return held, ToolReply(
            reply.output, reply.text, reply.origin, reply.passages, reply.degraded, reply.labels, held
        )  # fmt: skip
