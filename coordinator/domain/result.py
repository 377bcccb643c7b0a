"""How a run ended: one status, one code, and everything it could not do."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coordinator.domain.citing import Citation
from coordinator.domain.errors import Refused, UnknownOutcome


class Status(StrEnum):
    """The one status in which a run ends."""

    COMPLETED = "completed"
    FLAGGED = "flagged"
    ESCALATED = "escalated"
    AWAITING_APPROVAL = "awaiting_approval"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Issue(BaseModel):
    """One thing that a run could not do or that a person should know.

    *code* is stable; *part* says what it concerns, such as a tool or a part of the question.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    part: str = ""


class Reply(BaseModel):
    """What a manager hands back when it wants to say more than text: citations, a status and its reasons."""

    text: str
    citations: list[Citation] = []
    status: Literal["completed", "flagged", "escalated"] = "completed"
    reasons: list[Issue] = []


# These say that an agent did not finish, not that a limit of money, rate or admission turned the run away.
UNFINISHED = frozenset({"deadline_exceeded", "loop_stopped", "soft_deadline", "turn_limit"})


def status_after(error: BaseException) -> Status:
    """Return the status of a run that *error* ended; what is no `Exception` is a cancellation."""
    if isinstance(error, Refused):
        return Status.FAILED if error.code in UNFINISHED else Status.REFUSED
    if isinstance(error, UnknownOutcome):
        return Status.ESCALATED
    return Status.FAILED if isinstance(error, Exception) else Status.CANCELLED


class RunResult(BaseModel):
    """The result of a run, explicit about what is missing; a run that left something out is never `completed`."""

    model_config = ConfigDict(frozen=True)

    status: Status
    code: str = Field(default="ok", description="Why it ended so, in one stable word.")
    text: str = Field(default="", description="The reply.")
    citations: list[Citation] = []
    issues: list[Issue] = []
    cost_usd: float = 0.0
    ceiling_usd: float = 0.0
    saved_usd: float = Field(default=0.0, description="What the cache, and identical requests in flight, have spared.")
    run_id: str = ""
    tenant: str = ""
    model: str = Field(default="", description="The model that answered, as provider:name.")
    stop_reason: str = Field(default="finished", description="What ended the work: finished, turn_limit, deadline, …")
    retry_after: float | None = Field(default=None, description="Seconds after which asking again may succeed.")
    turns: int = Field(default=0, description="Model calls.")
    steps: int = Field(default=0, description="Model calls, tool calls and delegations.")
    duration_s: float = 0.0
    output: Any = Field(default=None, description="The manager's report as plain JSON values.")

    @property
    def reason(self) -> Issue | None:
        """The issue behind the code; None where there is no such issue."""
        return next((issue for issue in self.issues if issue.code == self.code), None)

    def raise_for_status(self) -> "RunResult":
        """Return the result itself when the run is completed or flagged.

        Raises:
            Refused: in every other status, with the code and the issue behind it.
        """
        if self.status in (Status.COMPLETED, Status.FLAGGED):
            return self
        message = self.reason.message if self.reason else f"run {self.run_id} ended {self.status}"
        raise Refused(message, code=self.code, retry_after=self.retry_after)
