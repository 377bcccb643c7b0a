"""A team's resources, opened around its runs: what the team's own code raises there is told with file and line."""

import inspect
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from coordinator.domain.errors import CoordinatorError, Invalid
from coordinator.domain.team import ResourceFactory
from coordinator.domain.world import World


@asynccontextmanager
async def open_resources(factory: ResourceFactory, world: World) -> AsyncIterator[Any]:
    """Open what *factory* makes of *world*, and close it afterwards.

    What was raised meanwhile goes on its way, whatever closing makes of it: a cancellation must arrive.

    Raises:
        Invalid: `resources_broken`, when the factory raises, or makes something that cannot be opened and closed; an
            error of ours passes as it is.
    """
    with _blaming(factory, "opened"):
        made = _checked(factory, factory(world))
        resources = await made.__aenter__()
    try:
        yield resources
    except BaseException as error:
        with _blaming(factory, "closed"):
            await made.__aexit__(type(error), error, error.__traceback__)
        raise
    with _blaming(factory, "closed"):
        await made.__aexit__(None, None, None)


def _checked(factory: ResourceFactory, made: Any) -> AbstractAsyncContextManager[Any]:
    if isinstance(made, AbstractAsyncContextManager):
        return made
    if inspect.iscoroutine(made):
        made.close()  # Python would complain that nobody awaited it
    raise Invalid(
        f"{_defined(factory)}: the team's resources are of type {type(made).__name__}, no async context manager",
        code="resources_broken", hint="decorate an async generator with contextlib.asynccontextmanager",
    )  # fmt: skip


@contextmanager
def _blaming(factory: ResourceFactory, what: str) -> Iterator[None]:
    try:
        yield
    except CoordinatorError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code: whatever it raises is told with its line
        said = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise Invalid(
            f"{_place(factory, error)}: {reason}", code="resources_broken",
            hint=f"repair it: the team's resources could not be {what}",
        ) from error  # fmt: skip


def _place(factory: ResourceFactory, error: BaseException) -> str:
    """File and line of *error*: the innermost line in the file of *factory*, since the user can repair that one."""
    file = _defined(factory).rpartition(":")[0]
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}:{lines[-1]}" if lines else _defined(factory)


def _defined(factory: ResourceFactory) -> str:
    code = getattr(inspect.unwrap(factory), "__code__", None)
    return repr(factory) if code is None else f"{code.co_filename}:{code.co_firstlineno}"
