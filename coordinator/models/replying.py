"""What the headers of a provider's reply say: when to ask again, what is left to us, and the name of the request."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from coordinator.domain.model import Quota
from coordinator.domain.ports import Stamp

LONGEST_S = 3600.0
"""What asks for a longer wait is not believed: it would stop everybody who waits for the same model."""

REQUEST_IDS = ("x-request-id", "request-id", "x-goog-request-id")

_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)

Headers = Mapping[str, str]
"""By their names in lower case."""


def request_id(headers: Headers) -> str:
    """Return the name by which the provider knows the request; empty where it gives none."""
    return next((headers[name] for name in REQUEST_IDS if name in headers), "")


def retry_after(headers: Headers, stamp: Stamp | None) -> float | None:
    """Return the seconds that the provider asks us to wait; None when it does not say, or says what cannot be.

    It may say milliseconds (`retry-after-ms`), seconds or a date (RFC 9110, 10.2.3), which the reply's own date tells
    from now, else the clock *stamp*.
    """
    thousandths = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(thousandths):
        return _plausible(float(thousandths) / 1000)
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return _plausible(float(text))
    then, now = _date(text), _date(headers.get("date", ""))
    if then is None:
        return None
    if now is None and stamp is not None:
        now = stamp()
    return None if now is None else _plausible(max(0.0, then - now))


def span(text: str) -> float | None:
    """Return the seconds in *text*, such as `6m0s`, `1.5s` or `20ms`; None when it is none."""
    found = _SPAN.fullmatch(text)
    if not text or found is None:
        return None
    hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
    return _plausible(hours * 3600 + minutes * 60 + seconds + thousandths / 1000)


def quota(headers: Headers, stamp: Stamp | None) -> Quota | None:
    """Return what OpenAI's or Anthropic's headers say is left; None when there are none."""
    if "x-ratelimit-remaining-requests" in headers or "x-ratelimit-remaining-tokens" in headers:
        resets = [span(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in ("requests", "tokens")]
        left = [_count(headers.get(f"x-ratelimit-remaining-{kind}", "")) for kind in ("requests", "tokens")]
    elif "anthropic-ratelimit-requests-remaining" in headers or "anthropic-ratelimit-tokens-remaining" in headers:
        now = _date(headers.get("date", ""))
        now = stamp() if now is None and stamp is not None else now
        resets = [_until(headers.get(f"anthropic-ratelimit-{kind}-reset", ""), now) for kind in ("requests", "tokens")]
        left = [_count(headers.get(f"anthropic-ratelimit-{kind}-remaining", "")) for kind in ("requests", "tokens")]
    else:
        return None
    known = [seconds for seconds in resets if seconds is not None]
    if left == [None, None]:
        return None
    return Quota(left[0], left[1], max(known)) if known else Quota(left[0], left[1])


def _plausible(seconds: float) -> float | None:
    return seconds if seconds <= LONGEST_S else None


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


@lru_cache(maxsize=16)  # a second's replies have the same date, and to read it costs 10 µs
def _date(text: str) -> float | None:
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _until(text: str, now: float | None) -> float | None:
    """Return the seconds from *now* until the RFC 3339 stamp *text*."""
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    if now is None or then.tzinfo is None:
        return None
    return _plausible(max(0.0, then.timestamp() - now))
