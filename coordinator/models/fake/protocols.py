"""Which protocols there are, where each listens, and how clients are told."""

from collections.abc import Mapping

from coordinator.domain.value import value
from coordinator.models.fake.anthropic import AnthropicWire
from coordinator.models.fake.google import GoogleWire
from coordinator.models.fake.openai_chat import ChatWire
from coordinator.models.fake.openai_responses import ResponsesWire
from coordinator.models.fake.wire import Wire

_GOOGLE = GoogleWire()


@value
class Protocol:
    """What one provider speaks.

    *base* is the path of its base URL, *wires* are by the path below the host, *list* is the path of its models.
    """

    name: str
    base: str
    providers: tuple[str, ...]
    """Its names before the colon of a model."""
    wires: Mapping[str, Wire]
    list: str
    most_bytes: int = 32 * 1024 * 1024

    @property
    def first(self) -> Wire:
        """The wire that speaks where the path says nothing."""
        return next(iter(self.wires.values()))

    @property
    def url_variable(self) -> str:
        """The environment variable of its base URL."""
        return self.first.vendor.url_variable

    @property
    def key_variable(self) -> str:
        """The environment variable of its key."""
        return self.first.vendor.key_variables[0]

    def wire(self, path: str) -> Wire | None:
        """Return who speaks at *path*; None: nobody."""
        found = self.wires.get(path)
        if found is None and path.startswith(f"{self.list}/"):
            found = self.wires.get(path.rpartition(":")[2])
        return found


PROTOCOLS = {
    "openai": Protocol(
        "openai", "/v1", ("openai", "openai-responses", "compatible"),
        {"/v1/chat/completions": ChatWire(), "/v1/responses": ResponsesWire()}, "/v1/models",
    ),
    "anthropic": Protocol("anthropic", "", ("anthropic",), {"/v1/messages": AnthropicWire()}, "/v1/models"),
    "google": Protocol(
        "google", "", ("google",), {"generateContent": _GOOGLE, "streamGenerateContent": _GOOGLE}, "/v1beta/models"
    ),
}  # fmt: skip
