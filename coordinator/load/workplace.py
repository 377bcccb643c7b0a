"""Where a load test happens: the scenario's stage, with models whose words are kept and whose answers take time."""

from coordinator.app import Coordinator, Ports
from coordinator.domain.events import Observer
from coordinator.domain.model import Model
from coordinator.domain.value import value
from coordinator.load.plan import LoadPlan
from coordinator.load.scaling import scaled_faults
from coordinator.models.offline import OfflineModel
from coordinator.models.simulated import SimulatedModel
from coordinator.settings import Settings
from coordinator.simulate import Stage
from coordinator.simulate.world import Scripts
from coordinator.simulation.chance import Dice
from coordinator.toolbox.world import Snapshots

KEPT_WORDS = 50_000
"""Replies that are kept by the digest of their request."""
OWN_WORDS = frozenset({"offline", "scripted"})
"""Providers that need nobody outside, and so answer after a seeded latency in real time, too."""


@value
class Workplace:
    """A stage, the settings that hold on it, and what all its coordinators share.

    *share* is the part of the planned runs that is carried out.
    """

    stage: Stage
    settings: Settings
    share: float
    offline: Model
    images: Snapshots

    @classmethod
    def of(cls, stage: Stage, settings: Settings, share: float) -> "Workplace":
        """Return a workplace with an empty memory of words."""
        return cls(stage, settings, share, OfflineModel(KEPT_WORDS), Snapshots())

    def words(self, provider: str, scripts: Scripts) -> Model:
        """Return who knows what a model of *provider* says."""
        given = self.stage.models.get(provider)
        if given is not None:
            return given
        return scripts if provider == "scripted" else self.offline

    def coordinator(
        self, plan: LoadPlan, ports: Ports, scripts: Scripts, watch: Observer, *, virtual: bool
    ) -> Coordinator:
        """Return the coordinator of a load test; in virtual time no provider outside is called."""
        dice = Dice(plan.seed)
        stage = self.stage
        models: dict[str, Model] = dict(stage.models)
        for name in stage.providers():
            if virtual or (name in OWN_WORDS and name not in models):
                models[name] = SimulatedModel(self.words(name, scripts), dice.stream(f"model {name}"))
        return Coordinator(
            stage.team, self.settings, world=stage.world, observers=[watch], models=models,
            faults=scaled_faults((*stage.faults, *plan.faults), self.share), ports=ports, snapshots=self.images,
        )  # fmt: skip
