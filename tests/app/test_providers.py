"""The shipped providers as a Coordinator sets them up: keys, addresses, prices, and what is told of what is missing."""

import builtins
import sys
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Invalid, Settings, Team, agent
from coordinator.app.providers import PROVIDERS, REMOTE, Adapters
from coordinator.domain.money import Usage
from coordinator.models.scripted import ScriptedModel, ScriptedReply
from coordinator.settings import load_settings

KEYS = {
    "openai": "OPENAI_API_KEY", "openai-responses": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY",
    "google": "GEMINI_API_KEY",
}  # fmt: skip
MODELS = {
    "openai": "gpt-5-mini", "openai-responses": "gpt-5-mini", "anthropic": "claude-haiku-4-5",
    "google": "gemini-2.5-flash", "compatible": "llama-3.3-70b-versatile@https://api.groq.com/openai/v1",
}  # fmt: skip
LOCAL = "compatible:llama3.2@http://localhost:11434/v1"
FREE = {"compatible:*": {"input": 0, "output": 0}}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in (*KEYS.values(), "GOOGLE_API_KEY", "COMPATIBLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@agent(model="small")
async def boss(brief: Brief, ctx: AgentContext) -> str:
    """Passes the question on."""
    return str(await ctx.ask(brief.request))


def opened(model: str, adapters: dict[str, Any] | None = None, **more: Any) -> Coordinator:
    return Coordinator(Team(boss), Settings(world={}, models={"small": model}, **more), models=adapters)


def refusal(model: str, **more: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        opened(model, **more)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("provider", KEYS)
def test_a_missing_key_is_told_before_anything_starts(provider):
    error = refusal(f"{provider}:{MODELS[provider]}")
    assert error.code == "missing_key"
    assert KEYS[provider] in str(error)
    assert "--model offline" in str(error)


@pytest.mark.parametrize("provider", MODELS)
def test_every_provider_opens_with_its_key_and_has_a_published_price(provider, monkeypatch):
    if provider in KEYS:
        monkeypatch.setenv(KEYS[provider], "test-key")
    coordinator = opened(f"{provider}:{MODELS[provider]}")
    assert "test-key" not in repr(coordinator.settings)


def test_a_key_in_the_settings_goes_before_the_environment_and_is_never_shown(monkeypatch):
    monkeypatch.setenv("COORDINATOR_PROVIDERS__OPENAI__API_KEY", "test-key")
    settings = Settings(world={}, models={"small": "openai-responses:gpt-5-mini"})
    Coordinator(Team(boss), settings)
    assert "test-key" not in f"{settings!r} {settings} {settings.providers}"


@pytest.mark.parametrize("wrong", ['{"openai": "test-key"}', '{"openai": {"api_kee": "test-key"}}'])
def test_a_wrong_setting_of_a_provider_does_not_show_its_key(wrong, monkeypatch, tmp_path):
    monkeypatch.setenv("COORDINATOR_PROVIDERS", wrong)
    with pytest.raises(Invalid) as caught:
        load_settings(tmp_path)
    assert caught.value.code == "bad_settings"
    assert "test-key" not in str(caught.value)


def test_a_provider_that_does_not_exist_cannot_be_set_up():
    error = refusal("offline", providers={"opnai": {"base_url": "http://h/v1"}})
    assert (error.code, error.hint) == ("bad_settings", "did you mean openai?")


@pytest.mark.parametrize("model", ["openai", "openai:", "compatible", "compatible:llama3.2"])
def test_a_provider_without_a_model_is_told_how_to_name_one(model, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    assert refusal(model).code == "unknown_model"


def test_a_model_without_a_price_is_told_before_anything_starts(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    error = refusal("openai:no-such-model")
    assert error.code == "unknown_price"
    assert "openai:no-such-model" in str(error)
    assert "prices" in error.hint


def test_a_model_of_ones_own_may_be_free():
    assert "COORDINATOR_PRICES" in refusal(LOCAL).hint
    opened(LOCAL, prices=FREE)


def test_a_model_that_no_agent_uses_needs_no_price():
    settings = Settings(world={}, models={"small": "offline", "large": LOCAL})
    assert "large" in Coordinator(Team(boss), settings).held.routes


def test_a_price_in_the_settings_goes_before_the_published_one(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    coordinator = opened("openai:gpt-5-mini", prices={"openai:*": {"input": 7, "output": 7}})
    assert coordinator.held.prices._prices["openai:gpt-5-mini"].input == 7_000_000


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("openai:gpt-5-mini", {"service_tier": "priority"}, "service_tier = priority"),
        ("openai-responses:gpt-5-mini", {"service_tier": "flex"}, "service_tier = flex"),
        ("anthropic:claude-opus-4-8", {"speed": "fast"}, "speed = fast"),
        ("anthropic:claude-opus-4-8", {"inference_geo": "us"}, "inference_geo = us"),
        ("google:gemini-2.5-flash", {"serviceTier": "PRIORITY"}, "serviceTier = PRIORITY"),
    ],
)
def test_calls_that_are_not_billed_as_published_need_a_price_in_the_settings(model, options, told, monkeypatch):
    name = model.partition(":")[0]
    monkeypatch.setenv(KEYS[name], "test-key")
    providers = {name.partition("-")[0]: {"options": options}}
    with pytest.raises(Invalid) as caught:
        opened(model, providers=providers)
    assert (caught.value.code, told in str(caught.value)) == ("unknown_price", True)
    assert f'prices."{model}"' in caught.value.hint
    assert opened(model, providers=providers, prices={model: {"input": 7, "output": 7}})


@pytest.mark.parametrize("options", [{"service_tier": "auto"}, {"service_tier": "standard_only"}, {"speed": None}])
def test_options_that_change_no_price_need_none(options, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    assert opened("anthropic:claude-opus-4-8", providers={"anthropic": {"options": options}})


HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
OWN = {"input": 3, "output": 15}


@pytest.mark.parametrize(
    ("options", "prices", "written"),
    [
        ({}, None, 1.25), (HOUR, None, 2), ({}, OWN, 1.25), (HOUR, OWN, 2), ({"cache_control": None}, OWN, 1),
        (HOUR, OWN | {"cache_write": 5}, 5 / 3),
    ],
)  # fmt: skip
def test_what_a_prompt_costs_that_is_kept_is_billed_and_held(options, prices, written, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    name = "anthropic:claude-haiku-4-5"
    given = {"prices": {"anthropic:*": prices}} if prices else {}
    held = opened(name, providers={"anthropic": {"options": options}}, **given).held.prices._prices[name]
    used = Usage(1_000_000, 0, cache_write_tokens=1_000_000)
    assert held.cost(used) == round(held.input * written) <= held.bound(1_000_000, 0)


async def test_an_adapter_given_in_code_takes_the_place_of_the_shipped_one():
    script = ScriptedModel([ScriptedReply(text="hello")])
    async with opened("openai:gpt-5-mini", {"openai": script}) as coordinator:
        assert (await coordinator.run("hi")).text == "hello"


@pytest.mark.parametrize("missing", ["httpx", "httpx_aiohttp", "aiohttp", "genai_prices"])
def test_a_missing_extra_is_told_with_the_command_that_installs_it(missing, monkeypatch):
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **more)

    for name in list(sys.modules):
        if name.startswith(("coordinator.models.", missing)) and "offline" not in name and "scripted" not in name:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    error = refusal("openai:gpt-5-mini")
    assert error.code == "missing_extra"
    assert "pip install 'agent-coordinator[providers]'" in str(error)


def test_every_shipped_provider_says_where_its_adapter_is():
    assert PROVIDERS.keys() == REMOTE | {"offline"}
    adapters = Adapters({}, Settings(world={}, providers={"openai": {"api_key": "k"}, "google": {"api_key": "k"}}))
    assert str(adapters.target("google:gemini-2.5-flash")) == "google:gemini-2.5-flash"
