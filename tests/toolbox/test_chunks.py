"""Passages are verbatim, lose nothing, and know their line and their headings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.toolbox.chunks import MAX_CHARACTERS, chunks, lines_of

MARKDOWN = """\
---
title: not an underlined heading
---
# Guide

Intro.

## Install

```sh
# not a heading

pip install it
```

Setext
------

Text under it.

### Deep

Deepest.

## Use

Last.
"""

RST = """\
=====
Guide
=====

Intro.

Install
-------

Run it.

    indented

Use
---

Last.
"""

LINES = st.lists(
    st.one_of(
        st.sampled_from(["", "# T", "## S", "===", "---", "```", "~~~", "    code", "Title", "- item", "x" * 1300]),
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
    ),
    max_size=40,
)


@pytest.mark.parametrize("suffix", [".md", ".rst", ".txt"])
@given(lines=LINES)
def test_every_passage_stands_verbatim_at_its_line(suffix: str, lines: list[str]) -> None:
    text = "\n".join(lines)
    normal = lines_of(text)
    for chunk in chunks(text, suffix):
        assert chunk.text in "\n".join(normal[chunk.line - 1 :])
        assert normal[chunk.line - 1].startswith(chunk.text.split("\n")[0]) or len(normal[chunk.line - 1]) > len(
            chunk.text
        )
        assert len(chunk.text) <= MAX_CHARACTERS


@pytest.mark.parametrize("suffix", [".md", ".rst", ".txt"])
@given(lines=LINES)
def test_no_word_of_a_file_is_lost(suffix: str, lines: list[str]) -> None:
    text = "\n".join(lines)
    assert "".join("".join(chunk.text for chunk in chunks(text, suffix)).split()) == "".join(text.split())


def test_markdown_headings_are_context_and_code_is_not_a_heading() -> None:
    found = [(chunk.line, chunk.heading, chunk.text.split("\n")[0]) for chunk in chunks(MARKDOWN, ".md")]
    assert found == [
        (1, "", "---"),
        (4, "Guide", "# Guide"),
        (8, "Guide > Install", "## Install"),
        (16, "Guide > Setext", "Setext"),
        (21, "Guide > Setext > Deep", "### Deep"),
        (25, "Guide > Use", "## Use"),
    ]


def test_underlined_headings_nest_in_order_of_appearance() -> None:
    found = [(chunk.line, chunk.heading) for chunk in chunks(RST, ".rst")]
    assert found == [(1, "Guide"), (7, "Guide > Install"), (14, "Guide > Use")]


def test_long_sections_are_cut_between_paragraphs() -> None:
    paragraph = "word " * 100
    found = list(chunks("# T\n\n" + "\n\n".join([paragraph] * 5), ".md"))
    assert [chunk.line for chunk in found] == [1, 7, 11]
    assert {chunk.heading for chunk in found} == {"T"}


def test_lines_are_counted_as_editors_count_them() -> None:
    assert [chunk.line for chunk in chunks("a\x0cb\u2028c\r\n\r\n# T\r\rend", ".md")] == [1, 3]
