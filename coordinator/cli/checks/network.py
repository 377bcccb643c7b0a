"""Checks of the providers in use: whether they have keys, can be reached, and answer."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import BaseModel, Field

from coordinator.app import Coordinator
from coordinator.app.providers import SETTINGS_OF
from coordinator.cli.checks.check import Check, Routes, wrong
from coordinator.cli.checks.limits import FREE
from coordinator.cli.figures import duration, money
from coordinator.domain.access import ProviderSetting
from coordinator.domain.briefs import Brief
from coordinator.domain.context import AgentContext
from coordinator.domain.errors import Invalid
from coordinator.domain.model import Target
from coordinator.domain.money import micros
from coordinator.domain.team import Team, agent
from coordinator.domain.tool import tool
from coordinator.models.keys import ANTHROPIC, COMPATIBLE, GOOGLE, OPENAI, RESPONSES, Vendor, base_url_of
from coordinator.settings import Settings

VENDORS = {vendor.name: vendor for vendor in (OPENAI, RESPONSES, ANTHROPIC, GOOGLE)}
PATIENCE_S = 3.0


def network(settings: Settings, routes: Routes) -> Iterator[Check]:
    """Yield for every provider of *routes* whether it has a key and can be reached; no key is sent."""
    found = dict.fromkeys(target for targets in routes.values() for target in targets if target.provider not in FREE)
    for provider in dict.fromkeys(target.provider for target in found):
        if provider in VENDORS:
            yield _key(VENDORS[provider], settings)
    try:
        addresses = {_address(target, settings): target.provider for target in found}
    except Invalid as error:
        yield wrong("network", error)
        return
    addresses.pop("", None)  # an adapter of the user's own
    yield from asyncio.run(_reach(addresses))
    if not found and not any(_is_remote(chosen) for chosen in settings.models.values()):
        yield Check("network", "ok", "none is needed: no model is a provider's")


def _is_remote(chosen: str | list[str]) -> bool:
    models = [chosen] if isinstance(chosen, str) else chosen
    return any(model.partition(":")[0] not in FREE for model in models)


def _setting(provider: str, settings: Settings) -> ProviderSetting:
    return settings.providers.get(SETTINGS_OF.get(provider, provider), ProviderSetting())


def _key(vendor: Vendor, settings: Settings) -> Check:
    given = _setting(vendor.name, settings).api_key is not None
    name = next((name for name in vendor.key_variables if os.environ.get(name, "").strip()), "")
    return Check("keys", "ok", f"{vendor.name}: {'in the settings' if given else f'{name} is set'}")


def _address(target: Target, settings: Settings) -> str:
    """Return the base URL of *target*; "" when it is nobody's that is known here."""
    given = _setting(target.provider, settings).base_url
    vendor = VENDORS.get(target.provider)
    if vendor is not None:
        return base_url_of(vendor, given)
    _, at, rest = target.model.partition("@http")
    return base_url_of(COMPATIBLE, f"http{rest}") if at else (given or "")


async def _reach(addresses: dict[str, str]) -> Sequence[Check]:
    return await asyncio.gather(*(_connect(url, provider) for url, provider in addresses.items()))


async def _connect(url: str, provider: str) -> Check:
    """Open and close one connection to the server of *url*, through the proxy where one is set."""
    there = urlsplit(url)
    proxy = _proxy(there.scheme, there.hostname or "")
    place = urlsplit(proxy) if proxy else there
    secure = place.scheme == "https"
    try:
        host, port = place.hostname or "", place.port or (443 if secure else 80)
    except ValueError:
        fix = "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY"
        return Check("network", "wrong", f"{provider}: the proxy that the environment names has no port", fix)
    name = f"{provider}: {there.hostname}{f' through the proxy {host}:{port}' if proxy else ''}"
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_S):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context() if secure else None)
    except TimeoutError:
        return Check("network", "wrong", f"{name} did not answer within {PATIENCE_S:g} s", _hint(provider, proxy))
    except ssl.SSLCertVerificationError as error:
        fix = "trust its authority by the variable SSL_CERT_FILE, or correct the base URL"
        return Check("network", "wrong", f"{name} has a certificate that is not trusted: {error.verify_message}", fix)
    except ssl.SSLError as error:
        fix = "check whether the base URL begins with the right one of http and https"
        return Check("network", "wrong", f"{name} does not speak TLS: {error.reason}", fix)
    except socket.gaierror:
        return Check("network", "wrong", f"{name}: there is no such host", _hint(provider, proxy))
    except OSError as error:
        said = error.strerror or "it closed the connection"
        return Check("network", "wrong", f"{name}, port {port}: {said}", _hint(provider, proxy))
    writer.close()
    return Check("network", "ok", f"{name} was reached in {duration(time.monotonic() - began)}")


def _proxy(scheme: str, host: str) -> str:
    proxies = getproxies()
    proxy = "" if proxy_bypass(host) else proxies.get(scheme, "") or proxies.get("all", "")
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _hint(provider: str, proxy: str) -> str:
    if proxy:
        return "check the proxy, or name the host in NO_PROXY"
    vendor = VENDORS.get(provider)
    return f"check the network and {vendor.url_variable}" if vendor is not None else "check that the server runs"


def answers(settings: Settings, routes: Routes) -> Iterator[Check]:
    """Yield for every model of *routes* whether it answers a question: this sends keys, and costs a little."""
    for target in dict.fromkeys(target for targets in routes.values() for target in targets):
        yield asyncio.run(_ask(settings, str(target)))


@tool()
async def look_up_word() -> str:
    """Looks up the word of the day."""
    return "lighthouse"


class Word(BaseModel):
    """What the model is asked for."""

    word: str = Field(description="The word of the day.")


async def _ask(settings: Settings, model: str) -> Check:
    """Have *model* do what every agent needs of it: see a tool, and write a typed answer."""

    @agent(model=model, tools=[look_up_word], max_turns=3, max_output_tokens=1024)
    async def asker(brief: Brief, ctx: AgentContext) -> Word:
        """Asks for one word."""
        return await ctx.solve(brief, instructions="Look the word up, and answer with it.", output=Word)

    try:
        async with Coordinator(Team(asker), settings, world={}) as opened:
            result = await opened.run("What is the word of the day?")
    except Invalid as error:
        return wrong("answers", error)
    if result.output is not None:
        spent = money(micros(result.cost_usd))
        return Check("answers", "ok", f"{model} answered in {duration(result.duration_s)} for {spent}")
    said = "; ".join(issue.message for issue in result.issues) or result.code
    return Check("answers", "wrong", f"{model}: {said}", "look for the code in docs/outcomes.md: " + result.code)
