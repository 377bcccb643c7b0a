"""Keys and addresses of providers: from settings, else from the usual environment variables."""

import os
import re
from urllib.parse import urlsplit

from coordinator.domain.errors import Invalid
from coordinator.domain.value import value


@value
class Vendor:
    """Who sells models, and which environment variables say how to reach them."""

    name: str
    """As users write it before the colon."""
    url: str = ""
    """The address of its service, where nobody says otherwise."""
    url_variable: str = ""
    key_variables: tuple[str, ...] = ()
    """The first that is set holds the key."""
    needs_key: bool = True


OPENAI = Vendor("openai", "https://api.openai.com/v1", "OPENAI_BASE_URL", ("OPENAI_API_KEY",))
RESPONSES = Vendor("openai-responses", OPENAI.url, OPENAI.url_variable, OPENAI.key_variables)
ANTHROPIC = Vendor("anthropic", "https://api.anthropic.com", "ANTHROPIC_BASE_URL", ("ANTHROPIC_API_KEY",))
GOOGLE = Vendor(
    "google", "https://generativelanguage.googleapis.com", "GOOGLE_GEMINI_BASE_URL",
    ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
)  # fmt: skip
# It never gets the key of OpenAI: its address may be anybody's.
COMPATIBLE = Vendor("compatible", key_variables=("COMPATIBLE_API_KEY",), needs_key=False)

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
_KEY = re.compile(r"[!-~]+")


def key_of(vendor: Vendor, given: str | None) -> str:
    """Return the key for *vendor*: the one *given*, else that of the environment; empty where none is needed.

    Raises:
        Invalid: `missing_key`, naming the variable; `bad_key`, when it holds what no key has.
    """
    found = next((text for name in vendor.key_variables if (text := os.environ.get(name, "").strip())), "")
    key = given.strip() if given is not None else found
    if not key and vendor.needs_key:
        raise Invalid(
            f"there is no key for {vendor.name}: {' or '.join(vendor.key_variables)} is not set", code="missing_key",
            hint=f"set {vendor.key_variables[0]}, or run without a key by --model offline",
        )  # fmt: skip
    if key and not _KEY.fullmatch(key):
        raise Invalid(
            f"the key for {vendor.name} holds spaces or signs that no key has", code="bad_key",
            hint=f"copy it into {vendor.key_variables[0]} again",
        )  # fmt: skip
    return key


def base_url_of(vendor: Vendor, given: str | None) -> str:
    """Return the address of *vendor*, without a slash at its end: the one *given*, else the environment's or its own.

    Raises:
        Invalid: `bad_base_url`, naming the variable.
    """
    url = (given or os.environ.get(vendor.url_variable, "").strip() or vendor.url).rstrip("/")
    if not _URL.fullmatch(url) or not _has_port(url):
        raise Invalid(
            f"the base URL of {vendor.name} is no address of a server", code="bad_base_url",
            hint=f"write {vendor.url_variable or 'it'} as {vendor.url or 'http://localhost:8000/v1'}, without user,"
            " password, query or fragment",
        )  # fmt: skip
    return url


def _has_port(url: str) -> bool:
    """Say whether the port of *url*, where it names one, is one that a server can have."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
