"""Real adapters in front of fake providers, with nothing but a function call between them."""

from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

import httpx
import pytest

from coordinator.domain.model import ModelReply
from coordinator.models.anthropic import Anthropic
from coordinator.models.fake.answers import Question
from coordinator.models.fake.protocols import PROTOCOLS
from coordinator.models.fake.provider import Conduct, Provider
from coordinator.models.google import Google
from coordinator.models.openai_chat import CompatibleChat, OpenAIChat
from coordinator.models.openai_responses import OpenAIResponses
from coordinator.simulation.chance import Dice

ADAPTERS = {
    "openai": OpenAIChat, "openai-responses": OpenAIResponses, "compatible": CompatibleChat, "anthropic": Anthropic,
    "google": Google,
}  # fmt: skip
SPEAKS = {"openai-responses": "openai", "compatible": "openai"}
NOW = 1_800_000_000.0


class Wired(httpx.AsyncBaseTransport):
    """Hands every request to a provider, and its answer back."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.questions: list[Question] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): text for name, text in request.headers.items()}
        query = dict(parse_qsl(request.url.query.decode()))
        path = request.url.raw_path.decode()
        self.questions.append(Question(request.method, path, headers, query, await request.aread()))
        answer = await self.provider(self.questions[-1])
        told = {"content-type": answer.kind, **answer.headers}
        return httpx.Response(answer.status, headers=told, content=b"".join(answer.parts))


class Pair:
    """An adapter and the provider that it speaks with; *reply* is what the provider's model says to everything."""

    def __init__(self, name: str, reply: ModelReply | None = None, words=None, seed: int = 1, **conduct) -> None:
        self.asked = []
        self.reply = reply
        protocol = PROTOCOLS[SPEAKS.get(name, name)]
        dice = Dice(seed).stream("fake")
        self.provider = Provider(protocol, words or self._say, Conduct(**conduct), dice, lambda: NOW)
        self.wired = Wired(self.provider)
        client = httpx.AsyncClient(transport=self.wired)
        url = f"http://fake{protocol.base}"
        self.adapter = ADAPTERS[name](key="sk-any-key-1", base_url=url, client=client, stamp=lambda: NOW)

    async def _say(self, model, request):
        self.asked.append(request)
        return self.reply

    async def __call__(self, request, model="m-1"):
        return await self.adapter(model, request)

    async def post(self, body: bytes, path: str | None = None, **headers: str):
        """Send *body* as it is."""
        path = path or self.provider.protocol.base + self.adapter.path("m-1")
        given = {"anthropic-version": "2023-06-01", **{key.replace("_", "-"): text for key, text in headers.items()}}
        return await self.provider(Question("POST", path, given, {}, body))


@pytest.fixture(params=sorted(ADAPTERS))
def name(request) -> str:
    return request.param


@pytest.fixture
def pair(name) -> Callable[..., Pair]:
    return lambda *given, **more: Pair(name, *given, **more)


@pytest.fixture(scope="session")
def pairs() -> dict[str, Callable[..., Pair]]:
    """By the name of the adapter."""
    return {name: partial(Pair, name) for name in ADAPTERS}
