"""The data that a run works in."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class World(Protocol):
    """Names and places of a run's data; every database it gives out is the run's own copy."""

    def path(self, name: str) -> Path:
        """Return the file or folder that the world calls *name*.

        Raises:
            Invalid: the world has no such name.
        """

    def database(self, name: str) -> sqlite3.Connection:
        """Return an own copy of the database whose SQL text the world calls *name*.

        Raises:
            Invalid: no such name, or its SQL text is broken.
        """

    def snapshot(self, key: str, build: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        """Return an own copy of the database that *build* makes; it is built once per process and *key*."""
