"""The numbers by which gates, breakers and retries are built; settings fill them in."""

import math

from coordinator.domain.value import value

SCOPES = ("user", "agent", "tenant", "provider")
"""What a rate may be limited by, beside a dependency and everybody, as `user:NAME` or `user:*`."""

EVERYBODY = "global"
"""The name of the rate that all calls together keep."""


@value
class GateLimits:
    """How much one dependency may be asked for in any window of *window_s* seconds.

    *burst* is the share of a window's amount that may pass at once. The rest is spread over the window, so that no
    window, wherever it begins, sees more than the whole: burst + rate x window <= amount.
    """

    requests: float = math.inf
    tokens: float = math.inf
    window_s: float = 60.0
    queue: int = 1000
    """Calls that may wait; beyond it they are refused."""
    burst: float = 0.25


@value
class BreakerLimits:
    """*failures* in a row open the switch; after *cooldown_s* seconds one probe may pass.

    A share of failures of at least *rate*, among at least *calls* results of the last *window_s* seconds, opens it too.
    Calls that are under way count as if they went well: neither opens it that they would outweigh.
    """

    failures: int = 5
    cooldown_s: float = 30.0
    rate: float = 0.5
    window_s: float = 60.0
    calls: int = 20


@value
class RetryLimits:
    """At most *attempts* of one call; waits are random between 0 and `base_s * 2**(attempt-1)`, at most *longest_s*."""

    attempts: int = 3
    base_s: float = 0.5
    longest_s: float = 20.0
