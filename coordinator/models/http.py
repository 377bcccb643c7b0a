"""The only place that imports an HTTP client: httpx over the aiohttp transport, and what its errors mean."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from httpx import URL, AsyncClient, Response
from httpx_aiohttp import HttpxAiohttpClient

from coordinator.domain.errors import Fault, Invalid, Reached

__all__ = ["CUT", "ERRORS", "URL", "AsyncClient", "Headers", "Http", "Response", "address", "fault", "headers_of"]

Headers = httpx.Headers

IN_FLIGHT = 1000
"""Connections at once; who comes beyond waits for one, within the timeout of the call."""

IDLE_S = 20.0
"""Seconds that an unused connection is kept: less than providers keep theirs, so that few are found closed."""

# How long a reply may take is the call's own timeout; here only what never reached anybody is given up early.
TIMEOUTS = {"timeout": {"connect": 10.0, "read": None, "write": None, "pool": None}}

ERRORS = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError)
"""What may go wrong on the way; `fault` says what it means."""

CUT = "look at proxies on the way, and at their time-outs"
PROXY = "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY"

_UNSENT = (
    aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL, httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError,
    httpx.UnsupportedProtocol,
)  # fmt: skip


class Http:
    """One HTTP client: opened on first use, in the event loop that uses it, and closed at the end.

    Args:
        client: used in place of one of our own; whoever made it closes it.
        headers: gives headers that every request carries beside its own, such as `traceparent`.
    """

    __slots__ = ("_client", "_headers", "_own", "_proxies")

    def __init__(
        self, client: AsyncClient | None = None, headers: Callable[[], Mapping[str, str]] | None = None
    ) -> None:
        self._client = client
        self._headers = headers
        self._own: AsyncClient | None = None
        self._proxies: dict[str, str] = {}
        """Those that the environment names, by scheme, if one is a SOCKS proxy: the transport takes it for another."""

    async def post(self, url: URL, headers: Headers, body: bytes) -> Response:
        """Send *body* and return the reply as soon as its headers are there; the caller closes it.

        Raises:
            ERRORS: it did not arrive, or no reply came.
        """
        client = self._client or self._own or self._open()
        if self._proxies:
            self._check_proxy(url)
        request = httpx.Request("POST", url, headers=headers, content=body, extensions=TIMEOUTS)
        if self._headers is not None:
            request.headers.update(self._headers())
        try:
            return await client.send(request, stream=True)
        except ValueError as error:  # a host that no name service can be asked for
            raise _no_address(url.host, error) from error

    def _open(self) -> AsyncClient:
        limits = httpx.Limits(max_connections=IN_FLIGHT, keepalive_expiry=IDLE_S)
        try:
            own = self._own = HttpxAiohttpClient(limits=limits)
        except (ValueError, httpx.InvalidURL) as error:
            raise Invalid(
                f"the proxy that the environment names cannot be used: {_told(error)}", code="bad_proxy",
                hint=PROXY,
            ) from error  # fmt: skip
        proxies = getproxies()
        if any(proxy.startswith("socks") for proxy in proxies.values()):
            self._proxies = proxies
        # Looking for cookies costs 15 µs of every call, even where there are none, and tenants share the client.
        own.cookies.extract_cookies = _kept_by_nobody  # type: ignore[method-assign]  # httpx has no switch
        return own

    def _check_proxy(self, url: URL) -> None:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all", "")
        if proxy.startswith("socks") and not proxy_bypass(url.host):
            raise Invalid(
                f"the proxy that the environment names for {url.host} is of a kind that cannot be used"
                f" ({proxy.partition(':')[0]})", code="bad_proxy", hint=f"name an HTTP proxy: {PROXY}",
            )  # fmt: skip

    async def close(self) -> None:
        """Close the client, unless it came from outside."""
        own, self._own = self._own, None
        if own is not None:
            await own.aclose()


def _kept_by_nobody(response: Response) -> None:
    """Leave the cookies of *response* where they are."""


def address(text: str, provider: str) -> URL:
    """Return *text*, an address of *provider*, as what requests are sent to.

    Raises:
        Invalid: `bad_base_url`.
    """
    try:
        url = URL(text)
        _ = url.host  # only now it is decoded
    except (httpx.InvalidURL, ValueError) as error:
        raise _no_address(f"the base URL of {provider}", error) from error
    return url


def _no_address(what: str, error: Exception) -> Invalid:
    told = f"{what} is no address of a server: {_told(error)}"
    return Invalid(told, code="bad_base_url", hint="correct the base URL")


def headers_of(response: Response) -> dict[str, str]:
    """Return the headers of *response* by their names in lower case; looking one up costs httpx a walk over all."""
    return {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in response.headers.raw}


def fault(error: Exception, provider: str, url: URL) -> Fault:
    """Say what *error*, one of ERRORS, means for a request to *url*, whose reply had not arrived whole."""
    # The transport calls every lost connection a connect timeout; what it was in truth stands in the cause.
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    what: dict[str, Any] = {"reached": Reached.MAYBE, "code": "cut_off", "hint": CUT}
    if isinstance(cause, _UNSENT):
        return _unreached(cause, provider, url)
    if isinstance(error, httpx.DecodingError):
        what = {"reached": Reached.YES, "code": "unreadable_reply", "hint": "look at proxies on the way"}
    if isinstance(cause, aiohttp.ClientResponseError):  # such as that of a port on which something else answers
        cause.request_info = None  # type: ignore[assignment]  # it shows the headers, and so the key, to who shows it
        return Fault(
            f"{provider} answered what is no HTTP ({_told(cause)})", reached=Reached.MAYBE, code="unreadable_reply",
            hint=f"check the base URL of {provider} ({_place(url)})",
        )  # fmt: skip
    if isinstance(cause, httpx.TimeoutException | TimeoutError):
        what |= {"code": "timeout", "hint": ""}
    return Fault(f"the reply of {provider} broke off ({_told(cause)})", **what)


def _unreached(cause: BaseException, provider: str, url: URL) -> Fault:
    told = _told(cause)
    place = url.netloc.decode("ascii")
    transient, hint = True, f"check the network, and the base URL of {provider} ({_place(url)})"
    if isinstance(cause, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError | httpx.ProxyError):
        told, hint = f"the proxy that the environment names fails: {told}", PROXY
    elif "certificate" in told.lower():
        transient, hint = False, "trust its authority by the variable SSL_CERT_FILE, or correct the base URL"
    elif "WRONG_VERSION_NUMBER" in told:
        transient, told = False, f"{place} speaks no TLS"
        hint = f"write http://{place} in the base URL of {provider}, or the port that speaks TLS"
    return Fault(
        f"{provider} cannot be reached: {told}", reached=Reached.NO, transient=transient, code="unreached",
        hint=hint, began=False,
    )  # fmt: skip


def _place(url: URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _told(cause: BaseException) -> str:
    if isinstance(cause, aiohttp.ClientResponseError):  # its own words hold all that was sent, line by line
        return cause.message.strip().partition("\n")[0][:200].rstrip(" :")
    return " ".join(str(cause).partition(": <")[0].split())[:200] or type(cause).__name__  # the rest is Python's
