"""What a provider says is left of our quota, counted down until it says so again."""

import math


class Quota:
    """So many requests and tokens may still pass until *until*; after that nothing is known.

    Args:
        requests: left; infinite when the provider did not say.
        tokens: left; infinite when the provider did not say.
        until: loop time at which the provider counts anew.
    """

    __slots__ = ("_requests", "_tokens", "until")

    def __init__(self, requests: float, tokens: float, until: float) -> None:
        self._requests = requests
        self._tokens = tokens
        self.until = until

    def delay(self, tokens: int, now: float) -> float:
        """Return the seconds until a request of *tokens* may pass; 0 when it may now."""
        if self._requests >= 1 and self._tokens >= tokens:
            return 0.0
        return max(0.0, self.until - now)

    def take(self, tokens: int, requests: int = 1) -> None:
        """Count one request of *tokens*; negative amounts give back."""
        self._requests -= requests
        self._tokens -= tokens

    def told(self, requests: float | None, tokens: float | None, until: float) -> "Quota":
        """Return what holds when the provider says something new.

        Replies overtake one another, so that of two statements about one period the smaller holds.
        """
        new = Quota(math.inf if requests is None else requests, math.inf if tokens is None else tokens, until)
        if until <= self.until + 1.0:
            new._requests = min(new._requests, self._requests)  # noqa: SLF001 - one of its own
            new._tokens = min(new._tokens, self._tokens)  # noqa: SLF001 - one of its own
        return new
