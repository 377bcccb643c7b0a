"""Whether the team has what a scenario names, and whether its world can be read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coordinator.domain.team import Team
from coordinator.scenario.document import Document, Place, nearest
from coordinator.scenario.file import ScenarioFile
from coordinator.scenario.inputs import Inputs
from coordinator.settings import Settings
from coordinator.simulation.faults import FaultRule, names_model


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
    check_faults(document, file.faults, team, models_of(team, settings), under=("faults",))


def models_of(team: Team, settings: Settings) -> list[str]:
    """Return every model that *team* may call by *settings*, as they name it."""
    classes = settings.models
    named = [name for names in classes.values() for name in ([names] if isinstance(names, str) else names)]
    own = [member.model for member in team.agents.values() if member.model not in classes]
    return list(dict.fromkeys([*named, *own]))


def check_faults(
    document: Document, faults: Sequence[FaultRule], team: Team, models: list[str], under: Place = ()
) -> None:
    """Check that *team* has every tool and tier, and calls every model, that *faults* name.

    Args:
        document: where the faults stand.
        faults: what is to fail.
        team: whose tools they are.
        models: those that the team may call.
        under: where in the document they stand.

    Raises:
        Invalid: `unknown_tool`, `unknown_tier` or `unknown_model`, with the line and the nearest name.
    """
    for index, fault in enumerate(faults):
        place = (*under, index)
        if fault.model is not None:
            _check_model(document, (*place, "model"), fault.model, models)
        elif fault.tool is not None:
            _check(document, (*place, "tool"), fault.tool, team.tools, "tool")
            _check_tier(document, (*place, "tier"), fault, len(team.tools[fault.tool].tiers))


def _check_tier(document: Document, place: Place, fault: FaultRule, tiers: int) -> None:
    if fault.tier >= tiers:
        raise document.wrong(
            place, f"tool {fault.tool} has no tier {fault.tier}",
            hint=f"its tiers are 0 to {tiers - 1}" if tiers > 1 else "its only tier is 0", code="unknown_tier",
        )  # fmt: skip


def _check_model(document: Document, place: Place, model: str, models: list[str]) -> None:
    if not any(names_model(model, known) for known in models):
        raise document.wrong(
            place, f"the team calls no model named {model!r}", hint=nearest(model, models), code="unknown_model"
        )


def find_world(document: Document, file: ScenarioFile, inputs: Inputs) -> dict[str, Path]:
    """Return the files and folders of the scenario's world.

    Raises:
        Invalid: `missing_path`, with the line, when one can be neither read nor listed.
    """
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
