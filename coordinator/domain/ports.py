"""What the house needs from outside itself, and the holders of state that runs share, as policies know them."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from coordinator.domain.fair_queue import Standing
from coordinator.domain.money import Usage
from coordinator.domain.value import value

if TYPE_CHECKING:  # a scope's allowances are accounts, so that it knows this module
    from coordinator.domain.model import ModelReply, Reuse
    from coordinator.domain.scope import Scope

Stamp = Callable[[], float]
"""The injected wall clock: UTC seconds since the epoch. Durations use the event loop's own clock instead."""

NewId = Callable[[], str]
"""The injected source of run ids."""

Chance = Callable[[], float]
"""The injected randomness: a number from 0 up to but excluding 1."""


class Holder(Protocol):
    """Keeps state that runs share."""

    def snapshot(self) -> Any:
        """Return what is kept as it stands, as the typed value of the store that keeps it."""


@value
class Account:
    """One account that a call touches. Money in micro-dollars."""

    name: str
    """Such as `global/2026-11-20`, `tenant-day/acme/2026-11-20` or `run/r-1`."""
    ceiling: int
    kept: int = 0
    """What this call may not touch of the ceiling, because it is kept for others."""
    expires: float = math.inf
    """UTC stamp from which the account is forgotten, once nothing is held on it."""
    renews: bool = False
    """Whether another takes its place then, of which nothing is spent yet."""


@value
class Claim:
    """What a call asks of the ledger. Money in micro-dollars."""

    accounts: tuple[Account, ...]
    """From the narrowest to the widest: who touches one touches all behind it."""
    amount: int
    """The worst case of the call."""
    minimum: int
    """The least with which the call makes sense."""
    standing: Standing


@value
class Notice:
    """What a booking did to an account. Money in micro-dollars."""

    account: str
    overrun: int
    """What was billed above what was held, which closed the account; 0 when it has reached its alert threshold."""
    settled: int
    ceiling: int


class Reservation(Protocol):
    """Money held on several accounts; exactly one of `settle` or `release` ends it."""

    @property
    def amount(self) -> int:
        """Micro-dollars held on every account."""

    def settle(self, actual: int, *, uncertain: bool = False) -> Sequence[Notice]:
        """Book *actual* micro-dollars in place of the amount held, and tell what somebody should know of.

        What exceeds the amount held is overrun.
        """

    def release(self) -> None:
        """Give everything back."""


class Ledger(Holder, Protocol):
    """The accounts of money."""

    def try_reserve(self, accounts: Sequence[Account], amount: int) -> Reservation | None:
        """Hold all of *amount* micro-dollars at once, or return None, because it does not fit or others wait for it."""

    def reserve(self, accounts: Sequence[Account], amount: int, minimum: int | None = None) -> Reservation:
        """Hold *amount* micro-dollars on every one of *accounts*, or what is unspent of them, or nothing.

        Args:
            accounts: touched by the call, from the narrowest to the widest; opened at zero when they are new.
            amount: the worst case of the call.
            minimum: the least with which the call makes sense; the amount itself when None.

        Raises:
            Refused: `budget_exhausted` when settled + minimum exceeds a ceiling; `budget_held` with `retry_after` when
                it fits once others settle.
        """

    def take(self, claim: Claim, *, ahead: bool = False) -> Reservation | None:
        """Hold what is claimed, or what is unspent of it, at once; None when others hold it, or wait for it.

        Args:
            claim: the accounts and the amounts.
            ahead: go before those who wait, because the call has had its turn already.

        Raises:
            Refused: `budget_exhausted` as in `reserve`.
        """

    async def hold(self, claim: Claim, deadline: float) -> Reservation | None:
        """Wait until what is claimed can be held, fair between tenants; None when a day of its accounts has ended.

        Args:
            claim: the accounts and the amounts, which shrink to what is unspent.
            deadline: loop time by which the money is needed.

        Raises:
            Refused: `budget_exhausted` as in `reserve`; `budget_queue_full`, or `deadline_out_of_reach` when the others
                have not settled in time.
        """

    def close(self, account: str) -> None:
        """Forget an account, such as a finished run's, as soon as nothing is held on it any more."""


class Permit(Protocol):
    """A place taken in a gate; exactly one of `refund`, `correct` and `keep` ends it."""

    def refund(self) -> None:
        """Give requests and tokens back: nothing was sent."""

    def correct(self, tokens: int) -> None:
        """Replace the estimate by the *tokens* that were really used."""

    def keep(self) -> None:
        """Leave the estimate as it is: it is all that will ever be known."""


Along = Callable[[], float | None]
"""Takes what is needed beside a place: 0 when it has, None when that is not to be had, else after how many seconds to
ask again."""


class Gate(Protocol):
    """A fair limit on the rate of requests and tokens."""

    def try_take(self, tokens: int, *, ahead: bool = False) -> Permit | None:
        """Take a place at once, or return None when there is none or others wait for one.

        Args:
            tokens: estimate of what the call will use.
            ahead: go before those who wait, because the call has had its turn already.
        """

    def fits(self, tokens: int, *, ahead: bool = False, claim: object = None) -> bool:
        """Say whether `try_take` would succeed, for who has claimed the next place by *claim*."""

    def claim(self, claim: object, tokens: int, longest_s: float) -> float | None:
        """Let nobody pass before who claims the next place, if that fits within *longest_s*; return the seconds."""

    def unclaim(self, claim: object) -> None:
        """Give the claim up."""

    def pace(self, tokens: int) -> float:
        """Return the seconds between two places of *tokens* when nobody stops coming."""

    async def take(self, tokens: int, deadline: float, standing: Standing, along: Along | None = None) -> Permit | None:
        """Wait for a place, fairly between tenants and, inside a tenant, behind its older runs.

        Args:
            tokens: estimate of what the call will use.
            deadline: loop time by which the place is needed.
            standing: whose call it is.
            along: takes, when its turn comes, what the call needs beside the place; where it says that this is not to
                be had, no place is taken, and None is returned.

        Raises:
            Refused: `gate_full` or `deadline_out_of_reach`, both in passing and with `retry_after`.
        """

    def pause(self, seconds: float) -> None:
        """Admit nobody for *seconds*: the provider asked for it."""

    def remaining(self, requests: float | None, tokens: float | None, reset_s: float) -> None:
        """Admit no more than the provider says is left, until it counts anew in *reset_s* seconds; None: not said."""


class Trial(Protocol):
    """Leave to call something through its breaker; exactly one method ends it."""

    def succeeded(self) -> bool:
        """The call went well; say whether that has closed the breaker."""

    def failed(self, error: Exception) -> None:
        """The call failed in a way that counts."""

    def returned(self) -> None:
        """The call said nothing about health: cancelled, refused or invalid."""


class Gates(Holder, Protocol):
    """The gates of a process, one per dependency."""

    def of(self, dependency: str) -> Gate:
        """Return the gate of *dependency*, opened on first use."""

    def around(self, scope: "Scope", dependency: str) -> Gate:
        """Return what a call in *scope* must pass: the gate of *dependency*, and those around it, as one."""


class Estimates(Holder, Protocol):
    """What calls usually use, learned per dependency; rates go by it, money never does."""

    def expect(self, dependency: str, size: int, most_output: int) -> int:
        """Return how many tokens a request of *size* bytes with at most *most_output* tokens of reply will use."""

    def learn(self, dependency: str, size: int, usage: Usage) -> None:
        """Remember that a request of *size* bytes had this *usage*."""


class Replies(Holder, Protocol):
    """Replies of models, kept for a while."""

    def get(self, tenant: str, digest: str) -> "ModelReply | None":
        """Return the reply that is kept, or None."""

    def keep(self, tenant: str, digest: str, reply: "ModelReply") -> None:
        """Keep *reply*."""

    def reused(self, how: "Reuse") -> None:
        """Count a call that was answered without being sent."""


class RetryBudget(Holder, Protocol):
    """Bounds how much retries may add to what a dependency is asked anyway."""

    def request(self, dependency: str) -> None:
        """Count a first attempt that was sent; those that a policy refused were not."""

    def retry(self, dependency: str) -> bool:
        """Take one retry out of the budget; False when it is spent."""

    def helped(self, dependency: str) -> None:
        """Give a retry back: it went well."""


class Breaker(Protocol):
    """A switch that stops calls to what is down: closed, open, or probing with one call."""

    @property
    def state(self) -> str:
        """Return `closed`, `open` or `half-open`."""

    def admit(self) -> Trial:
        """Let a call through.

        Raises:
            Refused: `breaker_open`, in passing, with `retry_after`.
        """


class Breakers(Holder, Protocol):
    """The breakers of a process, one per dependency."""

    def of(self, dependency: str, /) -> Breaker:
        """Return the breaker of *dependency*, made on first use."""
