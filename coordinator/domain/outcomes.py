"""The outcome table: what each way of ending means for breaker, retry, the next tier or model, money and gate.

Every policy that handles an error reads its own column here, so that no two can disagree about what happened.
"""

from enum import StrEnum

from coordinator.domain.effects import Effect
from coordinator.domain.errors import Fault, Invalid, Reached, Refused, Throttle, UnknownOutcome, Unsent
from coordinator.domain.value import value


class Outcome(StrEnum):
    """The ways in which an attempt can end other than well."""

    INVALID = "invalid"
    REFUSED = "refused"
    REFUSED_IN_PASSING = "refused_in_passing"
    UNREACHED = "unreached"
    THROTTLED = "throttled"
    DENIED = "denied"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    UNSENT = "unsent"


class Health(StrEnum):
    """What the breaker makes of it: a failure, nothing, or nothing but giving its permit back."""

    COUNTS = "counts"
    NEUTRAL = "neutral"


class Whom(StrEnum):
    """Which calls may be repeated, or handed to the next tier or model."""

    NONE = "none"
    ANY = "any effect"
    SAFE = "read or keyed"
    READ = "read"
    LATE = "when Retry-After exceeds the remaining time"


class Charge(StrEnum):
    """What becomes of the reservation."""

    RELEASE = "release"
    REPORTED = "reported usage, 0 if none began, else reserved"
    UNCERTAIN = "reserved, marked uncertain"


class Slot(StrEnum):
    """What becomes of the place taken in a gate."""

    REFUND = "refund"
    CORRECT = "correct"
    KEEP = "keep"


@value
class Consequence:
    """One row of the table."""

    breaker: Health
    retry: Whom
    following: Whom
    """Whether the next tier or model may be tried."""
    money: Charge
    gate: Slot


TABLE: dict[Outcome, Consequence] = {
    Outcome.INVALID: Consequence(Health.NEUTRAL, Whom.NONE, Whom.NONE, Charge.RELEASE, Slot.REFUND),
    Outcome.REFUSED: Consequence(Health.NEUTRAL, Whom.NONE, Whom.NONE, Charge.RELEASE, Slot.REFUND),
    Outcome.REFUSED_IN_PASSING: Consequence(Health.NEUTRAL, Whom.NONE, Whom.ANY, Charge.RELEASE, Slot.REFUND),
    Outcome.UNREACHED: Consequence(Health.COUNTS, Whom.ANY, Whom.ANY, Charge.RELEASE, Slot.REFUND),
    Outcome.THROTTLED: Consequence(Health.NEUTRAL, Whom.ANY, Whom.LATE, Charge.RELEASE, Slot.REFUND),
    Outcome.DENIED: Consequence(Health.NEUTRAL, Whom.NONE, Whom.ANY, Charge.RELEASE, Slot.REFUND),
    Outcome.FAILED: Consequence(Health.COUNTS, Whom.SAFE, Whom.READ, Charge.REPORTED, Slot.CORRECT),
    Outcome.UNCERTAIN: Consequence(Health.COUNTS, Whom.SAFE, Whom.READ, Charge.UNCERTAIN, Slot.KEEP),
    Outcome.UNKNOWN: Consequence(Health.COUNTS, Whom.NONE, Whom.NONE, Charge.UNCERTAIN, Slot.KEEP),
    Outcome.CANCELLED: Consequence(Health.NEUTRAL, Whom.NONE, Whom.NONE, Charge.UNCERTAIN, Slot.KEEP),
    Outcome.UNSENT: Consequence(Health.NEUTRAL, Whom.ANY, Whom.ANY, Charge.RELEASE, Slot.REFUND),
}


def outcome(error: BaseException) -> Outcome:
    """Name the row of *error*; what is none of ours and not an `Exception` is a cancellation."""
    if isinstance(error, Unsent) or isinstance(error.__cause__, Unsent):
        return Outcome.UNSENT
    if isinstance(error, Fault):
        return _of_fault(error)
    if isinstance(error, Refused):
        return Outcome.REFUSED_IN_PASSING if error.passing else Outcome.REFUSED
    if isinstance(error, Invalid):
        return Outcome.INVALID
    if isinstance(error, UnknownOutcome):
        return Outcome.UNKNOWN
    return Outcome.UNCERTAIN if isinstance(error, Exception) else Outcome.CANCELLED


def consequence(error: BaseException) -> Consequence:
    """Return the row of the table for *error*."""
    return TABLE[outcome(error)]


def permits(whom: Whom, effect: Effect, *, keyed: bool, late: bool = False) -> bool:
    """Say whether a call of *effect* belongs to *whom*; *late*: Retry-After exceeds the remaining time."""
    match whom:
        case Whom.ANY:
            return True
        case Whom.SAFE:
            return keyed or effect is Effect.READ
        case Whom.READ:
            return effect is Effect.READ
        case Whom.LATE:
            return late
        case Whom.NONE:
            return False


def follows(error: BaseException, effect: Effect, *, keyed: bool, remaining: float) -> bool:
    """Say whether the next tier or model may be tried after *error*, with *remaining* seconds until the deadline."""
    retry_after = error.retry_after if isinstance(error, Fault) else None
    late = retry_after is not None and retry_after > remaining
    return permits(consequence(error).following, effect, keyed=keyed, late=late)


def _of_fault(fault: Fault) -> Outcome:
    if fault.turned_away is Throttle.THROTTLED:
        return Outcome.THROTTLED
    if fault.turned_away is Throttle.DENIED:
        return Outcome.DENIED
    match fault.reached:
        case Reached.NO:
            return Outcome.UNREACHED
        case Reached.YES:
            return Outcome.FAILED
        case Reached.MAYBE:
            return Outcome.UNCERTAIN
