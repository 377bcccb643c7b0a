"""Randomness and names from a seed: all that a simulated world draws, in streams that do not disturb one another."""

import random  # noqa: TID251 - generators that the caller seeds, never the process's own
from collections.abc import Sequence
from typing import TypeVar

from coordinator.domain.ports import Chance

T = TypeVar("T")


class Dice:
    """Streams of randomness, by name, that one *seed* decides.

    A stream of its own for everything that is drawn keeps worlds comparable: another fault plan changes no latency.
    """

    def __init__(self, seed: int | str) -> None:
        self._seed = seed

    def stream(self, name: str) -> Chance:
        """Return the stream called *name*: numbers from 0 up to but excluding 1."""
        return random.Random(f"{self._seed} {name}").random  # noqa: S311 - to repeat, not to hide


class Names:
    """The injected source of run ids in a simulated world: r-0001, r-0002 and so on."""

    def __init__(self) -> None:
        self._given = 0

    def __call__(self) -> str:
        """Return the next name."""
        self._given += 1
        return f"r-{self._given:04}"


def pick(options: Sequence[T], chance: Chance) -> T:
    """Return one of *options*, each as likely as the others."""
    return options[int(chance() * len(options))]
