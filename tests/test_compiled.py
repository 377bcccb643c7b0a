"""The modules that mypyc compiles on request: what it cannot compile, or compiles to something else, is not in them."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
MODULES: list[str] = WHEEL["hooks"]["custom"]["modules"]
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def inside(*nodes: ast.AST) -> Iterator[ast.AST]:
    """Every node in *nodes*, but nothing of the functions that are written there."""
    for node in nodes:
        yield node
        if not isinstance(node, FUNCTIONS):
            yield from inside(*ast.iter_child_nodes(node))


def waits(node: ast.AST) -> bool:
    """Whether a coroutine may be suspended here: by await, async with, async for, or a comprehension with one."""
    asynchronous = any(each.is_async for each in getattr(node, "generators", ()))
    return asynchronous or isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor)


def implicit_handlers(tree: ast.Module) -> set[int]:
    """The lines of `async with` and `async for`, which may wait while they handle what their body has raised."""
    return {node.lineno for node in ast.walk(tree) if isinstance(node, ast.AsyncWith | ast.AsyncFor)}


def waits_in_handlers(tree: ast.Module) -> set[int]:
    """The lines that wait inside of `except` or `finally`."""
    tries = (node for node in ast.walk(tree) if isinstance(node, ast.Try | ast.TryStar))
    return {node.lineno for each in tries for node in inside(*each.handlers, *each.finalbody) if waits(node)}


def async_generators(tree: ast.Module) -> set[int]:
    """The lines of async functions that yield."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef))
    return {each.lineno for each in functions if any(isinstance(node, ast.Yield) for node in inside(*each.body))}


def test_every_module_of_the_list_is_there_once_and_in_order() -> None:
    assert [module for module in MODULES if not (ROOT / module).is_file()] == []
    assert sorted(set(MODULES)) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_no_compiled_module_waits_while_it_handles_an_exception(module: str) -> None:
    """A compiled coroutine that is suspended there leaves the exception behind for all that its thread does next."""
    tree = ast.parse((ROOT / module).read_text())
    assert waits_in_handlers(tree) | implicit_handlers(tree) == set()


@pytest.mark.parametrize("module", MODULES)
def test_no_compiled_module_has_an_async_generator(module: str) -> None:
    assert async_generators(ast.parse((ROOT / module).read_text())) == set()


def test_the_laws_find_what_they_forbid() -> None:
    tree = ast.parse(
        """
async def waits(lock):
    try:
        await lock()
    except ValueError:
        await lock()
        try:
            pass
        finally:
            async with lock: pass

        async def elsewhere():
            await lock()
    else:
        await lock()
    finally:
        [one async for one in lock]

async def gives():
    def inner():
        yield 1
    yield 2

async def gives_not():
    def inner():
        yield 1
"""
    )
    assert waits_in_handlers(tree) == {6, 10, 17}
    assert async_generators(tree) == {19}
    assert implicit_handlers(tree) == {10}
