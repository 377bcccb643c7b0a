"""Budget: the worst case of an attempt is held before it, and what it cost is booked after it."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from operator import is_
from typing import Any, Protocol, TypeVar

from coordinator.domain import ports
from coordinator.domain.calls import Attempt, ModelCall, ToolCall, ToolReply
from coordinator.domain.content import StopReason
from coordinator.domain.errors import Fault, Invalid
from coordinator.domain.events import Kind
from coordinator.domain.fair_queue import Standing
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import TOKENS_PER_MESSAGE, Price, Usage, dollars
from coordinator.domain.outcomes import Charge, consequence
from coordinator.domain.result import Issue
from coordinator.domain.scope import Scope

A = TypeVar("A", bound=Attempt)
A_inner = TypeVar("A_inner", bound=Attempt)
R = TypeVar("R")
R_inner = TypeVar("R_inner")


class AccountsOf(Protocol):
    """Says which accounts a call in a scope touches."""

    def __call__(self, scope: Scope, /) -> tuple[ports.Account, ...]: ...


MIN_OUTPUT_TOKENS = 256  # a reply cut shorter than this is seldom of use

# Text has 0.2 to 0.3 tokens a byte. Who bills far less for a prompt counts something else, and is not relied upon.
PLAUSIBLE_BYTES_PER_TOKEN = 8

_PAYING: ContextVar[tuple[ports.Ledger, ...]] = ContextVar("_PAYING", default=())
"""The ledgers on which the priced tools hold money that the current code runs inside of."""

# Of shorter requests the reply's limit is the dearer part, and a closer look at the prompt would cost time for nothing.
WORTHWHILE_BYTES = 4096


class Pricing(Protocol[A, R]):
    """What attempts of one kind cost, in micro-dollars."""

    def bound(self, call: A) -> int:
        """Return the most that *call* may cost.

        Raises:
            Invalid: `unknown_price`.
        """

    def least(self, call: A) -> int:
        """Return the most that *call* may cost when it is cut down as far as makes sense."""

    def within(self, call: A, amount: int) -> A:
        """Return *call* cut down so that it costs at most *amount*, which is no less than `least`."""

    def reported(self, call: A, usage: Usage) -> int:
        """Return what *usage*, reported along with a failure, costs."""

    def paid(self, call: A, reply: R, held: int) -> tuple[int, R]:
        """Return what *reply* cost, and the reply with its cost written on it."""


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
        if reply.reuse is not None:
            call.scope.run.saved += cost
            return 0, reply.reused(reply.reuse, cost)
        if call.request.size >= WORTHWHILE_BYTES:
            _remember(call, reply, call.scope.run.own(self, _Talks))
        return cost, ModelReply(
            reply.text, reply.tool_uses, reply.stop, reply.usage, reply.model, reply.request_id, cost,
            reply.quota,
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


class Budget:
    """Reserves the bound of an attempt on every account it touches, and ends the reservation by the outcome table.

    When others hold what it needs, the call waits its turn, until its deadline; a call that is made from inside a
    priced tool is refused instead, because the tool holds money while it waits. Where less than the bound is unspent,
    the call is cut down to that. A cancellation inside this layer means that the attempt may have been sent: it is
    booked in full, as uncertain.

    Args:
        ledger: the accounts of the process.
        accounts: which of them a call in a scope touches.
        pricing: what a call may cost and did cost.

    Raises:
        Refused: `budget_exhausted`, `budget_held`, `budget_queue_full`, `accounts_full` or `deadline_out_of_reach`.
        Invalid: `unknown_price`.
    """

    __slots__ = ("_accounts", "_ledger", "_pricing")

    def __init__(self, ledger: ports.Ledger, accounts: AccountsOf, pricing: Pricing[Any, Any]) -> None:
        self._ledger = ledger
        self._accounts = accounts.__call__  # an object itself takes twice as long to call
        self._pricing = pricing

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        bound = self._pricing.bound(call)
        if not bound:
            return await then(call)
        held = self._ledger.try_reserve(self._accounts(call.scope), bound)
        if held is None:
            held = await self._hold(call, bound)
            if held.amount < bound:
                call = self._pricing.within(call, held.amount)
        try:
            reply = await (self._inside(call, then) if isinstance(call, ToolCall) else then(call))
            cost, reply = self._pricing.paid(call, reply, held.amount)
        except BaseException as error:
            self._charge(call, held, error)
            raise
        self._settle(call, held, cost)
        return reply

    async def _hold(self, call: Attempt, bound: int) -> ports.Reservation:
        least = self._pricing.least(call)
        who, run = call.scope.tenant, call.scope.run
        standing = Standing(who.tenant, who.weight, run.order, call.attempt)
        while True:
            accounts = self._accounts(call.scope)
            if self._ledger in _PAYING.get():
                return self._ledger.reserve(accounts, bound, least)
            began = run.loop.time()
            try:
                held = await self._ledger.hold(ports.Claim(accounts, bound, least, standing), call.deadline)
            finally:
                run.waited("money", run.loop.time() - began, call.scope.agent, call.step)
            if held is not None:
                return held

    async def _inside(self, call: A_inner, then: Handler[A_inner, R_inner]) -> R_inner:
        token = _PAYING.set((*_PAYING.get(), self._ledger))
        try:
            return await then(call)
        finally:
            _PAYING.reset(token)

    def _charge(self, call: Attempt, held: ports.Reservation, error: BaseException) -> None:
        charge = consequence(error).money
        if charge is Charge.RELEASE or (isinstance(error, Fault) and charge is Charge.REPORTED and not error.began):
            held.release()
            return
        cost = held.amount
        if charge is Charge.REPORTED and isinstance(error, Fault) and error.usage and error.usage.plausible:
            cost = self._pricing.reported(call, error.usage)
        self._settle(call, held, cost, uncertain=charge is Charge.UNCERTAIN)

    def _settle(self, call: Attempt, held: ports.Reservation, cost: int, *, uncertain: bool = False) -> None:
        notices = held.settle(cost, uncertain=uncertain)
        call.scope.run.cost += cost
        if notices:
            _tell(call, notices)


def _tell(call: Attempt, notices: Sequence[ports.Notice]) -> None:
    for notice in notices:
        kind = Kind.BUDGET_OVERRUN if notice.overrun else Kind.BUDGET_ALERT
        data = {"account": notice.account, "settled": notice.settled, "ceiling": notice.ceiling}
        if notice.overrun:
            data["overrun"] = notice.overrun
            billed = f"{dollars(notice.overrun)} more was billed than was held on account {notice.account}"
            call.scope.run.note(Issue(code="budget_overrun", message=billed), call.scope.agent, call.step)
        call.scope.run.emit(kind, call.scope.agent, f"{call.step}#{call.attempt}", data)
