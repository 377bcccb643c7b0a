"""Server-sent events, against the rules of the standard read line by line."""

import re

from hypothesis import given
from hypothesis import strategies as st

from coordinator.models.sse import Events

LINES = st.sampled_from(
    [
        "data: a",
        "data:b",
        "data:  c",
        "data",
        "data:",
        "",
        "",
        ": comment",
        "event: x",
        "id: 1",
        "retry: 5",
        "odd",
        "data: ä 🙂",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def by_the_standard(text: str) -> list[bytes]:
    """Interpret a stream as https://html.spec.whatwg.org/multipage/server-sent-events.html says."""
    found, data = [], []
    for line in re.split("\r\n|\n|\r", text)[:-1]:
        name, _, told = line.partition(":")
        if not line:
            if data:
                found.append("\n".join(data).encode())
            data = []
        elif name == "data" and ":" in line:
            data.append(told.removeprefix(" "))
    return found


@given(st.lists(st.tuples(LINES, ENDS), max_size=20), st.data())
def test_events_are_those_of_the_standard_in_whatever_pieces_they_come(lines, data):
    text = "".join(line + end for line, end in lines)
    raw = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=10)))
    events, found = Events(), []
    for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += events.feed(raw[begin:end])
    assert found == by_the_standard(text)


def test_an_event_without_its_end_is_none():
    assert Events().feed(b"data: whole\n\ndata: cut") == [b"whole"]
