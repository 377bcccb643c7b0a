"""Budget: the worst case of an attempt is held before it, and what it cost is booked after it."""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from coordinator.domain import ports
from coordinator.domain.calls import Attempt, ToolCall
from coordinator.domain.errors import Fault
from coordinator.domain.events import Kind
from coordinator.domain.fair_queue import Standing
from coordinator.domain.layer import Handler, MustWait
from coordinator.domain.money import Usage, dollars
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


GoOn = Callable[[ports.Reservation], Awaitable[Any]]

_PAYING: ContextVar[tuple[ports.Ledger, ...]] = ContextVar("_PAYING", default=())
"""The ledgers on which the priced tools hold money that the current code runs inside of."""


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


class Budget:
    """Reserves the bound of an attempt on every account it touches, and ends the reservation by the outcome table.

    When others hold what it needs, the layer around it is asked to wait, until the call's deadline; a call that is made
    from inside a priced tool is refused instead, because the tool holds money while it waits. Where less than the bound
    is unspent, the call is cut down to that. A cancellation inside this layer means that the attempt may have been
    sent, unless a layer inside says that it was not: it is booked in full, as uncertain. What an attempt cost although
    it gave no reply is told by an event of its own.

    Args:
        ledger: the accounts of the process.
        accounts: which of them a call in a scope touches.
        pricing: what a call may cost and did cost.

    Raises:
        MustWait: to the layer around it, which holds a place of a gate; waiting may end in a `Refused` with
            `budget_queue_full`, `deadline_out_of_reach` or one of the next.
        Refused: `budget_exhausted`, `budget_held` or `accounts_full`.
        Invalid: `unknown_price`.
    """

    __slots__ = ("_accounts", "_ledger", "_pricing")

    def __init__(self, ledger: ports.Ledger, accounts: AccountsOf, pricing: Pricing[Any, Any]) -> None:
        self._ledger = ledger
        self._accounts = accounts.__call__  # an object itself takes twice as long to call
        self._pricing = pricing

    async def __call__(self, call: A, then: Handler[A, R], held: ports.Reservation | None = None) -> R:
        bound = self._pricing.bound(call)
        if not bound:
            return await then(call)
        if held is None:
            held = self._ledger.try_reserve(self._accounts(call.scope), bound)
            if held is None:
                held = self._at_once(call, bound, lambda held: self(call, then, held))
        if held.amount < bound:
            call = self._pricing.within(call, held.amount)
        try:
            reply = await (self._inside(call, then) if type(call) is ToolCall else then(call))
            cost, reply = self._pricing.paid(call, reply, held.amount)
        except BaseException as error:
            self._charge(call, held, error)
            raise
        self._settle(call, held, cost)
        return reply

    def _at_once(self, call: Attempt, bound: int, go_on: GoOn) -> ports.Reservation:
        least = self._pricing.least(call)
        if self._ledger in _PAYING.get():
            return self._ledger.reserve(self._accounts(call.scope), bound, least)
        turn = _Turn(self._ledger, self._accounts, call, (bound, least), go_on)
        held = turn.at_once(ahead=False)
        if held is None:
            raise MustWait(turn)
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
        uncertain = charge is Charge.UNCERTAIN
        self._settle(call, held, cost, uncertain=uncertain)
        run = call.scope.run
        if cost and run.watched:
            data = {"dependency": call.dependency, "cost": cost, "uncertain": uncertain}
            run.emit(Kind.CHARGED, call.scope.agent, f"{call.step}#{call.attempt}", data)

    def _settle(self, call: Attempt, held: ports.Reservation, cost: int, *, uncertain: bool = False) -> None:
        notices = held.settle(cost, uncertain=uncertain)
        call.scope.run.cost += cost
        if notices:
            _tell(call, notices)


class _Turn:
    """A call that waits for the money that others hold."""

    def __init__(
        self, ledger: ports.Ledger, accounts: AccountsOf, call: Attempt, amounts: tuple[int, int], go_on: GoOn
    ) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._call = call
        self._amounts = amounts
        self.go_on = go_on

    def _claim(self) -> ports.Claim:
        who, run = self._call.scope.tenant, self._call.scope.run
        standing = Standing(who.tenant, who.weight, run.order, self._call.attempt)
        return ports.Claim(self._accounts(self._call.scope), *self._amounts, standing)

    async def wait(self) -> ports.Reservation:
        scope, now = self._call.scope, self._call.scope.run.now
        while True:
            began = now()
            try:
                held = await self._ledger.hold(self._claim(), self._call.deadline)
            finally:
                scope.run.waited("money", now() - began, scope.agent, self._call.step)
            if held is not None:  # else its day has ended, and that of tomorrow is asked
                return held

    def at_once(self, *, ahead: bool = True) -> ports.Reservation | None:
        return self._ledger.take(self._claim(), ahead=ahead)


def _tell(call: Attempt, notices: Sequence[ports.Notice]) -> None:
    for notice in notices:
        kind = Kind.BUDGET_OVERRUN if notice.overrun else Kind.BUDGET_ALERT
        data = {"account": notice.account, "settled": notice.settled, "ceiling": notice.ceiling}
        if notice.overrun:
            data["overrun"] = notice.overrun
            billed = f"{dollars(notice.overrun)} more was billed than was held on account {notice.account}"
            call.scope.run.note(Issue(code="budget_overrun", message=billed), call.scope.agent, call.step)
        call.scope.run.emit(kind, call.scope.agent, f"{call.step}#{call.attempt}", data)
