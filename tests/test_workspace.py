"""The workspace: its root, and teams loaded by name."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.domain.team import Team
from coordinator.workspace import Workspace, find_workspace, load_team

TEAM = '''\
from coordinator.domain.team import Team, agent


@agent()
async def boss(brief, ctx):
    """Decides."""


team = Team(boss)
'''


@pytest.fixture(autouse=True)
def _own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports and where it looks is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    sys.modules.update(before)


def workspace(root: Path, **files: str) -> Workspace:
    for name, text in {"coordinator.toml": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return find_workspace(folder=root)


def test_root_is_the_nearest_ancestor_of_the_scenario_that_holds_a_marker(tmp_path: Path) -> None:
    outer = workspace(tmp_path)
    inner = workspace(tmp_path / "inner", **{"scenarios/deep/one.yaml": ""})
    scenario = tmp_path / "inner/scenarios/deep/one.yaml"
    assert find_workspace(scenario, tmp_path) == inner
    assert find_workspace(tmp_path / "other.yaml", tmp_path / "inner") == outer


def test_folder_of_the_user_counts_when_the_scenario_lies_in_no_workspace(tmp_path: Path) -> None:
    here = workspace(tmp_path / "here")
    (tmp_path / "elsewhere").mkdir()
    assert find_workspace(tmp_path / "elsewhere/one.yaml", tmp_path / "here") == here


def test_pyproject_marks_a_root_only_with_a_table_of_ours(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.coordinator]\n")
    (tmp_path / "part").mkdir()
    (tmp_path / "part/pyproject.toml").write_text("[tool.other]\n")
    found = find_workspace(folder=tmp_path / "part")
    assert (found.root, found.marker) == (tmp_path, tmp_path / "pyproject.toml")


def test_no_marker_anywhere_is_invalid_and_says_how_to_set_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        find_workspace(tmp_path / "one.yaml", tmp_path)
    assert raised.value.code == "no_workspace"
    assert "coordinator init" in raised.value.hint


def test_broken_pyproject_on_the_way_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool\n")
    with pytest.raises(Invalid) as raised:
        find_workspace(folder=tmp_path)
    assert raised.value.code == "bad_toml"
    assert str(tmp_path / "pyproject.toml") in raised.value.message
    assert "line 1" in raised.value.message


def test_team_is_loaded_by_import_string(tmp_path: Path) -> None:
    team = load_team("crew_a:team", workspace(tmp_path, **{"crew_a/__init__.py": TEAM}))
    assert isinstance(team, Team)
    assert team.manager.name == "boss"


def test_team_is_loaded_from_a_package_within_a_package(tmp_path: Path) -> None:
    files = {"shop_b/__init__.py": "", "shop_b/agents/__init__.py": TEAM}
    assert load_team("shop_b.agents:team", workspace(tmp_path, **files)).manager.name == "boss"


def test_root_comes_first_on_the_path_however_often_teams_are_loaded(tmp_path: Path) -> None:
    here = workspace(tmp_path, **{"crew_c.py": TEAM})
    load_team("crew_c:team", here)
    load_team("crew_c:team", here)
    assert sys.path[0] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


@pytest.mark.parametrize("name", ["agents", "agents:", ":team", "agents.:team", "agents/x:team", "a b:team", "a:b:c"])
def test_name_that_is_no_import_string_is_invalid(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid) as raised:
        load_team(name, workspace(tmp_path))
    assert raised.value.code == "bad_team_name"


def test_missing_module_lists_the_modules_that_exist(tmp_path: Path) -> None:
    here = workspace(tmp_path, **{"crew_d/__init__.py": TEAM, "alone_d.py": TEAM})
    with pytest.raises(Invalid) as raised:
        load_team("crow_d:team", here)
    assert raised.value.code == "no_such_team"
    assert "alone_d, crew_d" in raised.value.hint


def test_missing_submodule_lists_its_siblings(tmp_path: Path) -> None:
    here = workspace(tmp_path, **{"crew_e/__init__.py": "", "crew_e/fast.py": TEAM})
    with pytest.raises(Invalid) as raised:
        load_team("crew_e.slow:team", here)
    assert raised.value.code == "no_such_team"
    assert "crew_e.fast" in raised.value.hint


def test_missing_attribute_lists_the_teams_that_exist(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        load_team("crew_f:squad", workspace(tmp_path, **{"crew_f/__init__.py": TEAM}))
    assert raised.value.code == "no_such_team"
    assert "crew_f:team" in raised.value.hint


def test_folder_without_init_says_that_it_has_none(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        load_team("crew_g:team", workspace(tmp_path, **{"crew_g/data.txt": ""}))
    assert "__init__.py" in raised.value.hint


def test_attribute_that_is_no_team_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        load_team("crew_h:boss", workspace(tmp_path, **{"crew_h.py": TEAM}))
    assert raised.value.code == "not_a_team"
    assert "crew_h:team" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("\n\nnumber = 1 / 0\n", 3, "ZeroDivisionError"),
        ("import nothing_of_that_name\n", 1, "ModuleNotFoundError"),
        ("one = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("\nimport sys\nsys.exit('no')\n", 3, "SystemExit: no"),
        ("from json import loads\n\nloads('{')\n", 3, "JSONDecodeError"),
    ],
)
def test_team_that_raises_while_imported_names_its_own_file_and_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    with pytest.raises(Invalid) as raised:
        load_team("crew_i:team", workspace(tmp_path, **{"crew_i.py": text}))
    assert raised.value.code == "team_broken"
    assert f"{tmp_path / 'crew_i.py'}:{line}: {what}" in raised.value.message
    assert "\n" not in str(raised.value)


def test_error_of_ours_in_a_team_keeps_its_code_and_gains_the_line(tmp_path: Path) -> None:
    text = "from coordinator.domain.team import agent\n\n\n@agent()\ndef boss(brief, ctx): ...\n"
    with pytest.raises(Invalid) as raised:
        load_team("crew_j:team", workspace(tmp_path, **{"crew_j.py": text}))
    assert raised.value.code == "bad_agent"
    assert f"{tmp_path / 'crew_j.py'}:4: " in raised.value.message
    assert "async def" in raised.value.hint


def test_module_known_from_another_workspace_is_a_clash_that_names_both_files(tmp_path: Path) -> None:
    one = workspace(tmp_path / "one", **{"crew_k/__init__.py": TEAM})
    two = workspace(tmp_path / "two", **{"crew_k/__init__.py": TEAM})
    load_team("crew_k:team", one)
    with pytest.raises(Invalid) as raised:
        load_team("crew_k:team", two)
    assert raised.value.code == "workspace_clash"
    assert str(tmp_path / "one/crew_k/__init__.py") in raised.value.message
    assert str(tmp_path / "two/crew_k/__init__.py") in raised.value.message


def test_module_of_another_distribution_is_a_clash_not_a_missing_attribute(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        load_team("json:team", workspace(tmp_path))
    assert raised.value.code == "workspace_clash"
    assert "coordinator.toml" in raised.value.message


def test_submodule_looked_for_in_another_workspace_is_a_clash(tmp_path: Path) -> None:
    one = workspace(tmp_path / "one", **{"crew_l/__init__.py": TEAM})
    two = workspace(tmp_path / "two", **{"crew_l/__init__.py": TEAM, "crew_l/fast.py": TEAM})
    load_team("crew_l:team", one)
    with pytest.raises(Invalid) as raised:
        load_team("crew_l.fast:team", two)
    assert raised.value.code == "workspace_clash"


@pytest.mark.parametrize("init", [{"kit_m/__init__.py": ""}, {}], ids=["package", "folder"])
def test_tools_shadowed_by_a_namesake_are_a_clash_that_names_both(tmp_path: Path, init: dict[str, str]) -> None:
    other = tmp_path / "other"
    workspace(other, **{"kit_m/__init__.py": ""})
    sys.path.insert(0, str(other))
    __import__("kit_m")
    files = {"crew_m.py": "from kit_m.orders import lookup\n", "kit_m/orders.py": "lookup = 1\n", **init}
    with pytest.raises(Invalid) as raised:
        load_team("crew_m:team", workspace(tmp_path / "mine", **files))
    assert raised.value.code == "workspace_clash"
    assert str(other / "kit_m/__init__.py") in raised.value.message
    assert str(tmp_path / "mine/kit_m") in raised.value.message


def test_what_is_installed_inside_the_workspace_does_not_belong_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / ".venv/lib/site-packages"
    here = workspace(tmp_path, **{".venv/lib/site-packages/crew_n.py": TEAM})
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    sys.path.append(str(site))
    with pytest.raises(Invalid) as raised:
        load_team("crew_n:team", here)
    assert raised.value.code == "workspace_clash"


@pytest.mark.real_time
def test_workspace_wins_over_the_folder_python_was_started_in(tmp_path: Path) -> None:
    workspace(tmp_path / "mine", **{"agents/__init__.py": TEAM})
    (tmp_path / "agents.py").write_text("raise RuntimeError('the wrong one')\n")
    code = (
        "from pathlib import Path; from coordinator.workspace import *;"
        "print(load_team('agents:team', find_workspace(Path('mine/one.yaml'))).manager.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "boss\n"
