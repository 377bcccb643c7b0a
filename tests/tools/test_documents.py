"""Any folder of documents: checked when it is opened, indexed at the first search, once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator.domain.errors import Invalid
from coordinator.toolbox.world import FolderWorld, Snapshots
from tools.documents import Documents, open_documents, read_document, search_documents


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "a.md").write_text("# Alpha\n\nThe limit is 40 requests.\n")
    return tmp_path


@pytest.fixture
async def documents(docs: Path) -> AsyncIterator[Documents]:
    with FolderWorld({"docs": docs}, Snapshots()) as world:
        async with open_documents(world) as opened:
            yield opened


async def test_search_cites_file_and_line_and_reading_goes_on_from_there(documents: Documents, room_of) -> None:
    room = room_of(documents)
    (found,) = await room.call(search_documents, query="What is the limit?")
    assert (found.source, found.line) == ("a.md", 1)
    page = await room.call(read_document, path=found.source, start_line=3)
    assert (page.text, page.line, page.next_line) == ("The limit is 40 requests.\n", 3, None)


async def test_index_is_built_once_for_searches_that_come_together(documents: Documents, room_of) -> None:
    room = room_of(documents)
    work: list[Callable[..., Any]] = []

    async def slowly(do: Callable[..., Any], *args: Any) -> Any:
        work.append(do)
        await asyncio.sleep(1)
        return do(*args)

    room.offload = slowly
    await asyncio.gather(*(room.call(search_documents, query="limit") for _ in range(3)))
    assert work.count(documents.files.index) == 1
    assert str(documents.files.indexed) == "1 files indexed in 0.0 s"


async def test_cancelled_search_asks_its_thread_to_stop_and_the_next_one_starts_anew(
    documents: Documents, room_of
) -> None:
    room = room_of(documents)
    stops = []

    async def never(do: Callable[..., Any], *args: Any) -> Any:
        stops.append(args[-1])
        await asyncio.Event().wait()

    room.offload = never
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await room.call(search_documents, query="limit")
    assert stops[0].asked
    assert len(await room_of(documents).call(search_documents, query="limit")) == 1


async def test_path_outside_is_refused(documents: Documents, room_of) -> None:
    with pytest.raises(Invalid) as caught:
        await room_of(documents).call(read_document, path="../secret.md")
    assert caught.value.code == "outside_folder"


@pytest.mark.parametrize(
    ("name", "code"), [("none", "missing_path"), ("a.md", "not_a_folder"), ("empty", "no_documents")]
)
async def test_folder_that_cannot_serve_is_told_when_it_is_opened(docs: Path, name: str, code: str) -> None:
    (docs / "empty").mkdir()
    with FolderWorld({"docs": docs / name}, Snapshots()) as world, pytest.raises(Invalid) as caught:
        async with open_documents(world):
            pass
    assert caught.value.code == code
