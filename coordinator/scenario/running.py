"""A scenario that is ready to run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from coordinator.app import Coordinator
from coordinator.domain.calls import Task
from coordinator.domain.errors import Invalid
from coordinator.domain.events import Observer
from coordinator.domain.result import RunResult
from coordinator.domain.team import Team
from coordinator.domain.value import value
from coordinator.models.scripted import ScriptedModel, ScriptedReply
from coordinator.scenario.document import Document, Place
from coordinator.scenario.file import ScenarioFile
from coordinator.settings import Settings
from coordinator.sources import origin, workspace_file

REPAIRED_AT = {"unknown_world_name": "world", "missing_path": "world", "unknown_tenant": "tenant"}
"""Errors that only the team can find, and the key of the scenario where they are repaired."""

MODEL_CLASS = "class"
"""The detail of an error about a model that names its model class."""


@value
class Scenario:
    """A scenario that is ready to run: its file was read, its team loaded, its settings and its world checked."""

    document: Document
    file: ScenarioFile
    team: Team
    settings: Settings
    world: Mapping[str, Path]
    script: Sequence[ScriptedReply]
    model_given: bool = False
    """Whether the user named the model, in place of the file."""

    @property
    def name(self) -> str:
        """What the scenario is called."""
        return self.file.name or self.document.path.stem

    async def run(self, observers: Sequence[Observer] = ()) -> RunResult:
        """Run the task once, in an own copy of the world and with limits and breakers of its own.

        Args:
            observers: are told every event.

        Raises:
            Invalid: the team finds its world wrong, or a model does not exist; nothing was started.
        """
        file = self.file
        try:
            async with self._coordinator(observers) as coordinator:
                task = Task(text=file.task, kind=file.kind)
                return await coordinator.run(task, tenant=file.tenant, user=file.user, session=file.session)
        except Invalid as error:
            placed = self._placed(error)
            if placed is error:
                raise
            raise placed from error

    def _placed(self, error: Invalid) -> Invalid:
        """Return *error* with the place where it can be repaired: in this file, or where the settings come from."""
        place = self._place(error)
        if place:
            return self.document.wrong(place, error.message, hint=error.hint, code=error.code)
        elsewhere = self._elsewhere(error)
        if elsewhere:
            return Invalid(f"{elsewhere}: {error.message}", code=error.code, hint=error.hint, details=error.details)
        return error

    def _place(self, error: Invalid) -> Place:
        """Return where in the file *error* can be repaired: at a key, or at the part of the world that it speaks of."""
        if error.code in REPAIRED_AT:
            return (REPAIRED_AT[error.code],)
        if MODEL_CLASS in error.details:
            return self._place_of_model(error.details[MODEL_CLASS])
        named = [(len(str(path)), name) for name, path in self.world.items() if _speaks_of(error, path)]
        return ("world", max(named)[1]) if named else ()

    def _place_of_model(self, model_class: str) -> Place:
        """Return where in the file the model of *model_class* stands."""
        place: Place = ("settings", "models", model_class) if self.file.model is None else ("model",)
        return place if place in self.document.lines and not self.model_given else ()

    def _elsewhere(self, error: Invalid) -> str:
        """Say what besides this file gave the model of which *error* speaks."""
        if MODEL_CLASS not in error.details:
            return ""
        if self.model_given:
            return "--model"
        file = workspace_file(self.settings.start or Path.cwd())
        return origin(self.settings, file, "models", error.details[MODEL_CLASS])

    def _coordinator(self, observers: Sequence[Observer]) -> Coordinator:
        return Coordinator(
            self.team,
            self.settings,
            world=self.world,
            observers=observers,
            models={"scripted": ScriptedModel(self.script)} if self.script else {},
            faults=self.file.faults,
        )


def _speaks_of(error: Invalid, path: Path) -> bool:
    return str(path) in error.message or str(path.resolve()) in error.message
