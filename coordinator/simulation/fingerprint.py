"""The fingerprint of a world: a hash over every event in its order, and over how every run ended."""

from hashlib import blake2b
from typing import Any

import orjson

from coordinator.domain.events import Event

# Serialising many events at once costs a third of doing it one by one.
_BATCH = 512


class Fingerprint:
    """An observer whose `hexdigest` is the same for the same events in the same order, in any process."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self._waiting: list[Any] = []

    def __call__(self, event: Event) -> None:
        """Take *event* in."""
        self.add((event.run, event.seq, event.at, event.kind, event.tenant, event.agent, event.step, event.data))

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
        self._hash.update(orjson.dumps(self._waiting, option=orjson.OPT_NON_STR_KEYS, default=_plain))
        self._waiting.clear()


def _plain(given: Any) -> Any:
    return sorted(given, key=str) if isinstance(given, frozenset | set) else str(type(given).__name__)
