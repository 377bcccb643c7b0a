"""When an alarm is raised, as people write it in settings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Window = Annotated[int, Field(ge=2, le=10_000)]


class AlarmSetting(BaseModel):
    """When an alarm is raised: over how much, and how far something must have gone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accept_rate: Share = 0.7
    """The share of accepted drafts below which there is an alarm."""
    verdicts: Window = 50
    """The last verdicts that count for it."""
    fewest_verdicts: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Verdicts below which no share is judged."""
    runs: Window = 50
    """The last runs that are compared with as many before them."""
    success_fall: Share = 0.1
    """How far the share of completed runs must have fallen between the two."""
    steps_rise: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.1
    """By which part the steps of a run must have risen at the same time."""
    flaps: Annotated[int, Field(ge=2, le=1000)] = 3
    """Times that a closed breaker opens which are too many."""
    flap_window_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 600.0
    """Seconds within which they are counted."""
