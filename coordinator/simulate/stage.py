"""What is simulated: a team with its settings, its data and what its tenants ask."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from coordinator.domain.calls import Task
from coordinator.domain.model import Model
from coordinator.domain.team import Team
from coordinator.domain.value import value
from coordinator.models.scripted import ScriptedReply
from coordinator.scenario.checking import misnamed, models_of
from coordinator.scenario.running import Scenario
from coordinator.settings import Settings
from coordinator.simulation.faults import FaultRule


@value
class Stage:
    """A team, and what it is asked; every world that is simulated plays on it.

    *models* answers by provider name; every other provider's words come from the offline model, or from the *script*,
    which each run plays from its beginning. *faults* are part of the stage, beside those that a world draws.
    """

    team: Team
    settings: Settings
    task: Task
    tenant: str = "default"
    user: str | None = None
    session: str | None = None
    world: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    script: Sequence[ScriptedReply] = ()
    faults: Sequence[FaultRule] = ()

    @classmethod
    def of(cls, scenario: Scenario) -> "Stage":
        """Return the stage that *scenario* describes."""
        file = scenario.file
        return cls(
            scenario.team, scenario.settings, Task(text=file.task, kind=file.kind), file.tenant, file.user,
            file.session, scenario.world, script=scenario.script, faults=file.faults,
        )  # fmt: skip

    @property
    def tiers(self) -> dict[str, int]:
        """How many implementations each tool of the team has."""
        return {name: len(tool.tiers) for name, tool in self.team.tools.items()}

    @property
    def targets(self) -> list[str]:
        """Every model that the team may call, by name."""
        return models_of(self.team, self.settings)

    def check_faults(self, faults: Sequence[FaultRule]) -> None:
        """Check that the team has what the stage's own faults and *faults* name.

        Raises:
            Invalid: `unknown_tool`, `unknown_tier` or `unknown_model`, with the nearest name.
        """
        for fault in (*self.faults, *faults):
            error = misnamed(fault, self.team, self.settings)
            if error is not None:
                raise error

    def providers(self) -> Iterator[str]:
        """Yield the providers of these models."""
        yield from dict.fromkeys(target.partition(":")[0] for target in self.targets)
