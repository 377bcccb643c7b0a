"""The four ways a call can go wrong, and what each carries."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from coordinator.domain.money import Usage

E = TypeVar("E", bound=BaseException)


def caused(error: E, cause: BaseException | None) -> E:
    """Say what has caused *error* where that decides what its call may do next; a compiler drops what `from` says."""
    error.__cause__ = cause
    return error


class Reached(StrEnum):
    """Whether a request arrived at the outside system before it failed."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


class CoordinatorError(Exception):
    """Root of all errors of this library.

    Args:
        message: what happened and where, in one line.
        code: a stable, documented word for programs.
        hint: how to fix it, in one line; empty when nothing can be said.
        details: machine-readable facts, such as the fields that are wrong.
    """

    default_code: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.details: dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class Invalid(CoordinatorError):
    """The caller, the model or the configuration is wrong; nothing was touched."""

    default_code = "invalid"


class Refused(CoordinatorError):
    """A policy said no before anything was touched.

    Args:
        retry_after: seconds after which asking again may succeed; None when it will not.
        passing: the refusal concerns this tier or model now (an open breaker, a full gate, a deadline out of reach),
            so that another tier or model may be tried; money, rights, loops and depth refuse for good.
        ends_agent: the agent that made the call must stop, because nothing it may still do would be allowed.
    """

    default_code = "refused"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        passing: bool = False,
        ends_agent: bool = False,
    ) -> None:
        super().__init__(message, code=code, hint=hint, details=details)
        self.retry_after = retry_after
        self.passing = passing
        self.ends_agent = ends_agent


class Throttle(StrEnum):
    """Why an outside system turned a request away without working on it."""

    THROTTLED = "throttled"
    DENIED = "denied"


class Fault(CoordinatorError):
    """The outside failed.

    Args:
        reached: whether the request arrived.
        transient: whether the same request may succeed later.
        retry_after: seconds the outside asked us to wait.
        turned_away: set when the outside refused to work on the request: throttled (429, 529) or denied (401, 403,
            quota, no such model).
        usage: what the outside reported as used before it failed; None when it reported nothing.
        began: whether it may have begun to work; False means that nothing can have been billed.
    """

    default_code = "fault"

    def __init__(
        self,
        message: str,
        *,
        reached: Reached,
        transient: bool = True,
        code: str = "",
        hint: str = "",
        retry_after: float | None = None,
        turned_away: Throttle | None = None,
        usage: Usage | None = None,
        began: bool = True,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.reached = reached
        self.transient = transient
        self.retry_after = retry_after
        self.turned_away = turned_away
        self.usage = usage
        self.began = began


class UnknownOutcome(CoordinatorError):
    """An effect was sent and its reply lost; only a person can tell what happened."""

    default_code = "unknown_outcome"


class Unsent(Exception):
    """Nothing was sent for a call, which waited for the reply to another one's same request; it may begin anew.

    Layers tell one another; no caller ever sees it. As the cause of a cancellation or of a Fault it says that these
    came while the call waited so.
    """
