"""Simulations in words: a line for each seed, and what held."""

from collections.abc import Mapping, Sequence

from coordinator.domain.events import Kind
from coordinator.domain.money import dollars, micros
from coordinator.domain.value import value
from coordinator.simulate.world import WorldReport
from coordinator.simulation.invariants import HELD

_COUNTED = {
    Kind.MODEL_STARTED: "model calls", Kind.TOOL_STARTED: "tool calls", Kind.RETRY: "retries",
    Kind.FALLBACK: "fallbacks", Kind.BREAKER: "breaker changes",
}  # fmt: skip


@value
class SimulationReport:
    """What happened in the worlds of all seeds that were simulated."""

    worlds: Sequence[WorldReport]

    @property
    def ok(self) -> bool:
        """Whether everything held in every world."""
        return all(world.ok for world in self.worlds)

    @property
    def failed(self) -> list[WorldReport]:
        """The worlds in which something did not hold."""
        return [world for world in self.worlds if not world.ok]

    def __str__(self) -> str:
        return "\n".join([*map(line, self.worlds), *summary(self)])


def line(world: WorldReport) -> str:
    """Return what happened in *world*, in one line; with every breach in a line below."""
    told = [
        f"{world.runs} runs: {_counted(world.statuses)}",
        _counted(world.codes),
        ", ".join(f"{world.events.get(kind, 0)} {name}" for kind, name in _COUNTED.items()),
        f"{dollars(micros(f'{world.cost_usd:.6f}'))} in {world.seconds:.1f} s",
    ]
    verdict = "" if world.ok else "  FAILED"
    text = f"seed {world.seed:<6} {world.fingerprint}  {'; '.join(filter(None, told))}{verdict}"
    return "\n".join([text, *(f"  {breach}" for breach in world.breaches)])


def summary(report: SimulationReport) -> list[str]:
    """Return what held in all worlds of *report*."""
    worlds = report.worlds
    runs = sum(world.runs for world in worlds)
    events = sum(sum(world.events.values()) for world in worlds)
    if not report.ok:
        seeds = ", ".join(str(world.seed) for world in report.failed)
        return [f"something did not hold in {len(report.failed)} of {len(worlds)} worlds: seeds {seeds}"]
    held = f"held in {len(worlds)} worlds with {runs} runs, at each of {events} events:"
    return [held, *(f"  {law}" for law in HELD)]


def _counted(counts: Mapping[str, int]) -> str:
    most_first = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {name}" for name, count in most_first)
