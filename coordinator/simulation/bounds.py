"""The bounds of gates and admission, counted from outside: by what they say that they have let through."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from coordinator.domain.limits import EVERYBODY, SCOPES, GateLimits
from coordinator.domain.value import value

LimitsOf = Callable[[str], GateLimits | None]
"""The limits of a gate by its name (`tenant acme`, `offline:offline`); None when it has none."""

SLACK = 1e-6
"""What sums of floats may be off."""
SOME = 10
"""So many calls of a model have used tokens."""
MOST_SCOPES = 1000
"""With more gates than this, idle ones are forgotten, and with them what they have let through."""


@value
class Bounds:
    """What gates and admission may let through: the limits of each gate, and how many runs may work and wait.

    *everywhere* are the scopes whose gates every call must pass, such as `tenant` when there is a rate `tenant:*`.
    """

    limits: LimitsOf
    runs: int
    waiting: int
    everywhere: tuple[str, ...] = ()


class Passages:
    """Watches that no window of a gate lets more through than its limit, and that no queue is too long.

    Tokens are counted as they were estimated, less what was given back. A debt, which replies leave that were larger
    than estimated, and requests above a whole window, is beyond any window: it is paid by waiting.

    Args:
        bounds: what is allowed.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._limits: dict[str, GateLimits | None] = {}
        self._looks: dict[str, deque[tuple[float, int, float]]] = {}

    def look(self, gates: Iterable[Any], admission: Any, now: float) -> Iterator[str]:
        """Look at *gates* and *admission* as they stand at *now* seconds, and yield what is beyond its bounds."""
        if admission.running > self._bounds.runs or admission.waiting > self._bounds.waiting:
            yield f"admission: {admission.running} runs work and {admission.waiting} wait"
        for gate in gates:
            limits = self._limits_of(gate.name)
            if limits is not None:
                yield from self._judge(gate, limits, now)

    def at_end(self, gates: Iterable[Any]) -> Iterator[str]:
        """Yield the gates of models that have counted no tokens, and the scopes whose gates some call went around."""
        passed = []
        for gate in gates:
            limits, (requests, tokens, _) = self._limits_of(gate.name), gate.passed
            kind = gate.name.partition(" ")[0]
            passed.append((kind, requests))
            limited = limits is not None and limits.tokens < math.inf
            if limited and ":" in kind and requests >= SOME and tokens <= 0:
                yield f"gate: {gate.name} limits tokens, and has counted none of {requests} calls"
        if len(passed) > MOST_SCOPES:
            return
        every = sum(count for kind, count in passed if kind not in (*SCOPES, EVERYBODY))
        for scope in self._bounds.everywhere:
            within = sum(count for kind, count in passed if kind == scope)
            if within != every:
                yield f"gate: {every} calls passed in all, and {within} of them the limit of {scope}"

    def _limits_of(self, name: str) -> GateLimits | None:
        if name not in self._limits:
            self._limits[name] = self._bounds.limits(name)
        return self._limits[name]

    def _judge(self, gate: Any, limits: GateLimits, now: float) -> Iterator[str]:
        requests, tokens, waiting = gate.passed
        if waiting > limits.queue:
            yield f"gate: {waiting} calls wait for {gate.name}, where {limits.queue} may"
        looks = self._looks.setdefault(gate.name, deque())
        looks.append((now, requests, tokens))
        # What came between two looks may have come before the window: only what surely came in it counts.
        while looks[0][0] < now - limits.window_s:
            looks.popleft()
        _, requests_before, tokens_before = looks[0]
        yield from _above("requests", requests - requests_before, limits.requests, gate.name, limits.window_s)
        most = max(1.0, limits.tokens) if limits.tokens < math.inf else math.inf
        yield from _above("tokens", tokens - tokens_before, most, gate.name, limits.window_s)


def _above(what: str, within: float, most: float, name: str, window_s: float) -> Iterator[str]:
    if within > most + SLACK:
        yield f"gate: {within:g} {what} passed {name} within {window_s:g} s, where {most:g} may"
