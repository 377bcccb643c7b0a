"""The fingerprint of a world: a hash over every event in its order, and over how every run ended."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from coordinator.domain.events import Event, Kind
from coordinator.domain.value import changed

# Many events at once cost half of one by one.
_BATCH = 512

# How Python names an object that has no better name; it is another one in every process.
_ADDRESS = re.compile(rb" at 0x[0-9a-f]+")


class Fingerprint:
    """An observer whose `hexdigest` is the same for the same events in the same order, in any process.

    Addresses of objects are left out, and so are tracebacks, which tell where the code lies.
    """

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._hash = blake2b(digest_size=16)
        # The order of a set of texts is another in every process; this one sorts them.
        self._encode = msgspec.json.Encoder(order="deterministic", enc_hook=_plain).encode

    def __call__(self, event: Event) -> None:
        """Take *event* in."""
        if event.kind is Kind.CRASH:
            event = changed(event, data={name: told for name, told in event.data.items() if name != "traceback"})
        self.add(event)

    def add(self, fact: Any) -> None:
        """Take in any *fact* of plain JSON types."""
        self._waiting.append(fact)
        if len(self._waiting) >= _BATCH:
            self._flush()

    def hexdigest(self) -> str:
        """Return the fingerprint of what was taken in so far: 32 hexadecimal digits."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(_ADDRESS.sub(b"", self._encode(self._waiting)))
        self._waiting.clear()


def _plain(given: Any) -> Any:
    return dict(given) if isinstance(given, Mapping) else type(given).__name__
