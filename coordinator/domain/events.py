"""What happened, in order: one event for every transition, call, retry, refusal and error of a run."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from coordinator.domain.value import value


class Kind(StrEnum):
    """The kinds of events."""

    RUN_STARTED = "run.started"
    RUN_ENDED = "run.ended"
    STATE = "state"
    DELEGATION_STARTED = "delegation.started"
    DELEGATION_ENDED = "delegation.ended"
    MODEL_STARTED = "model.started"
    MODEL_ENDED = "model.ended"
    TOOL_STARTED = "tool.started"
    TOOL_ENDED = "tool.ended"
    TOOL_LATE = "tool.late"
    WAITED = "waited"
    RETRY = "retry"
    FALLBACK = "fallback"
    COMPRESSED = "compressed"
    VERDICT = "verdict"
    ISSUE = "issue"
    CRASH = "crash"
    EVENTS_DROPPED = "events.dropped"
    BREAKER = "breaker"
    CHARGED = "charged"
    BUDGET_ALERT = "budget.alert"
    BUDGET_OVERRUN = "budget.overrun"
    DECISION = "decision"
    ALARM = "alarm"


@value
class Event:
    """One thing that happened in a run.

    *seq* counts from 1 without gaps within the run; *at* is a UTC stamp in seconds; *step* is the id of the call it
    belongs to (attempts as `step#2`); *data* holds facts in plain JSON types: names and numbers, and only where the
    settings ask for it, under `content`, what was said.
    An alarm belongs to the process: its *run* is empty, and its *seq* counts alarms.
    """

    run: str
    seq: int
    at: float
    kind: Kind
    tenant: str
    agent: str
    step: str
    data: Mapping[str, Any]


Observer = Callable[[Event], None]
"""Is told every event; one that raises is dropped and logged, and the run goes on."""
