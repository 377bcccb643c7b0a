"""What a provider says is left of our quota, counted down until it says so again."""

import math


class Quota:
    """So many requests and tokens may still pass until *until*; after that nothing is known.

    Args:
        requests: left; infinite when the provider did not say.
        tokens: left; infinite when the provider did not say.
        until: loop time at which the provider counts anew.
    """

    __slots__ = ("requests", "tokens", "until")

    def __init__(self, requests: float, tokens: float, until: float) -> None:
        self.requests = requests
        self.tokens = tokens
        self.until = until

    def delay(self, tokens: int, now: float) -> float:
        """Return the seconds until a request of *tokens* may pass; 0 when it may now."""
        if self.requests >= 1 and self.tokens >= tokens:
            return 0.0
        return max(0.0, self.until - now)

    def take(self, requests: int, tokens: int) -> None:
        """Count what passes; negative amounts give back."""
        self.requests -= requests
        self.tokens -= tokens


def told(before: Quota | None, requests: float | None, tokens: float | None, until: float) -> Quota:
    """Return what holds when the provider says that so much is left, None of what it did not say.

    Replies overtake one another, so that of two statements about one period the smaller holds.
    """
    new = Quota(math.inf if requests is None else requests, math.inf if tokens is None else tokens, until)
    if before is not None and until <= before.until:
        new.requests = min(new.requests, before.requests)
        new.tokens = min(new.tokens, before.tokens)
        new.until = before.until
    return new
