"""Whether the team has what a scenario names, and whether its world can be read."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from coordinator.domain.errors import Invalid
from coordinator.domain.team import Team
from coordinator.scenario.document import Document, Place, nearest
from coordinator.scenario.file import ScenarioFile
from coordinator.scenario.inputs import Inputs
from coordinator.settings import Settings
from coordinator.simulation.faults import FaultRule, names_model

ALIKE = 0.8
"""How alike two names of a world are, from 0 to 1, when one is taken for a misspelling of the other."""


def check_names(document: Document, file: ScenarioFile, team: Team, settings: Settings) -> None:
    """Check that *team* has every tool, tier, member, model and task type that *file* names.

    Raises:
        Invalid: `unknown_tool`, `unknown_tier`, `unknown_model`, `unknown_member` or `unknown_task_type`, with the line
            and the nearest name.
    """
    for place, name in _tools(file):
        _check(document, place, name, team.tools, "tool")
    for name in file.expect.delegations if file.expect else ():
        _check(document, ("expect", "delegations", name), name, team.agents, "member")
    if file.kind:
        _check(document, ("kind",), file.kind, team.task_types, "task_type")
    check_faults(document, file.faults, team, settings, under=("faults",))


def models_of(team: Team, settings: Settings) -> list[str]:
    """Return every model that *team* may call by *settings*, as they name it."""
    classes = settings.models
    named = [name for names in classes.values() for name in ([names] if isinstance(names, str) else names)]
    own = [member.model for member in team.agents.values() if member.model not in classes]
    return list(dict.fromkeys([*named, *own]))


def check_faults(
    document: Document, faults: Sequence[FaultRule], team: Team, settings: Settings, under: Place = ()
) -> None:
    """Check that *team* has every tool and tier, and by *settings* calls every model, that *faults* name.

    Args:
        document: where the faults stand.
        faults: what is to fail.
        team: whose tools they are.
        settings: which models it calls.
        under: where in the document they stand.

    Raises:
        Invalid: `unknown_tool`, `unknown_tier` or `unknown_model`, with the line and the nearest name.
    """
    for index, fault in enumerate(faults):
        error = misnamed(fault, team, settings)
        if error is not None:
            key = error.code.removeprefix("unknown_")
            raise document.wrong((*under, index, key), error.message, hint=error.hint, code=error.code)


def misnamed(fault: FaultRule, team: Team, settings: Settings) -> Invalid | None:
    """Return what is wrong with the names in *fault*, when *team* does not have them; see `check_faults`."""
    if fault.tool is None:
        models, wished = models_of(team, settings), fault.model or ""
        if any(names_model(wished, known) for known in models):
            return None
        message = f"the team calls no model named {wished!r}"
        return Invalid(message, code="unknown_model", hint=nearest(wished, models))
    if fault.tool not in team.tools:
        message = f"the team has no tool named {fault.tool!r}"
        return Invalid(message, code="unknown_tool", hint=nearest(fault.tool, team.tools))
    tiers = len(team.tools[fault.tool].tiers)
    if fault.tier < tiers:
        return None
    hint = f"its tiers are 0 to {tiers - 1}" if tiers > 1 else "its only tier is 0"
    return Invalid(f"tool {fault.tool} has no tier {fault.tier}", code="unknown_tier", hint=hint)


def find_world(document: Document, file: ScenarioFile, inputs: Inputs, places: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files and folders of the scenario's world.

    Args:
        document: the scenario file.
        file: what it says.
        inputs: its inputs.
        places: those of the settings, which stand where the scenario names none.

    Raises:
        Invalid: `bad_scenario`, when a name looks like a misspelt one of *places*, which would stand in silently;
            `missing_path` when one can be neither read nor listed; both with the line.
    """
    silent = [name for name in places if name not in file.world]
    for name in file.world:
        if name not in places and (meant := get_close_matches(name, silent, n=1, cutoff=ALIKE)):
            raise document.wrong(
                ("world", name), f"unknown name {name!r} in world",
                hint=f"did you mean {meant[0]}? if both are meant, give both",
            )  # fmt: skip
    world = {name: inputs.path(text, ("world", name)) for name, text in file.world.items()}
    for name, path in world.items():
        reason = _unusable(path)
        if reason:
            raise document.wrong(
                ("world", name), f"{name} cannot be read: {path}: {reason}",
                hint=f"correct the path{_by_input(file.world[name])}", code="missing_path",
            )  # fmt: skip
    return world


def _tools(file: ScenarioFile) -> Iterator[tuple[Place, str]]:
    for index, decision in enumerate(file.decisions):
        yield ("decisions", index, "tool"), decision.tool
    for name in file.expect.tools if file.expect else ():
        yield ("expect", "tools", name), name


def _check(document: Document, place: Place, name: str, known: Mapping[str, Any], what: str) -> None:
    if name not in known:
        said = what.replace("_", " ")
        raise document.wrong(
            place, f"the team has no {said} named {name!r}", hint=nearest(name, known), code=f"unknown_{what}"
        )


def _by_input(text: str) -> str:
    name = text[2:].partition("}")[0] if text.startswith("${") else ""
    return f", or give another with --set {name}=PATH" if name else ""


def _unusable(path: Path) -> str:
    """Say why *path* can be neither read nor listed; nothing when it can."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            with path.open("rb"):
                pass
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
