"""Checks of the workspace: its settings, team, data and models, each built on the one before."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from coordinator.app.providers import Adapters
from coordinator.app.routes import routes_of
from coordinator.cli.checks.check import Check, Routes, State, called, wrong
from coordinator.cli.checks.limits import limits
from coordinator.cli.figures import counted
from coordinator.domain.errors import Invalid
from coordinator.domain.team import Team
from coordinator.policies.rate_names import check_rates
from coordinator.settings import Settings, load_settings
from coordinator.sources import Environment, file_source
from coordinator.workspace import Workspace, find_workspace, load_team

_PLACES = {"missing_key": "keys", "bad_key": "keys", "bad_base_url": "network", "missing_extra": "packages"}
"""Where errors of models belong that are not about their names."""


class Configuration:
    """Looks at the workspace around a folder.

    Args:
        folder: where the user stands.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace: Workspace | None = None
        self.settings: Settings | None = None
        self.team: Team | None = None
        self.routes: Routes = {}

    @property
    def root(self) -> Path:
        """The root of the workspace, or the folder itself where there is none."""
        return self.workspace.root if self.workspace is not None else self.folder

    def checks(self) -> Iterator[Check]:
        """Yield what is right and wrong about workspace, settings, team, world, models, prices and limits."""
        yield self._find_workspace()
        yield from self._load_settings()
        if self.settings is None:
            return
        yield from self._load_team(self.settings)
        yield from _world(self.settings)
        yield from self._models(self.settings)
        if self.team is not None and self.routes:
            yield from limits(self.settings, self.team, self.routes)

    def _find_workspace(self) -> Check:
        try:
            self.workspace = find_workspace(folder=self.folder)
        except Invalid as error:
            state: State = "warn" if error.code == "no_workspace" else "wrong"
            return Check("workspace", state, error.message, error.hint)
        return Check("workspace", "ok", str(self.workspace.marker))

    def _load_settings(self) -> Iterator[Check]:
        try:
            self.settings = load_settings(self.root)
        except Invalid as error:
            yield from _complaints(error)
            return
        said = [f"{len(names)} in {place}" for place, names in self._sources(self.settings) if names]
        yield Check("settings", "ok", ", ".join(said) or "all at their defaults")

    def _sources(self, settings: Settings) -> Iterator[tuple[str, Sequence[str]]]:
        if self.workspace is not None:
            marker = self.workspace.marker
            yield marker.name, list(file_source(type(settings), marker)())
        yield "the environment", list(Environment(type(settings))())

    def _load_team(self, settings: Settings) -> Iterator[Check]:
        if settings.team is None or self.workspace is None:
            hint = "set team in coordinator.toml, such as agents:team, or name it in each scenario"
            yield Check("team", "warn", "no team is named", hint)
            return
        try:
            self.team = load_team(settings.team, self.workspace)
            check_rates(settings.gate_limits(), self.team)
        except Invalid as error:
            yield wrong("team", error)
            return
        agents, tools = counted(len(self.team.agents), "agent"), counted(len(self.team.tools), "tool")
        yield Check("team", "ok", f"{settings.team}: {agents}, {tools}")
        people = sorted(name for name, tool in self.team.tools.items() if tool.contract.effect.needs_person)
        if people:
            yield Check("tools", "ok", f"refused, because they need a person: {', '.join(people)}")

    def _models(self, settings: Settings) -> Iterator[Check]:
        adapters = Adapters({}, settings)
        used = {agent.model for agent in self.team.agents.values()} if self.team is not None else set()
        whole = True
        for name in dict.fromkeys([*settings.models, *sorted(used)]):
            chosen = settings.models.get(name, name)
            targets = []
            for model in [chosen] if isinstance(chosen, str) else chosen:
                try:
                    targets.append(adapters.target(model))
                except Invalid as error:
                    whole = False
                    yield wrong(_PLACES.get(error.code, "models"), error)
            if targets:
                self.routes[name] = tuple(targets)
        if self.team is not None and whole:
            try:
                routes_of(self.team, settings, adapters)
            except Invalid as error:
                yield wrong("models", error)
        if self.routes:
            said = (f"{name} is {', else '.join(map(called, found))}" for name, found in self.routes.items())
            yield Check("models", "ok", "; ".join(said))


def _complaints(error: Invalid) -> Iterator[Check]:
    complaints = error.details.get("wrong", {})
    if len(complaints) < 2:
        yield wrong("settings", error)
        return
    place = error.hint.partition(", ")[0]
    for name, said in complaints.items():
        yield Check("settings", "wrong", f"{name}: {said}", place)


def _world(settings: Settings) -> Iterator[Check]:
    places = settings.places()
    missing = {name: path for name, path in places.items() if not path.exists()}
    for name, path in missing.items():
        yield Check("world", "wrong", f"{name}: there is no {path}", f"correct world.{name} in the settings")
    if places and not missing:
        yield Check("world", "ok", ", ".join(places))
