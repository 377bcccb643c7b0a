"""Budget: the worst case of an attempt is held before it, and what it cost is booked after it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from coordinator.domain import ports
from coordinator.domain.calls import Attempt, ModelCall, ToolCall, ToolReply
from coordinator.domain.errors import Fault, Invalid
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply
from coordinator.domain.money import Price, Usage
from coordinator.domain.outcomes import Charge, consequence
from coordinator.domain.scope import Scope

A = TypeVar("A", bound=Attempt)
A_contra = TypeVar("A_contra", bound=Attempt, contravariant=True)
R = TypeVar("R")

AccountsOf = Callable[[Scope], tuple[ports.Account, ...]]


class Pricing(Protocol[A_contra, R]):
    """What attempts of one kind cost, in micro-dollars."""

    def bound(self, call: A_contra) -> int:
        """Return the most that *call* may cost.

        Raises:
            Invalid: `unknown_price`.
        """

    def reported(self, call: A_contra, usage: Usage) -> int:
        """Return what *usage*, reported along with a failure, costs."""

    def paid(self, call: A_contra, reply: R, held: int) -> tuple[int, R]:
        """Return what *reply* cost, and the reply with its cost written on it."""


class ModelPrices:
    """Prices of models by dependency, `provider:model`."""

    __slots__ = ("_prices",)

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = dict(prices)

    def bound(self, call: ModelCall) -> int:
        """Price the request's bytes as input tokens and its limit as output tokens."""
        return self._price(call).bound(call.request.size, call.request.max_output_tokens)

    def reported(self, call: ModelCall, usage: Usage) -> int:
        """Price what was reported."""
        return self._price(call).cost(usage)

    def paid(self, call: ModelCall, reply: ModelReply, held: int) -> tuple[int, ModelReply]:
        """Price the usage that the reply reports."""
        cost = self._price(call).cost(reply.usage)
        return cost, ModelReply(
            reply.text, reply.tool_uses, reply.stop, reply.usage, reply.model, reply.request_id, cost
        )  # fmt: skip

    def _price(self, call: ModelCall) -> Price:
        price = self._prices.get(call.dependency)
        if price is None:
            raise Invalid(
                f"model {call.dependency} has no price", code="unknown_price",
                hint=f"set prices.{call.dependency} in the settings; a model that costs nothing has the price 0",
            )  # fmt: skip
        return price


class ToolPrices:
    """Prices of tools: what their contracts say per call."""

    __slots__ = ()

    def bound(self, call: ToolCall) -> int:
        """Return the contract's price per call."""
        return call.tool.contract.price if call.tool else 0

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

    A cancellation inside this layer means that the attempt may have been sent: it is booked in full, as uncertain.

    Args:
        ledger: the accounts of the process.
        accounts: which of them a call in a scope touches.
        pricing: what a call may cost and did cost.

    Raises:
        Refused: `budget_exhausted` or `budget_held`.
        Invalid: `unknown_price`.
    """

    __slots__ = ("_accounts", "_ledger", "_pricing")

    def __init__(self, ledger: ports.Ledger, accounts: AccountsOf, pricing: Pricing[Any, Any]) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._pricing = pricing

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        bound = self._pricing.bound(call)
        if not bound:
            return await then(call)
        held = self._ledger.reserve(self._accounts(call.scope), bound)
        try:
            reply = await then(call)
        except BaseException as error:
            self._charge(call, held, error)
            raise
        cost, reply = self._pricing.paid(call, reply, bound)
        held.settle(cost)
        call.scope.run.cost += cost
        return reply

    def _charge(self, call: Attempt, held: ports.Reservation, error: BaseException) -> None:
        charge = consequence(error).money
        if charge is Charge.RELEASE or (isinstance(error, Fault) and charge is Charge.REPORTED and not error.began):
            held.release()
            return
        cost = held.amount
        if charge is Charge.REPORTED and isinstance(error, Fault) and error.usage is not None:
            cost = self._pricing.reported(call, error.usage)
        held.settle(cost, uncertain=charge is Charge.UNCERTAIN)
        call.scope.run.cost += cost
