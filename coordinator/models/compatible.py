"""`compatible:NAME@URL`: servers that speak OpenAI's chat completions, such as vLLM, Ollama, llama.cpp and gateways."""

from typing import Any

from coordinator.domain.errors import Invalid
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.models.http import Http
from coordinator.models.openai_chat import CompatibleChat


class Compatible:
    """Hands each request to the server that its model names.

    Args:
        base_url: the server of models that name none.
        given: as for `CompatibleChat`.
    """

    __slots__ = ("_base_url", "_given", "_servers")

    def __init__(self, *, base_url: str | None = None, client: Any = None, **given: Any) -> None:
        self._base_url = base_url
        self._given = {"client": client if isinstance(client, Http) else Http(client), **given}
        self._servers: dict[str, tuple[CompatibleChat, str]] = {}

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        server, name = self._servers.get(model) or self.check(model)
        return await server(name, request)

    def check(self, model: str) -> tuple[CompatibleChat, str]:
        """Return the server of *model*, and the name that the server knows it by.

        Raises:
            Invalid: `unknown_model` or `bad_base_url`.
        """
        name, at, rest = model.partition("@http")
        url = f"http{rest}" if at else self._base_url
        if not name or not url:
            raise Invalid(
                f"compatible:{model} names no server", code="unknown_model",
                hint="write compatible:NAME@URL, such as compatible:llama3.2@http://localhost:11434/v1",
            )  # fmt: skip
        found = self._servers[model] = (CompatibleChat(base_url=url, **self._given), name)
        return found

    async def close(self) -> None:
        """Close the HTTP client, unless it came from outside."""
        await self._given["client"].close()
