"""What `coordinator doctor` looks at, in the order in which one thing builds on another."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from coordinator.app.pricing import prices_of
from coordinator.app.providers import Adapters
from coordinator.app.routes import routes_of
from coordinator.cli.figures import counted
from coordinator.domain.errors import CoordinatorError, Invalid
from coordinator.domain.model import Target
from coordinator.domain.money import MICROS_PER_USD, Price, dollars, micros
from coordinator.domain.team import Team
from coordinator.domain.value import value
from coordinator.policies.rate_names import check_rates
from coordinator.settings import Settings, load_settings
from coordinator.sources import Environment, file_source
from coordinator.workspace import Workspace, find_workspace, load_team

State = Literal["ok", "warn", "wrong"]
Routes = dict[str, tuple[Target, ...]]

FREE = ("offline", "scripted")
"""Providers that nobody sends a bill for."""


@value
class Check:
    """One thing that was looked at: *said* is what was found, *fix* what to do about it."""

    name: str
    state: State
    said: str
    fix: str = ""


def wrong(name: str, error: CoordinatorError) -> Check:
    """Return the check that *error* spoilt."""
    return Check(name, "wrong", error.message, error.hint)


class Checkup:
    """Looks at the configuration of the workspace around a folder.

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

    def configuration(self) -> Iterator[Check]:
        """Yield what is right and wrong about workspace, settings, team, world, models, prices and limits."""
        yield self._find_workspace()
        yield from self._load_settings()
        if self.settings is None:
            return
        yield from self._load_team(self.settings)
        yield from _world(self.settings)
        yield from self._models(self.settings)
        yield from _prices(self.settings, self.team, self.routes)

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
        adapters, faults = Adapters({}), 0
        used = {agent.model for agent in self.team.agents.values()} if self.team is not None else set()
        for name in dict.fromkeys([*settings.models, *sorted(used)]):
            chosen = settings.models.get(name, name)
            try:
                targets = [adapters.target(one) for one in ([chosen] if isinstance(chosen, str) else chosen)]
            except Invalid as error:
                yield Check("models", "wrong", f"{name}: {error.message}", error.hint)
                faults += 1
                continue
            self.routes[name] = tuple(targets)
        if self.team is not None and not faults:
            try:
                routes_of(self.team, settings, adapters)
            except Invalid as error:
                yield wrong("models", error)
        if self.routes:
            said = (f"{name} is {', else '.join(map(_plain, found))}" for name, found in self.routes.items())
            yield Check("models", "ok", "; ".join(said))


def _complaints(error: Invalid) -> Iterator[Check]:
    cause = error.__cause__
    if not isinstance(cause, ValidationError) or len(cause.errors()) < 2:
        yield wrong("settings", error)
        return
    for one in cause.errors(include_url=False, include_context=False):
        name = ".".join(map(str, one["loc"]))
        yield Check(
            "settings", "wrong", f"{name}: {one['msg']} (given {one['input']!r})", error.hint.partition(", ")[0]
        )


def _world(settings: Settings) -> Iterator[Check]:
    places = settings.places()
    missing = {name: path for name, path in places.items() if not path.exists()}
    for name, path in missing.items():
        yield Check("world", "wrong", f"{name}: there is no {path}", f"correct world.{name} in the settings")
    if places and not missing:
        yield Check("world", "ok", ", ".join(places))


def _prices(settings: Settings, team: Team | None, routes: Routes) -> Iterator[Check]:
    if team is None or not routes:
        return
    try:
        prices = prices_of(team, settings, routes, time.time())
    except Invalid as error:
        yield wrong("prices", error)
        return
    targets = dict.fromkeys(target for found in routes.values() for target in found)
    unknown = [str(target) for target in targets if str(target) not in prices]
    for name in unknown:
        fix = f'set prices."{name}" in the settings; a free model costs 0'
        yield Check("prices", "wrong", f"{name} has no price, and is not called without", fix)
    known = [f"{_plain(target)} {_priced(prices[str(target)])}" for target in targets if str(target) in prices]
    if known:
        yield Check("prices", "ok", f"{'; '.join(known)} for a million tokens in and out")
    yield from _limits(
        settings, team, {name: [p for t in found if (p := prices.get(str(t)))] for name, found in routes.items()}
    )


def _limits(settings: Settings, team: Team, prices: dict[str, list[Price]]) -> Iterator[Check]:
    """Yield where limits are so narrow or so wide that they cannot be meant."""
    raised = [*_money(settings, team, prices), *_times(settings, team)]
    yield from raised
    if not any(check.state == "wrong" for check in raised):
        wide = f"all runs of a {settings.global_period} {_usd(settings.global_usd)}"
        narrow = f"a run may cost {_usd(settings.run_usd)}, a tenant's day {_usd(settings.tenant_day_usd)}, {wide}"
        yield Check("limits", "ok", f"{narrow}; a run is over after {settings.deadline_s:g} s")


def _money(settings: Settings, team: Team, prices: dict[str, list[Price]]) -> Iterator[Check]:
    ceiling = micros(settings.run_usd)
    for agent in team.agents.values():
        for price in prices.get(agent.model, []):
            least = price.output * settings.min_output_tokens // MICROS_PER_USD
            most = price.output * agent.max_output_tokens // MICROS_PER_USD
            if least > ceiling:
                said = f"{agent.name}: the shortest reply may cost {dollars(least)}, a run at most {dollars(ceiling)}"
                yield Check("limits", "wrong", said, "raise run_usd, or lower min_output_tokens")
            elif most > ceiling:
                said = f"{agent.name}: its longest reply may cost {dollars(most)}, a run at most {dollars(ceiling)}"
                yield Check("limits", "warn", said, "raise run_usd, or lower the agent's max_output_tokens")
    paid = any(price.output for found in prices.values() for price in found) and settings.global_usd is None
    if paid and any(_paid(settings, name) for name in prices):
        said = f"nothing bounds what all runs of a {settings.global_period} cost together"
        yield Check("limits", "warn", said, "set global_usd, or a ceiling at the provider")


def _times(settings: Settings, team: Team) -> Iterator[Check]:
    deadline = settings.deadline_s
    if settings.model_timeout_s >= deadline:
        said = f"one model call may take {settings.model_timeout_s:g} s, a whole run {deadline:g} s"
        yield Check("limits", "warn", said, "lower model_timeout_s, so that a second attempt is possible")
    for name, tool in team.tools.items():
        if tool.contract.timeout >= deadline:
            said = f"tool {name} may take {tool.contract.timeout:g} s, a whole run {deadline:g} s"
            yield Check("limits", "warn", said, f"lower the timeout of {name}, or raise deadline_s")


def _paid(settings: Settings, name: str) -> bool:
    chosen = settings.models.get(name, name)
    models = [chosen] if isinstance(chosen, str) else chosen
    return any(model.partition(":")[0] not in FREE for model in models)


def _plain(target: Target) -> str:
    return target.provider if target.provider == target.model else str(target)


def _priced(price: Price) -> str:
    return f"${price.input / MICROS_PER_USD:g} and ${price.output / MICROS_PER_USD:g}"


def _usd(amount: float | None) -> str:
    return "anything" if amount is None else f"${amount:.2f}"
