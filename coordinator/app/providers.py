"""Which adapters there are, and the core of the model pipeline that hands calls to them."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from coordinator.domain.access import ProviderSetting
from coordinator.domain.calls import ModelCall
from coordinator.domain.errors import Fault, Invalid, Reached
from coordinator.domain.model import Model, ModelReply, Target
from coordinator.domain.ports import Stamp
from coordinator.domain.value import changed
from coordinator.models.reasoning import room
from coordinator.settings import Settings

# Imported on first use, so that nobody pays for a provider that is not used.
PROVIDERS = {
    "offline": "coordinator.models.offline:OfflineModel",
    "openai": "coordinator.models.openai_chat:OpenAIChat",
    "openai-responses": "coordinator.models.openai_responses:OpenAIResponses",
    "anthropic": "coordinator.models.anthropic:Anthropic",
    "google": "coordinator.models.google:Google",
    "compatible": "coordinator.models.compatible:Compatible",
}
SINGLE = frozenset({"offline"})
"""Shipped providers with one model, which has their name."""
REMOTE = PROVIDERS.keys() - SINGLE
"""Shipped providers that are reached over the network, with keys, addresses and published prices."""
SETTINGS_OF = {"openai-responses": "openai"}
"""Providers that are set up under the name of another."""
EXTRA = frozenset({"httpx", "httpx_aiohttp", "aiohttp", "genai_prices"})
"""What the extra `providers` installs."""

Headers = Callable[[], Mapping[str, str]]


class Adapters:
    """The core of the model pipeline: hands each call to the adapter of its provider.

    Args:
        adapters: given in code, by provider name, beside those that ship.
        settings: keys, addresses and options of providers.
        stamp: the clock by which those that ship understand dates.
        headers: gives headers that their requests carry, such as `traceparent`.

    Raises:
        Invalid: `bad_settings`, when they set up a provider that does not exist.
    """

    def __init__(
        self,
        adapters: dict[str, Model],
        settings: Settings | None = None,
        stamp: Stamp | None = None,
        headers: Headers | None = None,
    ) -> None:
        self._adapters = adapters
        self._given = frozenset(adapters)
        self._settings = settings.providers if settings else {}
        self._stamp = stamp
        self._headers = headers
        self._http: Any = None
        for name in self._settings.keys() - REMOTE - self._given:
            near = get_close_matches(name, sorted(REMOTE), n=1)
            raise Invalid(
                f"setting providers.{name} names no provider", code="bad_settings",
                hint=f"did you mean {near[0]}?" if near else f"providers: {', '.join(sorted(REMOTE))}",
            )  # fmt: skip

    async def __call__(self, call: ModelCall) -> ModelReply:
        target = call.target
        if target is None:
            raise Invalid(f"no route was chosen for {call.step}", code="unknown_model")
        # An adapter may come from outside: what it answers is checked here, where the money is still held.
        adapter: Any = self._adapters[target.provider]
        answered = await adapter(target.model, call.request)
        if not isinstance(answered, ModelReply) or not answered.usage.plausible:
            raise Fault(
                f"the adapter of {target} answered {type(answered).__name__} without a usable reply or usage",
                reached=Reached.YES, transient=False, code="bad_reply", hint="correct the adapter",
            )  # fmt: skip
        # What a call costs is the Budget's to say, also of a model without a price.
        reply = changed(answered, cost=0) if answered.cost else answered
        call.scope.run.model = reply.model
        return reply

    async def close(self) -> None:
        """Close the HTTP client that the adapters of this coordinator share, if one was opened."""
        if self._http is not None:
            await self._http.close()

    def target(self, name: str) -> Target:
        """Return the target that *name* ("offline", "openai:gpt-…") means, with its adapter made ready.

        Raises:
            Invalid: `unknown_model`, `missing_key`, `missing_extra`, or an address that is none.
        """
        provider, _, model = name.partition(":")
        if provider in SINGLE and provider not in self._given and model not in ("", provider):
            raise Invalid(
                f"there is no model {name!r}: {provider} is one model, without others to name",
                code="unknown_model", hint=f"write {provider}",
            )  # fmt: skip
        if provider in REMOTE and not model:
            raise Invalid(
                f"{name!r} names a provider and no model", code="unknown_model", hint=f"write {provider}:MODEL"
            )
        if provider not in self._adapters:
            self._adapters[provider] = self._adapter(provider, name)
        if provider == "compatible" and provider not in self._given:
            compatible: Any = self._adapters[provider]
            compatible.check(model)
        return Target(provider, model or provider, self._room(provider, model))

    def _room(self, provider: str, model: str) -> int:
        """Return the tokens for thoughts: those of the settings, else what is known of the model."""
        setting = self._setting(provider)
        return room(provider, model, setting.options) if setting.reasoning_tokens is None else setting.reasoning_tokens

    def _setting(self, provider: str) -> ProviderSetting:
        return self._settings.get(SETTINGS_OF.get(provider, provider), ProviderSetting())

    def _adapter(self, provider: str, name: str) -> Model:
        if provider not in PROVIDERS:
            known = ", ".join([*PROVIDERS, "scripted"])
            raise Invalid(
                f"there is no model {name!r}: no provider is named {provider!r}",
                code="unknown_model", hint=f"providers: {known}; `offline` always works",
            )  # fmt: skip
        module, _, attribute = PROVIDERS[provider].partition(":")
        if provider not in REMOTE:
            offline: Model = getattr(importlib.import_module(module), attribute)()
            return offline
        with needing_extra(provider):
            kind: Any = getattr(importlib.import_module(module), attribute)
            if self._http is None:
                self._http = importlib.import_module("coordinator.models.http").Http(headers=self._headers)
        adapter: Model = kind(client=self._http, stamp=self._stamp, **self._setting(provider).given())
        return adapter


@contextmanager
def needing_extra(provider: str) -> Iterator[None]:
    """Say how to install what is missing, when something of the extra `providers` is imported and not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise Invalid(
            f"models of {provider} need packages that are not installed ({error.name})", code="missing_extra",
            hint="pip install 'agent-coordinator[providers]', or run with --model offline",
        ) from None  # fmt: skip
