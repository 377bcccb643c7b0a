"""A knowledge base is indexed once, copied for every run, and never out of date."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.toolbox.folder import Folder
from coordinator.toolbox.knowledge import Knowledge, build
from coordinator.toolbox.world import FolderWorld, Snapshots


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    (tmp_path / "notice.md").write_text("# Notice\n\nThe notice period is 16 weeks.\n")
    (tmp_path / "pets.md").write_text("# Pets\n\nDogs are welcome.\n")
    return tmp_path


@pytest.fixture
def world() -> Iterator[FolderWorld]:
    with FolderWorld({}, Snapshots()) as made:
        yield made


def test_passage_is_verbatim_with_source_relative_to_the_folder_and_line(articles: Path, world: FolderWorld) -> None:
    (found,) = Knowledge.of(world, Folder(articles)).search("How long is the notice period?")
    assert (found.text, found.source, found.line) == ("# Notice\n\nThe notice period is 16 weeks.", "notice.md", 1)


def test_words_are_found_in_other_forms(articles: Path, world: FolderWorld) -> None:
    assert Knowledge.of(world, Folder(articles)).search("welcoming a dog")[0].source == "pets.md"


def test_changed_article_changes_what_is_found(articles: Path, world: FolderWorld) -> None:
    folder = Folder(articles)
    Knowledge.of(world, folder)
    (articles / "notice.md").write_text("# Notice\n\nThe notice period is 23 weeks now.\n")
    assert "23 weeks" in Knowledge.of(world, folder).search("notice period")[0].text


def test_knowledge_base_with_an_unreadable_article_is_an_error_that_names_it(articles: Path) -> None:
    (articles / "broken.md").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid) as caught:
        build(Folder(articles))
    assert caught.value.code == "not_a_text_file"
    assert caught.value.message == f"knowledge in {articles}: file 'broken.md' is not UTF-8 text"
    assert caught.value.hint.startswith("repair broken.md or take it out of the folder")


def test_empty_knowledge_base_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        build(Folder(tmp_path))
    assert caught.value.code == "no_documents"
