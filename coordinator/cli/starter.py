"""The starter: where the reference team lies, and how it becomes a project of the user's."""

import keyword
import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import coordinator
from coordinator.domain.errors import Invalid

PARTS = ("agents", "tools", "scenarios", "coordinator.toml")
NESTED = ("agents", "tools")
LEFT_BEHIND = ("__pycache__", "*.py[co]", "*.db", "*.db-*", "*.sqlite", "*.sqlite3", "*.sqlite-*", ".coordinator")
"""What is never copied; the wheel leaves out the same."""

_IMPORT = re.compile(r"^(\s*(?:from|import) )(agents|tools)\b", re.MULTILINE)
_TEAM = re.compile(r"(?<![\w./{-])(agents(?:\.\w+)*:[A-Za-z_]\w*)")
_NAMING_TEAMS = {".py", ".yaml", ".yml", ".toml"}

_README = """\
# A team of agents

    coordinator run scenarios/support_ticket.yaml
    coordinator test

The first runs one scenario, the second judges all of them against what they expect. No key, no server and no network
are needed: the offline model answers from what the tools retrieve.

| where | what |
|---|---|
| `{home}agents/` | a manager, its members, and their prompts; `{team}` is the team |
| `{home}tools/` | what they may call, one file per system |
| `scenarios/` | tasks, the data they run on, and what must come out |
| `coordinator.toml` | marks the root of the project; its settings |

Running a scenario runs the Python code of this folder.
"""

_GITIGNORE = "__pycache__/\n.venv/\n.coordinator/\n*.db\n*.sqlite\n"


def starter() -> Path:
    """Return the folder that holds the reference team: inside an installed package, or the checkout around it.

    Raises:
        Invalid: `no_starter` when this installation carries none.
    """
    package = Path(coordinator.__file__).resolve().parent
    for folder in (package / "_starter", package.parent):
        if all((folder / part).exists() for part in PARTS):
            return folder
    raise Invalid(
        "this installation carries no starter", code="no_starter", hint="install agent-coordinator again, as a wheel"
    )


def create_project(target: Path, package: str | None = None, source: Path | None = None) -> None:
    """Make a project out of the starter in *target*, whole or not at all.

    Args:
        target: a folder that does not exist yet, or is empty.
        package: when given, the package that `agents` and `tools` are put in; every import follows.
        source: the folder that holds the starter; None for the one that came with this installation.

    Raises:
        Invalid: `no_starter`, `bad_package`, `not_empty` or `cannot_write`; nothing is left in *target*.
    """
    source = source or starter()
    if package is not None:
        _check_package(package)
    try:
        _check_target(target)
        # A new folder appears in one rename; an existing one is kept, since the user may stand in it.
        draft = (target if target.exists() else target.parent) / f".{target.name or 'init'}-{os.getpid()}.part"
        draft.mkdir(parents=True)
        try:
            _write(draft, source, package)
            _move(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise Invalid(
            f"cannot make {target}: {error.strerror}", code="cannot_write", hint="choose a folder that you may write to"
        ) from error


def _check_package(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise Invalid(
            f"{name!r} is not a package name", code="bad_package", hint="use letters, digits and _, such as shop"
        )
    if name in PARTS or name in sys.stdlib_module_names or name in packages_distributions() or _is_module(name):
        raise Invalid(f"the package name {name} is taken", code="bad_package", hint="choose another, such as my_team")


def _is_module(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.origin is not None  # a mere folder of that name has no origin


def _check_target(target: Path) -> None:
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise Invalid(f"{target} is not a folder", code="not_empty", hint="choose a folder that does not exist yet")
    if any(target.iterdir()):
        raise Invalid(f"{target} is not empty", code="not_empty", hint="choose a folder that does not exist yet")


def _write(draft: Path, source: Path, package: str | None) -> None:
    _copy(source, draft)
    home = ""
    if package is not None:
        home = f"{package}/"
        _nest(draft, package)
    team = f"{package}.agents:team" if package else "agents:team"
    (draft / "README.md").write_text(_README.format(home=home, team=team), encoding="utf-8")
    (draft / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")


def _copy(source: Path, folder: Path) -> None:
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        else:
            shutil.copyfile(source / part, folder / part)


def _nest(draft: Path, package: str) -> None:
    for path in _naming_teams(draft):
        text = path.read_text(encoding="utf-8")
        changed = _IMPORT.sub(rf"\g<1>{package}.\g<2>", text) if path.suffix == ".py" else text
        changed = _TEAM.sub(rf"{package}.\g<1>", changed)
        if changed != text:
            path.write_text(changed, encoding="utf-8")
    home = draft / package
    home.mkdir()
    (home / "__init__.py").write_text(f'"""The team of {package}."""\n', encoding="utf-8")
    for part in NESTED:
        (draft / part).rename(home / part)


def _naming_teams(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in _NAMING_TEAMS and path.is_file())


def _move(draft: Path, target: Path) -> None:
    if not target.exists():
        draft.rename(target)
        return
    for entry in sorted(draft.iterdir()):
        entry.rename(target / entry.name)
