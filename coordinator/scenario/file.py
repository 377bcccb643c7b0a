"""What may stand in a scenario file."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from coordinator.domain.events import Kind
from coordinator.domain.result import Status
from coordinator.models.scripted import ScriptedReply
from coordinator.simulation.faults import FaultRule

Words = Annotated[str, Field(min_length=1)]

_COUNT = r"^\s*(>=|<=|>|<|=|==)?\s*\d{1,9}\s*$"


def _count(given: Any) -> Any:
    if isinstance(given, str) and re.match(_COUNT, given):
        return given
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise ValueError('should be a number of calls, such as 0, 2 or ">=1"')


Count = Annotated[
    Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=_COUNT)], BeforeValidator(_count)
]  # fmt: skip
"""How many calls: `2`, `0`, `">=1"`, `"<3"`."""


class Decision(BaseModel):
    """What a person decides about the calls of a tool that needs one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: Words = Field(description="The tool whose calls are decided.")
    approve: bool = Field(description="Whether they may be carried out.")
    approver: Words = Field(default="scenario", description="Who decides.")


class Expectation(BaseModel):
    """What must come out; `coordinator test` judges it, `coordinator run` never does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Status | None = Field(default=None, description="The status in which the run ends.")
    code: Words | None = Field(default=None, description="The code of the result, such as ok or nothing_found.")
    mentions: list[Words] = Field(default=[], description="Words that stand in the reply, in any case.")
    not_mentions: list[Words] = Field(default=[], description="Words that do not stand in the reply.")
    cites: list[Words] = Field(
        default=[],
        description="Sources that the reply cites: by name (orders/1042), by the part before the slash (orders), or by "
        "file name (delivery-times.md).",
    )
    issues: list[Words] = Field(default=[], description="Codes of issues that the result lists, such as not_found.")
    tools: dict[str, Count] = Field(
        default={}, description='How often each tool is called, refused calls included: 2, 0, ">=1".'
    )
    delegations: dict[str, Count] = Field(default={}, description='How many briefs each member is handed: 2, 0, ">=1".')
    events: dict[Kind, Count] = Field(
        default={}, description='How many events of each kind happen, such as breaker, fallback, retry: 2, 0, ">=1".'
    )
    max_cost_usd: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="The most that the run may cost, in dollars."
    )


def _kind_of_script(given: Any) -> str:
    return "file" if isinstance(given, str) else "replies"


Script = Annotated[
    Annotated[Words, Tag("file")] | Annotated[list[ScriptedReply], Tag("replies")], Discriminator(_kind_of_script)
]


class ScenarioFile(BaseModel):
    """A task with its world, its faults and decisions, and what must come out.

    `${name}` stands for the input of that name wherever text may stand, except in `inputs` and `script`; `$${name}` is
    that text itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Words | None = Field(default=None, description="What the scenario is called; by default the file's name.")
    description: str = Field(default="", description="What the scenario shows, for people.")
    team: Words | None = Field(
        default=None, description="The team's import string, such as agents:team; by default that of the workspace."
    )
    task: Words = Field(description="What is asked, in the user's own words; --task replaces it.")
    kind: str = Field(default="", description="A task type of the team, which narrows its tools.")
    tenant: Words = Field(default="default", description="Who pays; --tenant replaces it.")
    user: Words | None = Field(default=None, description="Whose data may be seen.")
    session: Words | None = Field(default=None, description="The conversation that the task belongs to.")
    model: Words | None = Field(
        default=None,
        description="The model that every agent uses, whatever class or model it names itself: offline, scripted or "
        "provider:model; --model replaces it. By default the settings say, which is offline.",
    )
    script: Script | None = Field(
        default=None, description="What the scripted model answers: replies, or a file of replies beside this one."
    )
    settings: dict[str, Any] = Field(default={}, description="Settings of this run; they win over all others.")
    inputs: dict[str, str] = Field(
        default={}, description="Values used as ${name}; --set name=value replaces them, and only them."
    )
    world: dict[str, Words] = Field(
        default={},
        description="Data of the team by name: files and folders. Paths are relative to this file, those that --set "
        "gives to the current folder. Every run works on its own copy of databases.",
    )
    faults: list[FaultRule] = Field(default=[], description="Which tools and models fail, how, and how often.")
    decisions: list[Decision] = Field(default=[], description="What a person decides about calls that need one.")
    expect: Expectation | None = Field(default=None, description="What must come out.")
