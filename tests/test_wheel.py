"""What ships: one import package, and the reference team inside it as data, file by file as it lies in the checkout."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from coordinator.cli.starter import LEFT_BEHIND, PARTS, create_project

ROOT = Path(__file__).parent.parent
STARTER = "coordinator/_starter/"


def built(builder: type[WheelBuilder] | type[SdistBuilder], project: Path, folder: Path) -> Path:
    return Path(next(builder(str(project)).build(directory=str(folder), versions=["standard"])))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(WheelBuilder, ROOT, tmp_path_factory.mktemp("wheel"))


def test_wheel_installs_one_top_level_package_only(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in contents(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"coordinator"}


def test_wheel_carries_every_module_the_type_marker_and_the_licence(wheel: Path) -> None:
    held = contents(wheel)
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "coordinator").rglob("*.py")}
    assert {name for name in held if name.endswith(".py") and not name.startswith(STARTER)} == modules
    assert "coordinator/py.typed" in held
    assert [name for name in held if name.endswith(".dist-info/licenses/LICENSE")]


def test_init_from_a_checkout_and_from_the_wheel_make_the_same_project(wheel: Path, tmp_path: Path) -> None:
    """File by file and byte by byte; the installed package copies what it carries, the checkout its root folders."""
    carried = tmp_path / "carried"
    for name, data in contents(wheel).items():
        if name.startswith(STARTER):
            path = carried / name.removeprefix(STARTER)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    create_project(tmp_path / "installed", source=carried)
    create_project(tmp_path / "checkout", source=ROOT)
    assert files(tmp_path / "installed") == files(tmp_path / "checkout")
    assert {path.name for path in carried.iterdir()} == set(PARTS)


def test_wheel_and_init_leave_the_same_behind() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert tuple(project["tool"]["hatch"]["build"]["exclude"]) == LEFT_BEHIND


def test_wheel_leaves_out_what_init_leaves_behind(tmp_path: Path) -> None:
    project = tmp_path / "project"
    strays = [
        "agents/__pycache__/manager.cpython-311.pyc",
        "tools/old.pyo",
        "tools/x.sqlite-journal",
        "scenarios/.coordinator/runs.txt",
        "scenarios/data/shop.db",
        "scenarios/data/shop.db-wal",
        "scenarios/data/x.sqlite",
        "scenarios/data/x.sqlite3",
    ]
    for part in ("coordinator", "agents", "tools", "scenarios"):
        (project / part).mkdir(parents=True)
        (project / part / "kept.py").write_text("")
    for name in ("pyproject.toml", "README.md", "LICENSE", "coordinator.toml"):
        (project / name).write_bytes((ROOT / name).read_bytes())
    for name in strays:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("stray")
    shipped = {name for name in contents(built(WheelBuilder, project, tmp_path / "dist")) if ".dist-info/" not in name}
    kept = {f"{STARTER}{part}/kept.py" for part in ("agents", "tools", "scenarios")}
    assert shipped == {"coordinator/kept.py", f"{STARTER}coordinator.toml", *kept}
    create_project(tmp_path / "made", source=project)
    copied = set(files(tmp_path / "made")) - {"README.md", ".gitignore"}
    assert {f"{STARTER}{name}" for name in copied} == shipped - {"coordinator/kept.py"}


def test_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(built(SdistBuilder, ROOT, tmp_path)) as archive:
        for member in filter(tarfile.TarInfo.isfile, archive):
            path = tmp_path / "source" / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            held = archive.extractfile(member)
            assert held is not None
            path.write_bytes(held.read())
    (project,) = (tmp_path / "source").iterdir()
    assert contents(built(WheelBuilder, project, tmp_path)) == contents(wheel)


@pytest.mark.real_time
def test_unpacked_wheel_makes_a_project_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from coordinator.cli.starter import create_project, starter;"
        "from pathlib import Path; assert starter().name == '_starter'; create_project(Path('demo'))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "site")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    create_project(tmp_path / "checkout", source=ROOT)
    assert files(tmp_path / "demo") == files(tmp_path / "checkout")
