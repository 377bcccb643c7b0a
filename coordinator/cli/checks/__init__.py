"""What `coordinator doctor` looks at."""

from collections.abc import Iterator
from pathlib import Path

from coordinator.cli.checks.check import Check
from coordinator.cli.checks.configuration import Configuration
from coordinator.cli.checks.machine import machine
from coordinator.cli.checks.network import answers, network

__all__ = ["Check", "examine"]


def examine(folder: Path, *, ask: bool) -> Iterator[Check]:
    """Yield every check of the workspace around *folder*, and of the machine.

    Args:
        folder: where the user stands.
        ask: whether to ask every model one word, which sends keys.
    """
    configuration = Configuration(folder)
    yield from configuration.checks()
    settings = configuration.settings
    if settings is not None:
        yield from network(settings, configuration.routes)
        if ask:
            yield from answers(settings, configuration.routes)
    yield from machine(configuration.root, settings)
