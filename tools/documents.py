"""A folder of documents that nobody prepared: search it, read in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import Field

from coordinator import Effect, ToolContext, World, tool
from coordinator.toolbox.files import Files, Page
from coordinator.toolbox.folder import Folder
from coordinator.toolbox.index import Section, Stop

FOUND = 10


class Documents:
    """The resources of a team that reads documents, opened once per run; the index is built at the first search."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._one = asyncio.Lock()

    async def indexed(self, ctx: "ToolContext[Documents]") -> Files:
        """Return the files, indexed; calls that come while the index is built wait for it."""
        async with self._one:
            if self.files.indexed is None:
                stop = Stop()
                try:
                    await ctx.offload(self.files.index, asyncio.get_running_loop().time, stop)
                finally:
                    stop.ask()  # a thread whose caller was cancelled ends at the next file
        return self.files


@asynccontextmanager
async def open_documents(world: World) -> AsyncIterator[Documents]:
    """Open the folder that *world* calls `docs`.

    Raises:
        Invalid: there is no such folder, or it cannot be read, holds no documents or too many.
    """
    files = Files(Folder(world.path("docs")))
    files.check()
    try:
        yield Documents(files)
    finally:
        files.close()


@tool(effect=Effect.READ, timeout=60)
async def search_documents(
    query: Annotated[str, Field(min_length=1, max_length=2000)], ctx: ToolContext[Documents]
) -> list[Section]:
    """Search the documents for passages about a question.

    Returns the passages that match best, each with its file and line; none when no document speaks of it.

    Args:
        query: what to look for, in a few words or as a question.
    """
    files = await ctx.resources.indexed(ctx)
    return await ctx.offload(files.search, query, FOUND)


@tool(effect=Effect.READ, timeout=10)
async def read_document(
    path: Annotated[str, Field(min_length=1, max_length=1000)],
    ctx: ToolContext[Documents],
    start_line: Annotated[int, Field(ge=1)] = 1,
) -> Page:
    """Read on in one document, from a line, when a passage that was found is not enough.

    Args:
        path: the document, as a search named it in `source`.
        start_line: the line to begin at, counted from 1.
    """
    return await ctx.offload(ctx.resources.files.read, path, start_line)
