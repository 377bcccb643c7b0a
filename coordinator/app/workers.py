"""Limits hold per process: whoever starts several of them is told, unless each has its share."""

import logging
import os
import sys
from collections.abc import Iterator

from coordinator.domain.surfaces import WIDER
from coordinator.settings import Settings
from coordinator.sources import server_workers

log = logging.getLogger("coordinator")

ROUNDING = 1e-9
"""Three times a third need not be quite one."""


def warn_of_workers(settings: Settings) -> None:
    """Log one warning when several processes may together exceed a limit of *settings*, and nobody divided it."""
    workers = settings.workers or server_workers(sys.argv, os.environ)
    ceilings = list(dict.fromkeys(_shared(settings)))
    if workers * settings.share <= 1 + ROUNDING or not (ceilings or settings.rates):
        return
    rates = ["rates"] if settings.rates else []
    hint = f'set share = "1/{workers}"' + (f", and divide the rates by {workers}" if rates else "")
    log.warning("%d workers, and limits hold in each of them: %s; %s", workers, ", ".join([*ceilings, *rates]), hint)


def _shared(settings: Settings) -> Iterator[str]:
    """Yield the ceilings that somebody set and that the runs of several processes share."""
    for limits in (settings, *settings.surfaces.values(), *settings.tenants.values()):
        yield from (name for name in WIDER[1:] if getattr(limits, name, None) is not None)
