"""Every code that an error, an issue or a report may carry is documented, and every documented one exists."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from coordinator.cli.exits import OF_STATUS
from coordinator.domain.outcomes import TABLE, Outcome

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "outcomes.md").read_text(encoding="utf-8")
MODULES = sorted(path for part in ("coordinator", "agents", "tools") for path in (ROOT / part).rglob("*.py"))
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
WORD = re.compile(r"[a-z]+(_[a-z]+)*")


def nodes() -> Iterator[ast.AST]:
    for path in MODULES:
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def named(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def words(node: ast.AST | None) -> Iterator[str]:
    """Yield the codes that an expression can come to, as far as they are written out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.fullmatch(node.value):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from words(node.body)
        yield from words(node.orelse)


def places_of_codes() -> dict[str, int]:
    """Return where functions of ours take a positional `code`, by their names."""
    places = {}
    for node in nodes():
        if isinstance(node, FUNCTIONS):
            parameters = [given.arg for given in node.args.args if given.arg not in ("self", "cls")]
            if "code" in parameters:
                places[node.name] = parameters.index("code")
    return places


def in_calls(call: ast.Call, places: dict[str, int]) -> Iterator[str]:
    """Yield the codes that *call* hands over: by position, or as the values of `errors={…}`."""
    place = places.get(named(call), len(call.args))
    yield from words(call.args[place] if place < len(call.args) else None)
    for given in call.keywords:
        if given.arg == "errors" and isinstance(given.value, ast.Dict):
            for code in given.value.values:
                yield from words(code)


def in_defaults(parameters: ast.arguments) -> Iterator[str]:
    given = reversed([*parameters.args, *parameters.kwonlyargs])
    for parameter, default in zip(given, reversed([*parameters.defaults, *parameters.kw_defaults]), strict=False):
        if parameter.arg == "code":
            yield from words(default)


def codes() -> Iterator[str]:
    places = places_of_codes()
    for node in nodes():
        match node:
            case ast.keyword(arg="code") | ast.AnnAssign(target=ast.Name(id="code" | "default_code")):
                yield from words(node.value)
            case ast.arguments():
                yield from in_defaults(node)
            case ast.Call():
                yield from in_calls(node, places)


def documented() -> set[str]:
    """Return the codes of the tables: first cells that are one word in backticks."""
    section = DOCUMENT.partition("## Codes")[2]
    return set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE))


def test_every_code_in_the_source_is_documented():
    assert set(codes()) - documented() == set()


def test_every_documented_code_stands_in_the_source():
    source = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    built = {"unknown_tool", "unknown_member", "unknown_task_type"}  # "unknown_" and what is unknown
    assert {code for code in documented() - built if f'"{code}"' not in source} == set()


def test_every_code_is_documented_once():
    found = defaultdict(int)
    for code in re.findall(r"^\| `([a-z_]+)` \|", DOCUMENT.partition("## Codes")[2], re.MULTILINE):
        found[code] += 1
    assert {code: times for code, times in found.items() if times > 1} == {}


def test_the_outcome_table_in_the_documents_is_the_one_that_the_policies_read():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    written = {name: tuple(cells) for name, *cells in rows}
    assert written == {
        row.value: (TABLE[row].breaker, TABLE[row].retry, TABLE[row].following, TABLE[row].money, TABLE[row].gate)
        for row in Outcome
    }


def test_every_status_is_documented_with_its_exit_code():
    section = DOCUMENT.partition("## How a run ends")[2].partition("## ")[0]
    written = dict(re.findall(r"^\| `(\w+)` \| .+ \| (\d+) \|$", section, re.MULTILINE))
    assert written == {status.value: str(code) for status, code in OF_STATUS.items()}
