"""What an event costs on its way into a file: span, JSON, redaction and the write.

The events are those of a support ticket, one run after another. The limit: 10,000 events a second in under 10 % of one
core, which is 10 µs an event.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from coordinator import Event, run_scenario
from coordinator.telemetry.lines import EventLines

ROOT = Path(__file__).parents[1]
SECRETS = [f"{number:02}-a-key-of-a-provider-{number:02}" for number in range(5)]
RUNS, ROUNDS = 400, 5


def cost(events: Sequence[Event], path: Path) -> float:
    """Return the CPU microseconds of one event."""
    with path.open("wb", buffering=0) as out:
        lines = EventLines(out, SECRETS)
        began = time.process_time()
        for _ in range(RUNS):
            for event in events:
                lines(event)
        return (time.process_time() - began) * 1e6 / (RUNS * len(events))


def with_content(events: Sequence[Event]) -> list[Event]:
    """Return *events* as content logging makes them: with 2 kB of text each."""
    text = "The order left the warehouse on Monday and is in transit. " * 35
    data = {"content": [{"role": "tool", "text": text}]}
    return [
        Event(one.run, one.seq, one.at, one.kind, one.tenant, one.agent, one.step, {**one.data, **data})
        for one in events
    ]


def main() -> None:
    """Print the figures."""
    events: list[Event] = []
    asyncio.run(run_scenario(ROOT / "scenarios" / "support_ticket.yaml", observers=[events.append]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        plain = min(cost(events, path) for _ in range(ROUNDS))
        size = path.stat().st_size / (RUNS * len(events))
        wide = min(cost(with_content(events), path) for _ in range(ROUNDS))
    print(f"event into a file: {plain:.1f} µs of CPU, {size:.0f} bytes; limit 10 µs")
    print(f"10,000 events a second: {plain:.1f} % of one core; limit 10 %")
    print(f"event with 2 kB of content: {wide:.1f} µs")


if __name__ == "__main__":
    main()
