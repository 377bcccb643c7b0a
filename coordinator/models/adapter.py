"""What all adapters of providers share: a request goes out, its reply comes in by events, and is whole or a fault."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, cast

import orjson
from orjson import Fragment

from coordinator.domain.errors import CoordinatorError, Fault, Reached
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.ports import Stamp
from coordinator.domain.timer import Timer
from coordinator.models.draft import Draft, ErrorEventError, fields_of
from coordinator.models.failures import STATUSES, Failure, Sender, failure, unreadable
from coordinator.models.http import CUT, ERRORS, URL, AsyncClient, Headers, Http, Response, address, fault, headers_of
from coordinator.models.keys import Vendor, base_url_of, key_of
from coordinator.models.once import Once
from coordinator.models.reasoning import thoughtless
from coordinator.models.replying import quota, request_id
from coordinator.models.schemas import answer_tool
from coordinator.models.sse import Events, begins

MOST_BYTES = 32 * 1024 * 1024
"""No reply is longer; one that is will never end."""
MOST_ERROR_BYTES = 64 * 1024
LINGER_S = 1.0
"""Seconds that a whole reply may take to end its stream, so that its connection can be used again."""

TOLD = 6
"""Bytes of a body that tell whether it is a stream of events."""
DONE = b"[DONE]"
_BAD_EVENT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Adapter(ABC):
    """Speaks with one provider over HTTP: every request is streamed, and answered whole or by a fault.

    It retries nothing, waits for nothing but the network, and keeps nothing between calls but what can be made again.

    Args:
        key: the provider's key; by default that of the usual environment variable.
        base_url: where it listens; by default the usual environment variable's, else the provider's own.
        client: the HTTP client; by default one of its own, opened on first use and closed by `close`.
        stamp: the clock by which dates of the provider are understood.
        options: more fields of every request, as the provider names them, such as `reasoning_effort`.

    Raises:
        Invalid: `missing_key`, `bad_key` or `bad_base_url`.
    """

    __slots__ = (
        "_headers", "_http", "_key", "_stamp", "_urls", "answers", "base", "formats", "options", "tools",
    )  # fmt: skip

    vendor: ClassVar[Vendor]
    effort: ClassVar[str] = ""
    """The option that says how hard to think, where models without thoughts refuse it."""

    def __init__(
        self,
        *,
        key: str | None = None,
        base_url: str | None = None,
        client: AsyncClient | Http | None = None,
        stamp: Stamp | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.base = base_url_of(self.vendor, base_url)
        self._key = key_of(self.vendor, key)
        self._http = client if isinstance(client, Http) else Http(client)
        self._stamp = stamp
        self.options = dict(options or {})
        # Written once for each tool and each type, and not in every request.
        self.tools: Once[ToolSpec, Fragment] = Once(self.tool)
        self.formats: Once[OutputSpec, Fragment] = Once(self.form)
        self.answers: Once[OutputSpec, Fragment] = Once(lambda output: self.tool(answer_tool(output)))
        own = {"content-type": "application/json", "accept": "text/event-stream", "accept-encoding": "identity"}
        self._headers = Headers({**own, **self.access(self._key)})
        self._urls: dict[str, URL] = {}
        address(self.base, self.vendor.name)

    @abstractmethod
    def access(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key, and what else every request carries."""

    @abstractmethod
    def path(self, model: str) -> str:
        """Return what follows the base URL."""

    @abstractmethod
    def ask(self, model: str, request: ModelRequest) -> tuple[dict[str, Any], Draft]:
        """Return the body to send, and the draft that will read what comes back."""

    @abstractmethod
    def tool(self, spec: ToolSpec) -> Fragment:
        """Write a tool as the provider wants it."""

    @abstractmethod
    def form(self, output: OutputSpec) -> Fragment:
        """Write the type of an answer as the provider wants it."""

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        url = self._urls.get(model)
        if url is None:
            url = self._urls[model] = address(self.base + self.path(model), self.vendor.name)
        asked, draft = self.ask(model, request)
        body = dumps({**self._fitting(model), **asked} if self.options else asked)
        sender = Sender(self.vendor, model, self._key, self._stamp)
        try:
            headers = await self._exchange(url, body, draft, sender)
        except ERRORS as error:
            raise fault(error, str(sender), url) from error
        try:
            return draft.reply(self.vendor.name, model, request_id(headers), quota(headers, self._stamp))
        except _BAD_EVENT:
            raise unreadable(sender, headers, b"") from None

    async def close(self) -> None:
        """Close the HTTP client, unless it came from outside."""
        await self._http.close()

    def _fitting(self, model: str) -> Mapping[str, Any]:
        """Return the options that *model* takes."""
        if self.effort not in self.options or not thoughtless(model):
            return self.options
        return {name: given for name, given in self.options.items() if name != self.effort}

    async def _exchange(self, url: URL, body: bytes, draft: Draft, sender: Sender) -> dict[str, str]:
        response = await self._http.post(url, self._headers, body)
        try:
            headers = headers_of(response)
            if response.status_code != 200:
                said = await _whole(response, MOST_ERROR_BYTES)
                raise failure(sender, Failure(response.status_code, headers, said))
            try:
                await _listen(response, headers, draft, sender)
            except ERRORS:
                if draft.stop is None:
                    raise
        finally:
            await response.aclose()
        return headers


async def _listen(response: Response, headers: dict[str, str], draft: Draft, sender: Sender) -> None:
    """Read the reply into *draft*, until it is whole.

    Raises:
        ERRORS: the connection broke.
        Fault: it ended before it was whole, or is not what it should be.
    """
    kind = headers.get("content-type", "")
    if "json" in kind or "html" in kind:  # some servers do not stream, whatever they are asked
        body = await _whole(response, MOST_BYTES)
        _take(body, headers, draft, sender)
        draft.ended = True
    else:
        async with aclosing(_chunks(response)) as chunks:
            await _follow(chunks, headers, draft, sender)
            if draft.ended:
                await _linger(chunks)
    if draft.stop is None:
        told = f"the reply of {sender} broke off: its stream ended early"
        raise Fault(told, reached=Reached.MAYBE, code="cut_off", hint=CUT)


async def _follow(chunks: AsyncIterator[bytes], headers: dict[str, str], draft: Draft, sender: Sender) -> None:
    events, size = Events(), 0
    head, seen = b"", False
    async for chunk in chunks:
        size += len(chunk)
        if size > MOST_BYTES or (not head and chunk.lstrip()[:1] in (b"<", b"{")):
            raise unreadable(sender, headers, chunk)
        head = head if len(head) >= TOLD else (head + chunk).lstrip()[:TOLD]
        for data in events.feed(chunk):
            seen = True
            if data == DONE:
                draft.ended = True
            else:
                _take(data, headers, draft, sender)
        if draft.ended:
            return
    if not seen and head and not begins(head):
        raise unreadable(sender, headers, head)


def _take(data: bytes, headers: dict[str, str], draft: Draft, sender: Sender) -> None:
    try:
        draft.read(orjson.loads(data))
    except ErrorEventError as event:
        raise _told(event.error, headers, draft, sender) from None
    except _BAD_EVENT:
        raise unreadable(sender, headers, data) from None


def _told(error: Any, headers: dict[str, str], draft: Draft, sender: Sender) -> CoordinatorError:
    """Return the error that an event of a stream means; its code may be an HTTP status, or stand for one."""
    held = error if isinstance(error, dict) else {}
    code = held.get("code") or held.get("type")
    status = STATUSES.get(code, 500) if isinstance(code, str) and not draft.begun else 500
    if isinstance(code, int) and 400 <= code < 600:
        status = code
    said = orjson.dumps({"error": error})
    return failure(sender, Failure(status, headers, said, streamed=draft.begun, usage=draft.usage))


async def _linger(chunks: AsyncIterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    try:
        with Timer(loop.time() + LINGER_S, loop):
            async for _ in chunks:
                pass
    except TimeoutError:
        return


def _chunks(response: Response) -> AsyncGenerator[bytes, None]:
    return cast(AsyncGenerator[bytes, None], response.aiter_bytes())  # closed at once, and not when it is collected


async def _whole(response: Response, most: int) -> bytes:
    body = b""
    async with aclosing(_chunks(response)) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > most:
                break
    return body[:most]


def dumps(body: dict[str, Any]) -> bytes:
    """Return *body* as JSON; half a character, which JSON cannot carry, becomes a question mark."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return orjson.dumps(_mended(body))


def as_object(arguments: str) -> str:
    """Return *arguments* as a model wrote them, or in an object: servers that parse them refuse all that is none."""
    fields = fields_of(arguments)
    return arguments if fields != {"text": arguments} else dumps(fields).decode()


def _mended(thing: Any) -> Any:
    if isinstance(thing, str):
        return thing.encode("utf-8", "replace").decode()
    if isinstance(thing, dict):
        return {name: _mended(inner) for name, inner in thing.items()}
    return [_mended(inner) for inner in thing] if isinstance(thing, list) else thing
