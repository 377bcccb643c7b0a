"""Which models answer for each model class, and for each agent that names a model of its own."""

from difflib import get_close_matches

from coordinator.app.providers import Adapters
from coordinator.domain.errors import Invalid
from coordinator.domain.model import Target
from coordinator.domain.team import Team
from coordinator.settings import DEFAULT_MODELS, Settings

SLIP = 0.8
"""A class that nobody uses and that is this near to one that is left at its default is a slip of the pen."""


def routes_of(team: Team, settings: Settings, adapters: Adapters) -> dict[str, tuple[Target, ...]]:
    """Return the targets by model class, in the order in which they are tried; a model that an agent names is a class.

    Raises:
        Invalid: `unknown_model`, when a class or an agent names none that exists; `bad_settings`, when a class looks
            misspelt. `details["class"]` is the class in question, where there is one.
    """
    used = {member.model for member in team.agents.values()}
    for name in settings.models.keys() - used - DEFAULT_MODELS.keys():
        _check_slip(name, settings)
    routes = {name: _class(name, models, adapters) for name, models in settings.models.items()}
    for member in team.agents.values():
        if member.model not in routes:
            routes[member.model] = (_own(member.name, member.model, settings, adapters),)
    return routes


def _class(name: str, models: str | list[str], adapters: Adapters) -> tuple[Target, ...]:
    try:
        return tuple(adapters.target(model) for model in ([models] if isinstance(models, str) else models))
    except Invalid as error:
        error.details["class"] = name
        raise


def _own(agent: str, model: str, settings: Settings, adapters: Adapters) -> Target:
    try:
        return adapters.target(model)
    except Invalid as error:
        raise Invalid(
            f"agent {agent} uses {model!r}, which is neither a model class nor a model that exists", code=error.code,
            hint=f"add models.{model} to the settings, or write one of {', '.join(sorted(settings.models))}",
        ) from None  # fmt: skip


def _check_slip(name: str, settings: Settings) -> None:
    near = get_close_matches(name, DEFAULT_MODELS, n=1, cutoff=SLIP)
    if near and settings.models[near[0]] == DEFAULT_MODELS[near[0]]:
        raise Invalid(
            f"no agent of the team uses the model class {name!r}", code="bad_settings",
            hint=f"did you mean {near[0]}?", details={"class": name},
        )  # fmt: skip
