"""Events as JSON lines, through structlog."""

import json
from collections.abc import Iterable
from typing import Any, BinaryIO

import orjson
import structlog

from coordinator.domain.events import Event
from coordinator.telemetry.redaction import Redaction
from coordinator.telemetry.spans import Spans

LONG_STEP = 80


class EventLines:
    """An observer that writes each event as one line of JSON, with its span and the one around it, without secrets.

    Args:
        out: a binary file; each line is flushed as it is written, so that a killed process loses none.
        secrets: texts that must not be written, beside what looks like a secret.
    """

    def __init__(self, out: BinaryIO, secrets: Iterable[str] = ()) -> None:
        self._redact = Redaction(secrets)
        self._spans = Spans()
        self._log: Any = structlog.wrap_logger(
            structlog.BytesLogger(out),
            processors=[structlog.processors.JSONRenderer(serializer=self._written)],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=True,
        ).bind()

    def __call__(self, event: Event) -> None:
        span, parent = self._spans(event)
        self._log.info(
            event.kind, run=event.run, seq=event.seq, at=event.at, tenant=event.tenant,
            agent=event.agent, step=event.step, span=span, parent=parent, data=event.data,
        )  # fmt: skip

    def _written(self, line: dict[str, Any], **_: Any) -> bytes:
        redact, step = self._redact, line["step"]
        # A step's id comes from structure, and is new each time; only parts that somebody named make it long.
        long = len(step) > LONG_STEP
        if long or redact.concerns(line["data"].values()) or redact.concerns((line["tenant"], line["agent"])):
            return redact(_dumped(line))
        return _dumped(line)


def _dumped(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, default=str)
    except TypeError:  # lone surrogates, numbers beyond 64 bits: slower, and never in the way
        return json.dumps(line, default=str, ensure_ascii=False).encode("utf-8", "replace")
