"""Nothing outside a folder is ever read, and nothing inside can hurt the reader."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.errors import Invalid
from coordinator.toolbox.folder import MAX_DEPTH, Folder

SECRET = "the secret that lies outside"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "docs"
    (inside / "sub").mkdir(parents=True)
    (inside / "a.md").write_text("# A\n")
    (inside / "sub" / "b.txt").write_text("b\n")
    (tmp_path / "secret.md").write_text(SECRET)
    (tmp_path / "docs-secret").mkdir()
    (tmp_path / "docs-secret" / "c.md").write_text(SECRET)
    return inside


def code_of(folder: Folder, name: str) -> str:
    with pytest.raises(Invalid) as caught:
        folder.read(name)
    assert SECRET not in str(caught.value)
    return caught.value.code


def reasons(folder: Folder) -> dict[str, str]:
    return {one.path: one.reason for one in folder.listing().skipped}


@pytest.mark.parametrize(
    "name",
    [
        "../secret.md", "sub/../../secret.md", "../docs-secret/c.md", "../docs/../secret.md", "/etc/passwd", "..", "/",
        "../nothing.md",
    ],
)  # fmt: skip
def test_paths_that_leave_the_folder_are_refused_whether_or_not_they_exist(root: Path, name: str) -> None:
    assert code_of(Folder(root), name) == "outside_folder"


def test_absolute_path_of_the_folders_own_file_is_a_file_inside(root: Path) -> None:
    assert Folder(root).read(str(root / "a.md")) == "# A\n"
    assert Folder(root).read("sub/../a.md") == "# A\n"


def test_links_out_are_neither_listed_nor_read(root: Path) -> None:
    (root / "link.md").symlink_to(root.parent / "secret.md")
    (root / "way").symlink_to(root.parent)
    (root / "tool").symlink_to(root.parent / "secret.md")
    folder = Folder(root)
    assert code_of(folder, "link.md") == "outside_folder"
    assert code_of(folder, "way/secret.md") == "outside_folder"
    assert folder.listing().files == ("a.md", "sub/b.txt")
    assert reasons(folder) == {"link.md": "outside_folder", "way": "outside_folder"}


def test_link_to_a_file_inside_is_read_and_listed_once_under_its_own_name(root: Path) -> None:
    (root / "again.md").symlink_to(root / "a.md")
    folder = Folder(root)
    assert folder.read("again.md") == "# A\n"
    assert folder.listing().files == ("a.md", "sub/b.txt")
    assert reasons(folder) == {}


def test_loops_of_links_end(root: Path) -> None:
    (root / "sub" / "up").symlink_to(root)
    (root / "self.md").symlink_to(root / "self.md")
    folder = Folder(root)
    assert folder.listing().files == ("a.md", "sub/b.txt")
    assert reasons(folder) == {"self.md": "broken_link"}
    assert code_of(folder, "self.md") in {"file_not_found", "unreadable_file"}


def test_link_put_in_place_of_a_file_after_the_check_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(root)
    (root / "a.md").unlink()
    (root / "a.md").symlink_to(root.parent / "secret.md")
    monkeypatch.setattr(folder, "_inside", lambda name: folder.root / name)
    assert code_of(folder, "a.md") == "unreadable_file"


def test_fifo_is_left_out_and_never_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.md")
    folder = Folder(root)
    assert reasons(folder) == {"pipe.md": "not_a_text_file"}
    assert code_of(folder, "pipe.md") == "not_a_text_file"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"a\0b", "not_a_text_file"), (b"\xff\xfe\xfa", "not_a_text_file"), (b"x" * 101, "file_too_large")],
)
def test_what_is_no_text_or_too_large_is_refused(root: Path, data: bytes, code: str) -> None:
    (root / "bad.md").write_bytes(data)
    assert code_of(Folder(root, max_bytes=100), "bad.md") == code


def test_only_text_suffixes_are_read(root: Path) -> None:
    (root / "keys.pem").write_text("key")
    assert code_of(Folder(root), "keys.pem") == "not_a_text_file"
    assert "keys.pem" not in Folder(root).listing().files


def test_byte_order_mark_is_not_part_of_the_text(root: Path) -> None:
    (root / "bom.md").write_bytes(b"\xef\xbb\xbf# B\n")
    assert Folder(root).read("bom.md") == "# B\n"


@pytest.mark.parametrize(
    "name", ["nothing.md", "sub", "sub/", "a.md/b.md", "x" * 5000 + ".md", "a\0.md", "", "\ud800.md"]
)
def test_names_of_no_file_are_told_plainly(root: Path, name: str) -> None:
    assert code_of(Folder(root), name) in {"file_not_found", "not_a_text_file", "unreadable_file"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    top = tmp_path_factory.mktemp("top")
    (top / "docs" / "sub").mkdir(parents=True)
    (top / "secret.md").write_text(SECRET)
    (top / "docs" / "a.md").write_text("# A\n")
    (top / "docs" / "way").symlink_to(top)
    return Folder(top / "docs")


PIECES = ["..", "/", "../", "a.md", "sub", "secret.md", "docs", "way", "way/", *"./\\~\0 "]


@given(name=st.one_of(st.lists(st.sampled_from(PIECES)).map("".join), st.text()))
def test_no_name_ever_reads_what_lies_outside(guarded: Folder, name: str) -> None:
    with contextlib.suppress(Invalid):
        assert guarded.read(name) == "# A\n"


def test_hidden_names_are_not_listed(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "d.md").write_text("d")
    (root / ".e.md").write_text("e")
    assert Folder(root).listing().files == ("a.md", "sub/b.txt")


def test_too_many_files_are_an_error_not_a_sample(root: Path) -> None:
    assert len(Folder(root, max_files=2).listing().files) == 2
    with pytest.raises(Invalid) as caught:
        Folder(root, max_files=1).listing()
    assert caught.value.code == "too_many_files"


def test_endless_folders_are_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.toolbox.folder.MAX_ENTRIES", 2)
    with pytest.raises(Invalid) as caught:
        Folder(root).listing()
    assert caught.value.code == "too_many_files"


def test_depth_is_bounded_and_what_lies_deeper_is_told(root: Path) -> None:
    deep = root.joinpath(*["d"] * (MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "deep.md").write_text("deep")
    listing = Folder(root).listing()
    assert listing.files == ("a.md", "sub/b.txt")
    assert [one.reason for one in listing.skipped] == ["too_deep"]


def test_name_that_is_no_text_is_left_out_and_told(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.md")).write_text("x")
    assert reasons(Folder(root)) == {"\\udcff.md": "bad_name"}


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_what_may_not_be_read_is_told(root: Path) -> None:
    (root / "a.md").chmod(0)
    (root / "sub").chmod(0)
    try:
        assert code_of(Folder(root), "a.md") == "unreadable_file"
        assert reasons(Folder(root)) == {"sub/": "unreadable_folder"}
    finally:
        (root / "sub").chmod(0o755)


def test_folder_that_is_none_is_told_with_its_path(root: Path) -> None:
    for path, code in (
        (root / "no", "missing_folder"),
        (root / "a.md", "not_a_folder"),
        (root / "a.md/x", "missing_folder"),
    ):
        with pytest.raises(Invalid) as caught:
            Folder(path)
        assert caught.value.code == code
        assert str(path) in caught.value.message


def test_fingerprint_changes_with_every_file(root: Path) -> None:
    folder = Folder(root)
    seen = {folder.fingerprint()}
    (root / "a.md").write_text("# A changed\n")
    seen.add(folder.fingerprint())
    (root / "new.md").write_text("")
    seen.add(folder.fingerprint())
    (root / "new.md").rename(root / "newer.md")
    seen.add(folder.fingerprint())
    assert len(seen) == 4
    assert folder.fingerprint() in seen


def test_a_file_that_has_grown_since_it_was_looked_at_is_read_whole(root, monkeypatch):
    (root / "a.md").write_text("# A\n" + "more\n" * 100)
    seen = os.fstat

    def earlier(handle: int) -> os.stat_result:
        now = list(seen(handle))
        now[6] = 4  # bytes, before the rest was written
        return os.stat_result(now)

    monkeypatch.setattr(os, "fstat", earlier)
    assert Folder(root).read("a.md") == "# A\n" + "more\n" * 100
    assert code_of(Folder(root, max_bytes=200), "a.md") == "file_too_large"
