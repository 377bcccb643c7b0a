"""Whether the team has what a scenario names, and whether its world can be read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coordinator.domain.team import Team
from coordinator.scenario.document import Document, Place, nearest
from coordinator.scenario.file import ScenarioFile
from coordinator.scenario.inputs import Inputs
from coordinator.simulation.faults import FaultRule


def check_names(document: Document, file: ScenarioFile, team: Team) -> None:
    """Check that *team* has every tool, tier, member and task type that *file* names.

    Raises:
        Invalid: `unknown_tool`, `unknown_tier`, `unknown_member` or `unknown_task_type`, with the line and the nearest
            name.
    """
    for place, name in _tools(file):
        _check(document, place, name, team.tools, "tool")
    for name in file.expect.delegations if file.expect else ():
        _check(document, ("expect", "delegations", name), name, team.agents, "member")
    if file.kind:
        _check(document, ("kind",), file.kind, team.task_types, "task_type")
    check_faults(document, file.faults, team, under=("faults",))


def check_faults(document: Document, faults: Sequence[FaultRule], team: Team, under: Place = ()) -> None:
    """Check that *team* has every tool and tier that *faults* name, which stand in *document* at *under*.

    Raises:
        Invalid: `unknown_tool` or `unknown_tier`, with the line and the nearest name.
    """
    for index, fault in enumerate(faults):
        _check(document, (*under, index, "tool"), fault.tool, team.tools, "tool")
        tiers = len(team.tools[fault.tool].tiers)
        if fault.tier >= tiers:
            raise document.wrong(
                (*under, index, "tier"), f"tool {fault.tool} has no tier {fault.tier}",
                hint=f"its tiers are 0 to {tiers - 1}" if tiers > 1 else "its only tier is 0", code="unknown_tier",
            )  # fmt: skip


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
