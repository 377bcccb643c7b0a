"""`coordinator init`: a project appears whole or not at all, and its code runs under any package name."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.cli import execute
from coordinator.cli.starter import PARTS, create_project, starter
from coordinator.domain.errors import Invalid

STARTER = {
    "coordinator.toml": 'team = "agents:team"\n',
    "agents/__init__.py": '"""Loaded as `agents:team` or "agents.fixed:team"."""\n\nfrom agents.manager import team\n',
    "agents/manager.py": (
        "from pathlib import Path\n\nfrom tools.orders import lookup\n\n"
        "PROMPT = (Path(__file__).parent / 'prompts' / 'manager.md').read_text()\n"
        "def team(tools: list[int] = []) -> str:\n"
        "    import tools.orders as again\n\n    return PROMPT + lookup() + again.lookup()\n"
    ),
    "agents/prompts/manager.md": "Ask the tools.\n",
    "agents/__pycache__/manager.cpython-311.pyc": "x",
    "tools/__init__.py": "",
    "tools/orders.py": "def lookup() -> str:\n    return 'found '\n",
    "tools/cache.db": "x",
    "scenarios/one.yaml": "team: agents:team\ntask: which agents: and tools: are there?\n",
    "scenarios/data/shop.sql": "-- agents:team stays in data\n",
    "scenarios/data/world.sqlite": "x",
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def listed(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "starter", STARTER)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def test_project_holds_the_starter_and_a_readme_but_no_caches_or_databases(place: Path, source: Path) -> None:
    create_project(place / "demo", source=source)
    left_behind = {name for name in STARTER if "__pycache__" in name or name.endswith((".db", ".sqlite"))}
    assert len(left_behind) == 3
    assert listed(place / "demo") == set(STARTER) - left_behind | {"README.md", ".gitignore"}
    assert (place / "demo/agents/manager.py").read_text() == STARTER["agents/manager.py"]
    assert [path.name for path in place.iterdir()] == ["demo"]


def test_package_takes_agents_and_tools_in_and_every_import_follows(place: Path, source: Path) -> None:
    create_project(place / "demo", "shop_x", source)
    code = "from shop_x.agents import team; print(team())"
    done = subprocess.run([sys.executable, "-c", code], cwd=place / "demo", capture_output=True, text=True, check=True)
    assert done.stdout == "Ask the tools.\nfound found \n"
    assert not (place / "demo/agents").exists()
    assert not (place / "demo/tools").exists()


def test_package_changes_team_names_and_nothing_else(place: Path, source: Path) -> None:
    create_project(place / "demo", "shop_x", source)
    read = {name: (place / "demo" / name).read_text() for name in ("coordinator.toml", "scenarios/one.yaml")}
    assert read["coordinator.toml"] == 'team = "shop_x.agents:team"\n'
    assert read["scenarios/one.yaml"] == "team: shop_x.agents:team\ntask: which agents: and tools: are there?\n"
    assert (place / "demo/scenarios/data/shop.sql").read_text() == STARTER["scenarios/data/shop.sql"]
    assert (
        '`shop_x.agents:team` or "shop_x.agents.fixed:team"' in (place / "demo/shop_x/agents/__init__.py").read_text()
    )
    assert "def team(tools: list[int] = [])" in (place / "demo/shop_x/agents/manager.py").read_text()


def test_empty_folder_is_filled_in_place(place: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    inode = place.stat().st_ino
    create_project(Path(), source=source)
    assert place.stat().st_ino == inode
    assert {path.name for path in place.iterdir()} == {*PARTS, "README.md", ".gitignore"}


def test_folder_that_is_not_empty_is_refused_and_left_alone(place: Path, source: Path) -> None:
    (place / ".git").mkdir()
    with pytest.raises(Invalid) as raised:
        create_project(place, source=source)
    assert raised.value.code == "not_empty"
    assert [path.name for path in place.iterdir()] == [".git"]


def test_file_in_the_way_is_refused(place: Path, source: Path) -> None:
    (place / "demo").write_text("mine")
    with pytest.raises(Invalid, match="is not a folder"):
        create_project(place / "demo", source=source)
    assert (place / "demo").read_text() == "mine"


def test_place_that_cannot_be_written_is_one_line(place: Path, source: Path) -> None:
    (place / "file").write_text("")
    with pytest.raises(Invalid) as raised:
        create_project(place / "file/demo", source=source)
    assert raised.value.code == "cannot_write"


@pytest.mark.parametrize("empty", [True, False], ids=["into an empty folder", "into a new one"])
def test_failure_half_way_leaves_nothing(place: Path, source: Path, empty: bool) -> None:
    # A dangling link stands for anything that cannot be copied.
    (source / "scenarios/broken.yaml").symlink_to(source / "gone.yaml")
    if empty:
        (place / "demo").mkdir()
    with pytest.raises(Invalid) as raised:
        create_project(place / "demo", source=source)
    assert raised.value.code == "cannot_write"
    assert [path.name for path in place.rglob("*")] == (["demo"] if empty else [])


@pytest.mark.parametrize(
    "name",
    ["3x", "my-shop", "class", "", "a.b", "coordinator", "json", "sys", "rich", "agents", "tools", "scenarios"],
)
def test_package_name_that_is_invalid_or_taken_is_refused(place: Path, source: Path, name: str) -> None:
    with pytest.raises(Invalid) as raised:
        create_project(place / "demo", name, source)
    assert raised.value.code == "bad_package"
    assert list(place.iterdir()) == []


def test_folder_of_the_same_name_does_not_take_a_package_name(
    place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(place)
    (place / "shop_y").mkdir()
    create_project(place / "shop_y", "shop_y", source)
    assert (place / "shop_y/shop_y/agents/manager.py").is_file()


def test_command_says_what_to_do_next(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert execute(["init", "my demo"]) == 0
    said = capsys.readouterr()
    assert "cd 'my demo'\n    coordinator run scenarios/support_ticket.yaml\n    coordinator test\n" in said.out
    assert said.err == ""


def test_command_refuses_in_one_line_with_exit_code_2(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "file").write_text("")
    assert execute(["init", str(place)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"error[not_empty]: {place} is not empty; choose a folder that does not exist yet\n"


def test_reference_team_imports_its_own_with_from_so_that_it_can_be_nested() -> None:
    for path in [*(starter() / "agents").rglob("*.py"), *(starter() / "tools").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            plain = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in plain if name.split(".")[0] in ("agents", "tools")], path


@pytest.mark.parametrize("package", [None, "shop_z"])
def test_project_made_from_the_reference_team_loads(place: Path, package: str | None) -> None:
    create_project(place / "demo", package)
    team = f"{package}.agents:team" if package else "agents:team"
    code = (
        "from coordinator.workspace import find_workspace, load_team;"
        f"team = load_team({team!r}, find_workspace());"
        "import sys; print(*[m.__file__ for n, m in sys.modules.items() if 'tools' in n.split('.')[:2]], sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place / "demo", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert all(line.startswith(str(place / "demo")) for line in done.stdout.split("\n") if line)
