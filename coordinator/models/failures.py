"""What a provider means that answers with an error: one row of the outcome table, and one line that says what to do."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Reached, Throttle
from coordinator.domain.money import Usage
from coordinator.domain.ports import Stamp
from coordinator.domain.value import value
from coordinator.models.keys import OPENAI, Vendor
from coordinator.models.replying import request_id, retry_after, span

# What machines say counts whatever the status; words count below 500, above which they may tell of something else.
TOO_LONG_CODES = ("context_length_exceeded", "context_window_exceeded", "exceed_context_size", "request_too_large")
TOO_LONG = (
    "maximum context length", "prompt is too long", "input token count", "available context size",
    "request too large", "context window", "exceed context limit",
)  # fmt: skip
NO_QUOTA = ("insufficient_quota", "credit balance", "billing_hard_limit", "billing_error", "api usage limits")
_NOTHING_ALLOWED = re.compile(r"\blimit: 0(?!\.?\d)")
BAD_KEY = ("api key not valid", "api_key_invalid", "invalid_api_key", "incorrect api key", "authentication_error")
NO_MODEL = ("model_not_found", "invalid model", "model not found")
THROTTLED = ("overloaded_error", "rate_limit_error", "rate_limit_exceeded", "resource_exhausted")

# What an error means that comes in a stream, which has no status of its own, by its code or type.
STATUSES = {
    "context_length_exceeded": 400, "invalid_prompt": 400, "invalid_request_error": 400, "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
}  # fmt: skip
_UNDECIDED = (408, 409, 425)
"""Below 500, and yet no word on the request itself: the same may go well later."""

# OpenAI says `string_above_max_length` of any text, such as the name of a call; what was said and found can be shorter.
_LONG_TEXT = re.compile(
    r"invalid '(?:messages|input)[\[\d\]]*(?:\.(?:content|output)[\[\d\]]*(?:\.text)?)?': string too long"
)

SHORTEST_KEY = 8
"""Letters below which a key is no secret, such as the `any` of a local server: without it, words would lose letters."""

_TITLE = re.compile(rb"<title[^>]*>\s*([^<]{1,100})", re.IGNORECASE)
_SECRET = re.compile(r"\b(?:sk|pk|rk)-[\w*.…-]{6,}|\bAIza[\w-]{10,}", re.ASCII)


@value
class Sender:
    """Whose failure it is, and what may be said of it."""

    vendor: Vendor
    model: str
    key: str
    stamp: Stamp | None

    def __str__(self) -> str:
        return f"{self.vendor.name}:{self.model}"

    def __repr__(self) -> str:
        return f"Sender({self})"


@value
class Failure:
    """An error as it arrived: the status, and what its body says."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    streamed: bool = False
    """Whether it came in the middle of a reply that had begun well, so that there is something to bill."""
    usage: Usage | None = None
    """What had been reported as used by then."""


def failure(sender: Sender, failed: Failure) -> CoordinatorError:
    """Return the error that *failed* means."""
    told = _read(sender, failed)
    about = f"{sender} says: {told.text}" if told.text else f"{sender} answered {told.page or failed.status}"
    if failed.status == 413 or _too_long(failed, told):
        return Invalid(
            f"the request is too long: {about}", code="context_too_long",
            hint="ask with less material, let tools return less, or choose a model with a longer context",
        )  # fmt: skip
    denied = _denied(sender, failed, told)
    if denied is not None:
        return denied
    if not failed.streamed and (failed.status in (429, 529) or _any(THROTTLED, told.words)):
        return _throttled(failed, told, about)
    if failed.status < 500 and failed.status not in _UNDECIDED:
        message = f"the request was refused ({failed.status}): {about}"
        return Invalid(message, code="bad_request", hint=_repair(sender, failed, told))
    # A provider that answers with an error of its own has not worked; what stands in between does not know.
    return Fault(
        f"the provider failed ({failed.status}): {about}", reached=Reached.YES, code="server_error",
        hint=_wrong_url(sender) if told.page else "", retry_after=told.wait, usage=failed.usage,
        began=failed.streamed or not told.own,
    )  # fmt: skip


def unreadable(sender: Sender, headers: Mapping[str, str], body: bytes) -> Fault:
    """Return the fault of a reply that says it is well and is not what was asked for."""
    page = _page(headers, body)
    return Fault(
        f"{sender} answered {page or 'what is not its protocol'}", reached=Reached.YES, transient=not page,
        code="unreadable_reply", hint=_wrong_url(sender) if page else "look at proxies on the way, and at the base URL",
        began=not page,
    )  # fmt: skip


@value
class _Told:
    text: str
    words: str
    """All that the error says, in lower case."""
    codes: str
    """What of it machines say to machines."""
    own: bool
    """Whether the provider itself wrote it."""
    wait: float | None = None
    page: str = ""


_HINTS = {
    "bad": "correct what it names",
    "key": "check {key}, or run without a key by --model offline",
    "quota": "check plan and billing of the account, or choose another model",
    "model": "check the model's name, and what the key may use",
    "proxy": "write user and password into the proxy's URL in HTTP_PROXY or HTTPS_PROXY, or name the host in NO_PROXY",
}


def _repair(sender: Sender, failed: Failure, told: _Told) -> str:
    """Return what to do about a request that is wrong."""
    if "v1/responses" in told.words and sender.vendor is OPENAI:  # where newer models use tools, and some do anything
        return f"write openai-responses:{sender.model}"
    return _HINTS["model" if failed.status == 404 else "bad"]


def _too_long(failed: Failure, told: _Told) -> bool:
    if failed.streamed:  # it was not too long to begin with
        return False
    words = _any(TOO_LONG, told.words) or _LONG_TEXT.search(told.words) is not None
    return _any(TOO_LONG_CODES, told.codes) or (words and failed.status < 500)


def _denied(sender: Sender, failed: Failure, told: _Told) -> Fault | None:
    status, words = failed.status, told.words
    key = sender.vendor.key_variables[0]
    if status == 402 or _any(NO_QUOTA, words) or _used_up(failed, told):
        return _turned_away(f"{sender} has no quota left: {told.text}", "no_quota", _HINTS["quota"])
    if _any(NO_MODEL, words) and status in (400, 403, 404):
        return _turned_away(f"there is no model {sender}: {told.text}", "no_such_model", _HINTS["model"])
    if status == 407 or (told.page and status < 500 and status not in (*_UNDECIDED, 429)):
        return _on_the_way(sender, status, told)
    if status == 401 or _any(BAD_KEY, words):  # what it says may quote the key
        return _turned_away(f"{sender} refuses the key ({status})", "denied", _HINTS["key"].format(key=key))
    if status == 403:
        return _turned_away(f"{sender} denies access (403): {told.text}", "denied", _HINTS["key"].format(key=key))
    if status == 404 and "model" in words and told.own:
        hint = _repair(sender, failed, told)
        return _turned_away(f"there is no model {sender}: {told.text}", "no_such_model", hint)
    if status in (404, 405) or 300 <= status < 400:
        return _on_the_way(sender, status, told)
    return None


def _used_up(failed: Failure, told: _Told) -> bool:
    """Say whether it is a quota of Google's for a day, or of nothing; the wait that it names is another's."""
    return failed.status == 429 and ("perday" in told.codes or _NOTHING_ALLOWED.search(told.words) is not None)


def _on_the_way(sender: Sender, status: int, told: _Told) -> Fault:
    """Return the fault of an answer that came from something before the provider, or in its place."""
    found = f": {told.page or told.text}" if told.page or told.text else ""  # such as that of a port that speaks TLS
    if status == 407:
        message = f"the proxy on the way to {sender} wants to know who asks (407{found})"
        return _turned_away(message, "denied", _HINTS["proxy"])
    return _turned_away(f"{sender} is not at its base URL ({status}{found})", "wrong_base_url", _wrong_url(sender))


def _turned_away(message: str, code: str, hint: str) -> Fault:
    return Fault(
        message, reached=Reached.YES, transient=False, code=code, hint=hint, turned_away=Throttle.DENIED, began=False
    )


def _throttled(failed: Failure, told: _Told, about: str) -> Fault:
    return Fault(
        f"the provider asks to be called later ({failed.status}): {about}", reached=Reached.YES, code="throttled",
        turned_away=Throttle.THROTTLED, retry_after=told.wait,
        began=False,
    )  # fmt: skip


def _read(sender: Sender, failed: Failure) -> _Told:
    wait = retry_after(failed.headers, sender.stamp)
    page = _page(failed.headers, failed.body)
    try:
        body = orjson.loads(failed.body)
    except orjson.JSONDecodeError:
        return _Told("", "", "", own=False, wait=wait, page=page)
    if isinstance(body, list) and body:  # Google's, when it was not asked for a stream of events
        body = body[0]
    whole = body if isinstance(body, dict) else {}
    own = "error" in whole or whole.get("object") == "error"
    error = whole.get("error", whole)
    if not isinstance(error, dict):
        error = {"message": error} if isinstance(error, str) else {}
    message = _message(error)
    codes = " ".join([*(str(error.get(name, "")) for name in ("code", "type", "status")), *_quotas(error)]).lower()
    text = _said(message, sender, request_id(failed.headers))
    return _Told(text, f"{message.lower()} {codes}", codes, own=own, wait=_asked(error) if wait is None else wait)


def _message(error: Mapping[str, Any]) -> str:
    """Return what *error* tells people; servers on FastAPI call it `detail`, and may write more than text there."""
    told = error.get("message", error.get("detail", ""))
    return told if isinstance(told, str) else orjson.dumps(told).decode() if isinstance(told, list | dict) else ""


def _said(message: str, sender: Sender, name: str) -> str:
    """Return the provider's own words in one line, without anything that looks like a key."""
    text = " ".join(message.split())
    if len(sender.key) >= SHORTEST_KEY:
        text = text.replace(sender.key, "…")
    text = _SECRET.sub("…", text)
    text = text if len(text) <= 300 else f"{text[:300]}…"
    return f"{text.rstrip('.')} (request {name})" if text and name else text.rstrip(".")


def _asked(error: Mapping[str, Any]) -> float | None:
    """Return the wait that Google writes into the body of an error."""
    return next((span(wait) for detail in _details(error) if isinstance(wait := detail.get("retryDelay"), str)), None)


def _quotas(error: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the quotas that Google says are used up."""
    for detail in _details(error):
        for violation in _objects(detail.get("violations")):
            yield str(violation.get("quotaId", ""))


def _details(error: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _objects(error.get("details"))


def _objects(told: Any) -> list[dict[str, Any]]:
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _page(headers: Mapping[str, str], body: bytes) -> str:
    start = body[:200].lstrip().lower()
    if "html" not in headers.get("content-type", "") and not start.startswith((b"<!doctype html", b"<html")):
        return ""
    title = _TITLE.search(body)
    named = " ".join(title[1].decode("utf-8", "replace").split()) if title else ""
    return f"an HTML page ({named})" if named else "an HTML page"


def _wrong_url(sender: Sender) -> str:
    vendor = sender.vendor
    if not vendor.url_variable:
        return "check the URL behind the @, such as http://localhost:8000/v1, and proxies on the way"
    return f"check {vendor.url_variable}, such as {vendor.url}, and proxies on the way"


def _any(marks: tuple[str, ...], words: str) -> bool:
    return any(mark in words for mark in marks)
