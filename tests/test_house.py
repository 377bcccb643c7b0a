"""The laws of the code, checked mechanically over every module of the house."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for part in ("coordinator", "agents", "tools") for path in (ROOT / part).rglob("*.py"))
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

MAX_LINES = 300
MAX_POSITIONAL, MAX_KEYWORD_ONLY = 6, 8

# Each may catch whatever is raised, for the reason that stands here; nobody else may.
EDGES = {
    "coordinator/app/coordinator.py": "the edge of a run: all but wrong input comes back as a result",
    "coordinator/app/resources.py": "a team's own code opens and closes its resources: its error is told with its line",
    "coordinator/engine/tools.py": "the core of the tool pipeline: what a tool raises becomes a Fault with a code",
    "coordinator/engine/work.py": "the edge of an agent: a crash becomes a failed report and tears no task group",
    "coordinator/stores/memory/permit.py": "what one caller needs in its turn at a gate: its error is its own",
    "coordinator/telemetry/guard.py": "an observer that raises is dropped and logged; the run goes on",
    "coordinator/workspace.py": "a team's own code runs while it is imported: its error is told with file and line",
}

# Hosts are written with brackets, so that this file does not name one.
REGISTRIES = re.compile(
    r"pypi[.]org|pythonhosted[.]org|anaconda[.]org|npmjs[.](?:org|com)|crates[.]io|rubygems[.]org|proxy[.]golang[.]org",
    re.IGNORECASE,
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield name(path), ast.parse(path.read_text(encoding="utf-8"))


def public(node: ast.Module | ast.ClassDef, where: str) -> Iterator[tuple[str, ast.ClassDef | FUNCTIONS]]:
    """Every public class, function and method, however deep, but nothing inside of functions."""
    for child in node.body:
        if isinstance(child, ast.ClassDef | FUNCTIONS) and not child.name.startswith("_"):
            yield f"{where}:{child.lineno} {child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, where)


def decorated(node: ast.ClassDef | FUNCTIONS, decorator: str) -> bool:
    return any(decorator in ast.unparse(found).split("(")[0].split(".") for found in node.decorator_list)


def passed_by_python(parameter: ast.arg) -> bool:
    """Whether no caller of ours writes the argument: it is the instance, or an option on the command line."""
    annotation = ast.unparse(parameter.annotation) if parameter.annotation else ""
    return parameter.arg in ("self", "cls") or "typer." in annotation


def broad_catches(tree: ast.Module) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = [] if node.type is None else ast.unparse(node.type).strip("()").split(", ")
            if node.type is None or {"Exception", "BaseException"} & set(caught):
                yield node


def reraises(handler: ast.ExceptHandler) -> bool:
    """Whether the handler ends with a bare `raise`: it cleans up, and keeps nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_the_house_is_there() -> None:
    assert len(MODULES) > 20


def test_no_module_is_named_for_what_has_no_name() -> None:
    nameless = {"utils", "util", "helpers", "helper", "common", "base", "misc", "shared"}
    assert [
        name(path) for path in MODULES if nameless & {part.strip("_") for part in (path.stem, path.parent.name)}
    ] == []


def test_no_module_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {module: length for module, length in lengths.items() if length > MAX_LINES} == {}


def test_every_module_says_what_it_is() -> None:
    assert [module for module, tree in trees() if tree.body and not ast.get_docstring(tree)] == []


def test_every_public_name_states_its_contract() -> None:
    def silent(found: ast.ClassDef | FUNCTIONS) -> bool:
        return not ast.get_docstring(found) and not decorated(found, "overload") and not decorated(found, "setter")

    assert [where for module, tree in trees() for where, found in public(tree, module) if silent(found)] == []


def test_functions_take_few_parameters() -> None:
    crowded = []
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                positional = [
                    given for given in (*node.args.posonlyargs, *node.args.args) if not passed_by_python(given)
                ]
                if len(positional) > MAX_POSITIONAL or len(node.args.kwonlyargs) > MAX_KEYWORD_ONLY:
                    crowded.append(f"{module}:{node.lineno} {node.name}")
    assert crowded == []


def test_only_the_edges_catch_whatever_is_raised() -> None:
    catching = {module for module, tree in trees() for handler in broad_catches(tree) if not reraises(handler)}
    assert catching == set(EDGES), "an edge needs its reason in EDGES; one that is gone leaves the list"


def test_cancellation_is_never_caught_and_kept() -> None:
    keeping = []
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                kept = "CancelledError" in ast.unparse(node.type) and not any(
                    isinstance(inner, ast.Raise) for inner in ast.walk(node)
                )
                keeping += [f"{module}:{node.lineno}"] if kept else []
    assert keeping == []


def test_every_silenced_warning_says_why() -> None:
    silenced = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma)\b")
    code = r"[A-Z]+[0-9]+"
    reason = re.compile(
        rf"#\s*(?:noqa: {code}(?:,\s*{code})*|type: ignore\[[\w, -]+\]|pragma: [\w ]+?)\s+[-–—:#]*\s*\w+"
    )
    mute = []
    for path in MODULES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if silenced.search(line) and not reason.search(line):
                mute.append(f"{name(path)}:{number}")
    assert mute == []


def test_nothing_is_left_to_do() -> None:
    mark = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|NotImplemented" + r"Error)\b")
    assert [name(path) for path in MODULES if mark.search(path.read_text(encoding="utf-8"))] == []


def test_no_committed_file_names_the_host_of_a_package_registry() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing is committed here")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    naming = []
    for committed in filter(None, listed.split("\0")):
        path = ROOT / committed
        if path.is_file() and REGISTRIES.search(path.read_text(encoding="utf-8", errors="replace")):
            naming.append(committed)
    assert naming == []
