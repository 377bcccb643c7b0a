"""YAML files: plain values with lines, and one line for everything that can be wrong with one."""

from itertools import pairwise
from pathlib import Path

import pytest

from coordinator.domain.errors import Invalid
from coordinator.scenario.document import MAX_BYTES, read_document


def wrong(tmp_path: Path, data: str | bytes) -> Invalid:
    path = tmp_path / "one.yaml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(Invalid) as caught:
        read_document(path)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("a: 1\nb: c: d\n", 2, "mapping values", "in quotes"),
        ("a:\n\t- x\n", 2, "cannot start any token", "no tabs"),
        ("a: @x\n", 1, "cannot start any token", "in quotes"),
        ("a: [1, 2\nb: 3\n", 2, "expected ',' or ']'", "close the bracket"),
        ('a: "x\nb: 1\n', 3, "unexpected end of stream (it began on line 1)", "close the quotes"),
        ("a:\n  b: 1\n c: 2\n", 3, "expected <block end>", "alike"),
        ("a: 1\nb: *nope\n", 2, "undefined alias", "anchor"),
        ("a: 1\n---\nb: 2\n", 2, "another document", "one scenario"),
        ("a: 1\nb: 2\na: 3\n", 3, "a stands here twice, first on line 1", "remove one"),
        ("x:\n  a: 1\n  a: 1\n", 3, "a stands here twice, first on line 2", "remove one"),
        ("a: !!python/object:os.system x\n", 1, "the tag", "without tags"),
        ("a: !!int zz\n", 1, "'zz' is no int", "quotes"),
        ("? [a]\n: 1\n", 1, "a key that is not a word", "plain words"),
        ("a: &a [*a]\n", 1, "an anchor that contains itself", "write the value out"),
        ("a: 1\n<<: 3\n", 2, "<< takes a mapping", "<<: *name"),
        ("", 1, "the file is empty", "coordinator schema"),
        ("# nothing\n", 1, "the file is empty", "coordinator schema"),
        ("- a\n- b\n", 1, "not a mapping of keys", "coordinator schema"),
        ("just words\n", 1, "not a mapping of keys", "coordinator schema"),
    ],
)
def test_mistake_in_yaml_is_told_with_its_line_and_a_way_out(
    text: str, line: int, said: str, hint: str, tmp_path: Path
) -> None:
    error = wrong(tmp_path, text)
    assert error.message.startswith(f"{tmp_path / 'one.yaml'}:{line}: ")
    assert said in error.message
    assert hint in error.hint


@pytest.mark.parametrize("data", [b"a: 1\nb: \xff\xfe\n", b"\x89PNG\r\n\x1a\n\x00", b"a: \x00\x01"])
def test_binary_file_is_no_yaml(data: bytes, tmp_path: Path) -> None:
    assert wrong(tmp_path, data).code == "bad_yaml"


def test_line_of_the_first_byte_that_is_no_text_is_told(tmp_path: Path) -> None:
    assert ":2: this is not UTF-8 text" in wrong(tmp_path, b"a: 1\nb: \xff\n").message


def test_file_that_would_grow_without_end_is_refused(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in pairwise("abcdefgh")]
    assert "more than 20,000 values" in wrong(tmp_path, "\n".join(lines)).message


def test_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    assert wrong(tmp_path, "a: " + "[" * 400 + "]" * 400).code == "bad_yaml"


def test_file_larger_than_any_scenario_is_not_read(tmp_path: Path) -> None:
    assert wrong(tmp_path, b"#" * (MAX_BYTES + 1)).code == "unreadable_file"


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "order_status.yaml").touch()
    with pytest.raises(Invalid, match=r"did you mean .*order_status\.yaml\?"):
        read_document(tmp_path / "order_state.yaml")
    with pytest.raises(Invalid, match=r"there are: order_status\.yaml"):
        read_document(tmp_path / "zzz")
    with pytest.raises(Invalid, match="no folder"):
        read_document(tmp_path / "nowhere" / "one.yaml")


def test_folder_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is a folder"):
        read_document(tmp_path)


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("a: 1\nb:\n  - x\n  - {c: y, d: 2026-11-20}\nn: ~\nyes: on\n")
    document = read_document(path)
    assert document.values == {"a": 1, "b": ["x", {"c": "y", "d": "2026-11-20"}], "n": None, "yes": "on"}
    assert document.line(("b",)) == 2
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "d")) == 4
    assert document.line(("b", 1, "missing", "deeper")) == 4
    assert document.line(("missing",)) == 1


def test_anchors_and_merges_are_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("base: &base {x: 1, y: 2}\nm: {<<: *base, x: 3}\nagain: *base\nboth: {<<: [{x: 5}, *base]}\n")
    document = read_document(path)
    assert document.values["m"] == {"x": 3, "y": 2}
    assert document.values["both"] == {"x": 5, "y": 2}
    assert document.values["again"] == {"x": 1, "y": 2}
    assert document.line(("m", "x")) == 2


def test_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_document(path).values == {"a": 1}
