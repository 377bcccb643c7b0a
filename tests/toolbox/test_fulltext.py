"""Queries are never syntax, and identifiers are found by their parts."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.toolbox.fulltext import MAX_TERMS, expression, parts
from coordinator.toolbox.index import index, search


@pytest.fixture(scope="module")
def shelf() -> Iterator[sqlite3.Connection]:
    text = (
        "# Client\n\nCall `fetchUserName` or fetch_user_name with a timeout; the HTTPClient retries NOT AND OR NEAR.\n"
    )
    connection = index(
        [("client.md", text), ("empty.txt", ""), ("other.rst", "Other\n=====\n\nNothing of the kind.\n")]
    )
    yield connection
    connection.close()


PIECES = ["NOT ", "AND ", "OR ", "NEAR(", "text:", "word", "_", *"\"'?-:*^(){}+,.\\ \0\n"]
SYNTAX = st.lists(st.sampled_from(PIECES)).map("".join)


@given(query=st.one_of(st.text(), SYNTAX, st.text(alphabet=st.characters(codec=None))))
def test_no_text_is_a_wrong_query(shelf: sqlite3.Connection, query: str) -> None:
    assert len(search(shelf, query, 3)) <= 3


@pytest.mark.parametrize("query", ["user", "fetchUserName", "fetch_user_name", "http", "name?", "TIMEOUTS"])
def test_identifiers_are_found_whole_and_by_their_parts(shelf: sqlite3.Connection, query: str) -> None:
    assert [found.source for found in search(shelf, query, 3)] == ["client.md"]


def test_query_of_function_words_alone_still_searches() -> None:
    assert expression("what is it?") == '"what" OR "is" OR "it"'
    assert expression("what is a timeout?") == '"timeout"'
    assert expression("?!") == ""


def test_query_has_a_bounded_number_of_terms() -> None:
    assert expression(" ".join(f"w{number}" for number in range(1000))).count(" OR ") == MAX_TERMS - 1


def test_parts_are_those_of_camel_case() -> None:
    assert parts("getUserName of HTTPClient2Go plain UPPER") == "get User Name HTTP Client2 Go"
