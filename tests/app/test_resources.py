"""What a team's code does wrong while its resources are opened or closed is told with file and line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Invalid, Settings, Status, Team, World, agent


@agent()
async def boss(brief: Brief, ctx: AgentContext) -> str:
    """Says done, or waits."""
    if "wait" in brief.request:
        await asyncio.Event().wait()
    return "done"


async def run(resources: Any, task: str = "hi") -> Status:
    async with Coordinator(Team(boss, resources=resources), Settings(world={})) as coordinator:
        return (await coordinator.run(task)).status


def raising(error: BaseException, *, closing: bool = False) -> Any:
    @asynccontextmanager
    async def resources(world: World) -> AsyncIterator[int]:
        if not closing:
            raise error  # opening
        try:
            yield 1
        finally:
            raise error  # closing

    return resources


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("kind", [ValueError, SystemExit, FileNotFoundError])
async def test_error_in_resources_is_told_with_its_line(kind: type[BaseException], closing: bool) -> None:
    with pytest.raises(Invalid) as caught:
        await run(raising(kind("no\n shelf"), closing=closing))
    assert caught.value.code == "resources_broken"
    mark = f"raise error  # {'closing' if closing else 'opening'}\n"
    line = Path(__file__).read_text().partition(mark)[0].count("\n") + 1
    assert caught.value.message == f"{__file__}:{line}: {kind.__name__}: no shelf"
    assert ("closed" if closing else "opened") in caught.value.hint


async def test_error_of_ours_in_resources_passes_as_it_is() -> None:
    with pytest.raises(Invalid) as caught:
        await run(raising(Invalid("a shelf is missing", code="broken_shelf")))
    assert caught.value.code == "broken_shelf"


async def plain(world: World) -> int:
    return 1


async def undecorated(world: World) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("resources", [plain, undecorated, lambda world: 1])
async def test_resources_that_cannot_be_opened_are_told_with_their_definition(resources: Any) -> None:
    with pytest.raises(Invalid) as caught:
        await run(resources)
    line = resources.__code__.co_firstlineno
    assert caught.value.code == "resources_broken"
    assert caught.value.message.startswith(f"{__file__}:{line}: the team's resources are of type ")


class Swallows(AbstractAsyncContextManager[int]):
    async def __aenter__(self) -> int:
        return 1

    async def __aexit__(self, *error: object) -> bool:
        return True


class BreaksWhenCancelled(Swallows):
    async def __aexit__(self, *error: object) -> bool:
        raise asyncio.CancelledError from None


@pytest.mark.parametrize("resources", [lambda world: Swallows(), lambda world: BreaksWhenCancelled()])
async def test_resources_cannot_swallow_a_cancellation(resources: Any) -> None:
    async def inside() -> None:
        async with Coordinator(Team(boss, resources=resources), Settings(world={})) as coordinator:
            await coordinator.run("wait", world={})

    task = asyncio.get_running_loop().create_task(inside())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
