"""What agents hand one another: briefs, plans and reports."""

from dataclasses import field
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from coordinator.domain.citing import Passage
from coordinator.domain.errors import CoordinatorError, Fault, Reached
from coordinator.domain.value import value

T = TypeVar("T")


class Material(BaseModel):
    """Something already known that an agent is given to work from."""

    model_config = ConfigDict(frozen=True)

    origin: str = Field(description="Who or what it comes from.")
    content: Any = Field(description="The material itself, as JSON.")


class Brief(BaseModel):
    """What one agent is asked."""

    model_config = ConfigDict(frozen=True)

    request: str = Field(description="The request of the user, in the user's own words.")
    goal: str = Field(default="", description="What this member is to do about it.")
    materials: tuple[Material, ...] = Field(default=(), description="What is already known.")


class PlanStep(BaseModel):
    """One delegation of a plan."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="A short id of this step, unique in the plan.")
    member: str = Field(description="The member who does this step.")
    goal: str = Field(description="The brief: what the member is to do.")
    needs: tuple[str, ...] = Field(default=(), description="Ids of the steps whose results this step needs.")


class Plan(BaseModel):
    """A graph of delegations without cycles; steps that need nothing of one another run in parallel."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[PlanStep, ...] = Field(description="The steps of the plan.")


@value
class Report(Generic[T]):
    """What one agent hands back; an agent that fails still reports, with the code of its failure."""

    agent: str
    step: str
    status: Literal["done", "failed"]
    output: T | None = None
    code: str = "ok"
    message: str = ""
    passages: tuple[Passage, ...] = ()
    error: CoordinatorError | None = field(default=None, repr=False, compare=False)

    def result(self) -> T:
        """Return the output.

        Raises:
            CoordinatorError: the failure of the agent, when it failed.
        """
        if self.status == "failed":
            raise self.error or Fault(
                f"agent {self.agent} failed: {self.message}", reached=Reached.YES, transient=False, code=self.code
            )
        return cast(T, self.output)
