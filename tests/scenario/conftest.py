"""A workspace of its own for every test, and the errors of the scenarios in it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.scenario import Overrides, Scenario, open_scenario

TEMPLATE = Path(__file__).parent / "workspace"

Write = Callable[[str], Path]
Fails = Callable[..., Invalid]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root of a workspace; the test stands in it, and what it imports is forgotten afterwards."""
    root = shutil.copytree(TEMPLATE, tmp_path / "home")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield root
    sys.modules.pop("crew", None)


@pytest.fixture
def write(home: Path) -> Write:
    """Write the text of a scenario and return its path, as a user would name it."""

    def written(text: str, name: str = "one.yaml") -> Path:
        (home / name).write_text(text)
        return Path(name)

    return written


@pytest.fixture
def opened(write: Write) -> Callable[..., Scenario]:
    """Open a scenario given as text."""

    def of(text: str, **overrides: object) -> Scenario:
        return open_scenario(write(text), Overrides(**overrides))  # type: ignore[arg-type]  # tests name them freely

    return of


@pytest.fixture
def fails(opened: Callable[..., Scenario]) -> Fails:
    """Open a scenario that is wrong, and return the error."""

    def of(text: str, **overrides: object) -> Invalid:
        with pytest.raises(Invalid) as caught:
            opened(text, **overrides)
        assert "\n" not in str(caught.value)
        return caught.value

    return of
