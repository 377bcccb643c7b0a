"""Which adapters there are, and the core of the model pipeline that hands calls to them."""

import importlib

from coordinator.domain.calls import ModelCall
from coordinator.domain.errors import Fault, Invalid, Reached
from coordinator.domain.model import Model, ModelReply, Target

# Imported on first use, so that nobody pays for a provider that is not used.
PROVIDERS = {"offline": "coordinator.models.offline:OfflineModel"}
SINGLE = frozenset({"offline"})
"""Shipped providers with one model, which has their name."""


class Adapters:
    """The core of the model pipeline: hands each call to the adapter of its provider.

    Args:
        adapters: given in code, by provider name, beside those that ship.
    """

    def __init__(self, adapters: dict[str, Model]) -> None:
        self._adapters = adapters
        self._given = frozenset(adapters)

    async def __call__(self, call: ModelCall) -> ModelReply:
        target = call.target
        if target is None:
            raise Invalid(f"no route was chosen for {call.step}", code="unknown_model")
        reply = await self._adapters[target.provider](target.model, call.request)
        # An adapter may come from outside: what it answers is checked here, where the money is still held.
        if not isinstance(reply, ModelReply) or reply.usage.input_tokens < 0 or reply.usage.output_tokens < 0:
            raise Fault(
                f"the adapter of {target} answered {type(reply).__name__} without a usable reply or usage",
                reached=Reached.YES, transient=False, code="bad_reply", hint="correct the adapter",
            )  # fmt: skip
        call.scope.run.model = reply.model
        return reply

    def target(self, name: str) -> Target:
        """Return the target that *name* ("offline", "openai:gpt-…") means, with its adapter made ready.

        Raises:
            Invalid: `unknown_model`.
        """
        provider, _, model = name.partition(":")
        if provider in SINGLE and provider not in self._given and model not in ("", provider):
            raise Invalid(
                f"there is no model {name!r}: {provider} is one model, without others to name",
                code="unknown_model", hint=f"write {provider}",
            )  # fmt: skip
        if provider not in self._adapters:
            self._adapters[provider] = _adapter(provider, name)
        return Target(provider, model or provider)


def _adapter(provider: str, name: str) -> Model:
    if provider not in PROVIDERS:
        known = ", ".join([*PROVIDERS, "scripted"])
        raise Invalid(
            f"there is no model {name!r}: no provider is named {provider!r}",
            code="unknown_model", hint=f"providers: {known}; `offline` always works",
        )  # fmt: skip
    module, _, attribute = PROVIDERS[provider].partition(":")
    adapter: Model = getattr(importlib.import_module(module), attribute)()
    return adapter
