"""Exit codes: how a process says in one number how a run ended."""

from coordinator.domain.result import Status

OK, FLAGGED, INVALID, REFUSED, HANDED_OVER, FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

OF_STATUS = {
    Status.COMPLETED: OK,
    Status.FLAGGED: FLAGGED,
    Status.REFUSED: REFUSED,
    Status.ESCALATED: HANDED_OVER,
    Status.AWAITING_APPROVAL: HANDED_OVER,
    Status.FAILED: FAILED,
    Status.CANCELLED: INTERRUPTED,
}
"""The exit code of a run by its status."""
