"""What a check comes to."""

from typing import Literal

from coordinator.domain.errors import CoordinatorError
from coordinator.domain.model import Target
from coordinator.domain.value import value

State = Literal["ok", "warn", "wrong"]
Routes = dict[str, tuple[Target, ...]]
"""The targets of each model class, as far as they exist."""


@value
class Check:
    """One thing that was looked at: *said* is what was found, *fix* what to do about it."""

    name: str
    state: State
    said: str
    fix: str = ""


def wrong(name: str, error: CoordinatorError) -> Check:
    """Return the check that *error* spoilt."""
    return Check(name, "wrong", error.message, error.hint)


def called(target: Target) -> str:
    """Return *target* as people say it; a provider with one model is called by its name."""
    return target.provider if target.provider == target.model else str(target)
