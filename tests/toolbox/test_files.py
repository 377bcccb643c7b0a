"""A folder that nobody prepared is searched and read with file and line, whole or in two steps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid, Refused
from coordinator.toolbox.files import PAGE_CHARACTERS, Files
from coordinator.toolbox.folder import Folder
from coordinator.toolbox.index import Stop

TWO_STEPS = 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "limits.md").write_text("# Limits\n\nIntro.\n\n## Streams\n\nA buffer holds 64 items.\n")
    (tmp_path / "guide" / "threads.rst").write_text("Threads\n=======\n\nAt most forty workers run at once.\n")
    (tmp_path / "notes.txt").write_text("Nothing about it here.\n")
    return tmp_path


def ticking() -> Iterator[float]:
    at = 0.0
    while True:
        yield at
        at += 1.5


def opened(root: Path, cut_all_up_to: int) -> Files:
    files = Files(Folder(root), cut_all_up_to=cut_all_up_to)
    files.index(iter(ticking()).__next__)
    return files


@pytest.mark.parametrize("cut_all_up_to", [TWO_STEPS, 1000])
def test_search_finds_the_passage_with_its_file_line_and_headings(root: Path, cut_all_up_to: int) -> None:
    files = opened(root, cut_all_up_to)
    best = files.search("How many items does a stream's buffer hold?")[0]
    assert (best.source, best.line, best.heading) == ("guide/limits.md", 5, "Limits > Streams")
    assert best.text == "## Streams\n\nA buffer holds 64 items."
    assert files.search("forty workers")[0].source == "guide/threads.rst"
    assert files.search("tungsten") == files.search("?") == []
    files.close()


@pytest.mark.parametrize("cut_all_up_to", [TWO_STEPS, 1000])
def test_index_tells_its_files_its_time_and_what_it_left_out(root: Path, cut_all_up_to: int) -> None:
    for number in range(4):
        (root / f"bad{number}.md").write_bytes(b"\xff")
    files = opened(root, cut_all_up_to)
    assert files.indexed is not None
    assert (files.indexed.files, files.indexed.seconds) == (3, 1.5)
    assert str(files.indexed) == (
        "3 files indexed in 1.5 s; 4 left out: bad0.md (not_a_text_file), bad1.md (not_a_text_file), "
        "bad2.md (not_a_text_file), …"
    )
    files.close()


@pytest.mark.parametrize("cut_all_up_to", [TWO_STEPS, 1000])
def test_indexing_stops_between_two_files_and_leaves_nothing_open(root: Path, cut_all_up_to: int) -> None:
    files = Files(Folder(root), cut_all_up_to=cut_all_up_to)
    stop = Stop()
    stop.ask()
    with pytest.raises(Refused) as caught:
        files.index(lambda: 0.0, stop)
    assert caught.value.code == "stopped"
    assert files.indexed is None


class Leaving(Folder):
    """A folder whose caller leaves while its last file is read."""

    def __init__(self, root: Path, stop: Stop) -> None:
        super().__init__(root)
        self.stop = stop

    def read(self, name: str) -> str:
        if name == self.listing().files[-1]:
            self.stop.ask()
        return super().read(name)


@pytest.mark.parametrize("cut_all_up_to", [TWO_STEPS, 1000])
def test_index_that_is_ready_after_its_caller_left_replaces_no_other(root: Path, cut_all_up_to: int) -> None:
    stop = Stop()
    files = Files(Leaving(root, stop), cut_all_up_to=cut_all_up_to)
    first = files.index(lambda: 0.0)
    stop.asked = False
    with pytest.raises(Refused):
        files.index(lambda: 0.0, stop)
    assert files.indexed is first
    assert files.search("forty workers")
    files.close()


def test_folder_without_documents_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    files = Files(Folder(tmp_path))
    for look in (files.check, lambda: files.index(lambda: 0.0)):
        with pytest.raises(Invalid) as caught:
            look()
        assert caught.value.code == "no_documents"
    (tmp_path / "a.md").write_bytes(b"\0")
    with pytest.raises(Invalid):
        files.index(lambda: 0.0)
    assert files.indexed is None


def test_search_without_an_index_is_an_error(root: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Files(Folder(root)).search("x")
    assert caught.value.code == "not_indexed"


def test_pages_of_a_file_join_to_the_whole(root: Path) -> None:
    text = "\n".join(f"line {number} " + "x" * (number % 90) for number in range(1000))
    (root / "long.txt").write_text(text + "\n" + "y" * (2 * PAGE_CHARACTERS) + "\nend")
    files = Files(Folder(root))
    pages: list[str] = []
    line: int | None = 1
    while line is not None:
        page = files.read("long.txt", line)
        assert page.line == line
        pages.append(page.text)
        line = page.next_line
    assert "\n".join(pages) == (root / "long.txt").read_text()
    assert len(pages) > 5


@pytest.mark.parametrize("line", [0, -1, 9])
def test_line_that_a_file_does_not_have_is_an_error(root: Path, line: int) -> None:
    with pytest.raises(Invalid) as caught:
        Files(Folder(root)).read("guide/limits.md", line)
    assert caught.value.code == "line_out_of_range"
    assert "8 lines" in caught.value.hint
