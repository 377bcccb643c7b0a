"""The fingerprint of a world: a hash over every event in its order, and over how every run ended."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from coordinator.domain.events import Event

# Many events at once cost half of one by one.
_BATCH = 512


class Fingerprint:
    """An observer whose `hexdigest` is the same for the same events in the same order, in any process."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._hash = blake2b(digest_size=16)
        # The order of a set of texts is another in every process; this one sorts them.
        self._encode = msgspec.msgpack.Encoder(order="deterministic", enc_hook=_plain).encode

    def __call__(self, event: Event) -> None:
        """Take *event* in."""
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
        self._hash.update(self._encode(self._waiting))
        self._waiting.clear()


def _plain(given: Any) -> Any:
    return dict(given) if isinstance(given, Mapping) else type(given).__name__
