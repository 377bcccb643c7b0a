"""Events as JSON lines, through structlog."""

from typing import Any, BinaryIO

import orjson
import structlog

from coordinator.domain.events import Event


class EventLines:
    """An observer that writes each event as one line of JSON.

    Args:
        out: a binary file; each line is flushed as it is written, so that a killed process loses none.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._log: Any = structlog.wrap_logger(
            structlog.BytesLogger(out),
            processors=[structlog.processors.JSONRenderer(serializer=_dumps)],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=True,
        )

    def __call__(self, event: Event) -> None:
        self._log.info(
            event.kind, run=event.run, seq=event.seq, at=event.at, tenant=event.tenant,
            agent=event.agent, step=event.step, data=event.data,
        )  # fmt: skip


def _dumps(line: Any, **_: Any) -> bytes:
    return orjson.dumps(line, default=str)
