"""A workspace of its own for every test of a command that runs a team."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.cli import execute

TEMPLATE = Path(__file__).parent.parent / "scenario" / "workspace"
WORLD = "world: {shelf: data/shelf}\n"

Said = tuple[int, str, str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root of a workspace; the test stands in it, and what it imports is forgotten afterwards."""
    root = shutil.copytree(TEMPLATE, tmp_path / "home")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "80")
    yield root
    sys.modules.pop("crew", None)


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run one command as the shell would, and return its exit code, standard output and standard error."""

    def of(*arguments: str, scenario: str | None = None) -> Said:
        if scenario is not None:
            (home / "one.yaml").write_text(f"{scenario}\n{WORLD}" if "world:" not in scenario else scenario)
        code = execute(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return of
