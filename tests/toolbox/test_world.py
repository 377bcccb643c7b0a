"""Every run works in its own copy; a world that is wrong is told in one line."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.toolbox.world import FolderWorld, Snapshots

SQL = "CREATE TABLE t (a);\nINSERT INTO t VALUES\n(1),\n(2);\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sql"
    path.write_text(SQL)
    return path


def broken(path: Path) -> Invalid:
    with FolderWorld({"database": path}, Snapshots()) as world, pytest.raises(Invalid) as caught:
        world.database("database")
    return caught.value


def rows(connection: sqlite3.Connection) -> list[int]:
    return [a for (a,) in connection.execute("SELECT a FROM t")]


def test_two_copies_of_a_world_do_not_see_one_another(file: Path) -> None:
    snapshots = Snapshots()
    with FolderWorld({"d": file}, snapshots) as one, FolderWorld({"d": file}, snapshots) as two:
        mine, yours, again = one.database("d"), two.database("d"), one.database("d")
        mine.execute("DELETE FROM t")
        mine.commit()
        assert (rows(mine), rows(yours), rows(again)) == ([], [1, 2], [1, 2])


def test_database_is_built_once_and_again_when_its_file_changes(file: Path) -> None:
    built = []

    def build() -> sqlite3.Connection:
        built.append(1)
        return sqlite3.connect(":memory:")

    with FolderWorld({"d": file}, Snapshots()) as world:
        world.snapshot("k", build)
        world.snapshot("k", build)
        assert len(built) == 1
        assert rows(world.database("d")) == [1, 2]
        file.write_text(SQL + "INSERT INTO t VALUES (3);")
        assert rows(world.database("d")) == [1, 2, 3]


def test_only_so_many_images_are_kept() -> None:
    snapshots = Snapshots(limit=2)
    for key in "abc":
        snapshots.copy(key, lambda: sqlite3.connect(":memory:")).close()
    assert snapshots.snapshot()["images"] == 2


def test_empty_database_is_a_database(file: Path) -> None:
    file.write_text("")
    with FolderWorld({"d": file}, Snapshots()) as world:
        assert world.database("d").execute("SELECT * FROM sqlite_master").fetchall() == []


def test_closing_a_world_closes_every_copy(file: Path) -> None:
    world = FolderWorld({"d": file}, Snapshots())
    copy = world.database("d")
    world.close()
    with pytest.raises(sqlite3.ProgrammingError):
        copy.execute("SELECT 1")


def test_copies_may_be_used_from_other_threads(file: Path, elsewhere: Callable[[Callable[[], object]], object]) -> None:
    with FolderWorld({"d": file}, Snapshots()) as world:
        copy = world.database("d")
        assert elsewhere(lambda: rows(copy)) == [1, 2]


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("CREATE TABLE t (a);\n\nINSERT INTO\nnothing VALUES (1);\n", 3),
        ("CREAT TABLE t (a);", 1),
        (SQL + "INSERT INTO t", 5),
    ],
)
def test_broken_sql_is_told_with_file_and_line(file: Path, sql: str, line: int) -> None:
    file.write_text(sql)
    error = broken(file)
    assert error.code == "broken_database"
    assert f"{file}, line {line}:" in error.message
    assert "\n" not in str(error)


def test_sql_text_reaches_no_other_database(file: Path, tmp_path: Path) -> None:
    for statement in (f"ATTACH '{tmp_path}/other.db' AS other;", f"VACUUM INTO '{tmp_path}/other.db';"):
        file.write_text(statement)
        assert broken(file).code == "broken_database"
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize("data", [b"SQLite format 3\0...", b"\xff\xfe"])
def test_database_that_is_no_sql_text_is_told_how_to_make_one(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert broken(file).code == "unreadable_database"
    assert ".dump" in broken(file).hint


def test_folder_in_place_of_a_database_is_told(tmp_path: Path) -> None:
    assert broken(tmp_path).code == "unreadable_database"


def test_missing_names_and_paths_are_told_apart(file: Path) -> None:
    with FolderWorld({"d": file, "gone": file / "x", "nul": Path("a\0b")}, Snapshots()) as world:
        assert world.path("d") == file
        with pytest.raises(Invalid) as unknown:
            world.path("docs")
        assert unknown.value.code == "unknown_world_name"
        assert "d, gone, nul" in unknown.value.hint
        for name in ("gone", "nul"):
            with pytest.raises(Invalid) as missing:
                world.path(name)
            assert missing.value.code == "missing_path"
