"""The folder that a team lives in: where its root is, and how a team is loaded by name, such as `agents:team`.

Running a scenario runs the code of its workspace; loading a team is where that begins.
"""

import importlib
import sys
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from coordinator.domain.errors import CoordinatorError, Invalid
from coordinator.domain.team import Team
from coordinator.domain.value import value

MARKER = "coordinator.toml"


@value
class Workspace:
    """A root folder, and the file that marks it: `coordinator.toml`, or a pyproject.toml with [tool.coordinator]."""

    root: Path
    marker: Path


def find_workspace(scenario: Path | None = None, folder: Path | None = None) -> Workspace:
    """Return the workspace of *scenario*, else of *folder*: the nearest ancestor that holds a marker.

    Args:
        scenario: a scenario file; looked at first.
        folder: where the user stands; the current folder when None.

    Raises:
        Invalid: `no_workspace` when neither lies in one; `bad_toml` when a pyproject.toml on the way cannot be read.
    """
    here = (folder or Path.cwd()).resolve()
    starts = [here] if scenario is None else [scenario.resolve().parent, here]
    for start in starts:
        for ancestor in (start, *start.parents):
            marker = _marker(ancestor)
            if marker is not None:
                return Workspace(ancestor, marker)
    raise Invalid(
        f"no {MARKER} in {starts[0]} or in a folder above it",
        code="no_workspace",
        hint=f"put an empty {MARKER} at the root of the project, or make one with `coordinator init DIR`",
    )


def load_team(name: str, workspace: Workspace) -> Team:
    """Import the team called *name* from *workspace*, whose root becomes the first place that Python looks.

    Args:
        name: an import string, `module:attribute`, such as `agents:team`.
        workspace: where the module must lie.

    Raises:
        Invalid: `bad_team_name`, `no_such_team`, `not_a_team`, `team_broken` when its code raises while it is imported,
            `workspace_clash` when Python knows a module of that name outside of the workspace.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise Invalid(
            f"{name!r} does not name a team", code="bad_team_name", hint="write module:attribute, such as agents:team"
        )
    module = _import(module_name, workspace)
    _must_lie_inside(module, workspace)
    if not hasattr(module, attribute):
        raise Invalid(
            f"module {module_name} has no {attribute!r}", code="no_such_team", hint=_offers(module_name, module)
        )
    team = getattr(module, attribute)
    if not isinstance(team, Team):
        raise Invalid(
            f"{name} is of type {type(team).__name__}, not Team",
            code="not_a_team",
            hint=_offers(module_name, module),
        )
    return team


def _marker(folder: Path) -> Path | None:
    marker = folder / MARKER
    if marker.is_file():
        return marker
    project = folder / "pyproject.toml"
    if project.is_file() and "coordinator" in _tools(project):
        return project
    return None


def _tools(project: Path) -> dict[str, object]:
    try:
        tools = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError) as error:
        raise Invalid(f"{project}: {error}", code="bad_toml", hint=f"repair it, or put a {MARKER} nearer") from error
    return tools if isinstance(tools, dict) else {}


def _import(name: str, workspace: Workspace) -> ModuleType:
    root = str(workspace.root)
    if sys.path[:1] != [root]:
        sys.path.insert(0, root)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise _missing(name, error.name, workspace) from error
        raise _broken(name, error, workspace) from error
    except (Exception, SystemExit) as error:  # the user's own code: whatever it raises is told with its line
        raise _broken(name, error, workspace) from error


def _missing(name: str, part: str, workspace: Workspace) -> Invalid:
    above = part.rpartition(".")[0]
    known = sys.modules.get(above.partition(".")[0])
    if known is not None:  # `agents.fast` of another distribution's `agents`
        _must_lie_inside(known, workspace)
    folder = workspace.root.joinpath(*above.split(".")) if above else workspace.root
    modules = ", ".join(f"{above}.{found}" if above else found for found in _modules(folder))
    return Invalid(
        f"team module {name} does not exist in {workspace.root}",
        code="no_such_team",
        hint=f"modules there: {modules}" if modules else "there are no modules there",
    )


def _modules(folder: Path) -> list[str]:
    packages = [path.parent.name for path in folder.glob("*/__init__.py")]
    return sorted(packages + [path.stem for path in folder.glob("*.py") if path.stem != "__init__"])


def _broken(name: str, error: BaseException, workspace: Workspace) -> Invalid:
    _blame_a_namesake(error, workspace)
    place = _place(error, workspace)
    if isinstance(error, CoordinatorError):
        return Invalid(f"{place}: {error.message}", code=error.code, hint=error.hint, details=error.details)
    return Invalid(
        f"{place}: {_told(error)}", code="team_broken", hint=f"repair it: {name} could not be imported"
    )  # fmt: skip


def _blame_a_namesake(error: BaseException, workspace: Workspace) -> None:
    """Raise when a package of the workspace could not be imported because another of its name came first."""
    if isinstance(error, ImportError) and error.name is not None:
        namesake = sys.modules.get(error.name.partition(".")[0])
        if namesake is not None and _expected(namesake.__name__, workspace) is not None:
            _must_lie_inside(namesake, workspace)


def _told(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(error: BaseException, workspace: Workspace) -> str:
    """File and line of *error*: the innermost that belongs to the workspace, since the user can repair that one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [frame for frame in frames if _is_inside(frame[0], workspace)]
    path, line = (own or frames)[-1]
    return f"{path}:{line}"


def _must_lie_inside(module: ModuleType, workspace: Workspace) -> None:
    files = list(_files(module))
    if any(_is_inside(file, workspace) for file in files):
        return
    expected = _expected(module.__name__, workspace)
    found = files[0] if files else f"a module built into Python, {module.__name__}"
    raise Invalid(
        f"{module.__name__} was imported from {found}, but the workspace is marked by {workspace.marker}"
        if expected is None
        else f"{module.__name__} was imported from {found}, not from {expected}",
        code="workspace_clash",
        hint="a process holds one workspace: use another process, or give the package a name of its own "
        "(coordinator init --package NAME)",
    )


def _files(module: ModuleType) -> Iterator[Path]:
    if module.__file__ is not None:
        yield Path(module.__file__)
    else:  # a folder without __init__.py
        yield from map(Path, getattr(module, "__path__", ()))


def _is_inside(file: Path, workspace: Workspace) -> bool:
    """Whether *file* belongs to the workspace; what is installed in an environment within it does not."""
    file, prefix = file.resolve(), Path(sys.prefix).resolve()
    installed = prefix.is_relative_to(workspace.root) and file.is_relative_to(prefix)
    return file.is_relative_to(workspace.root) and not installed


def _expected(name: str, workspace: Workspace) -> Path | None:
    base = workspace.root.joinpath(*name.split("."))
    candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"), base)
    return next((candidate for candidate in candidates if candidate.exists()), None)


def _offers(name: str, module: ModuleType) -> str:
    teams = sorted(found for found, held in vars(module).items() if isinstance(held, Team))
    if teams:
        return f"teams there: {', '.join(f'{name}:{team}' for team in teams)}"
    if module.__file__ is None:
        return f"the folder {name} has no __init__.py; define one there, such as team = Team(manager)"
    return f"define one in {module.__file__}, such as team = Team(manager)"
