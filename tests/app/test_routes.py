"""Which model answers for whom: a name that means nothing is told, and told of the right one."""

import pytest

from coordinator import AgentContext, Brief, Coordinator, Invalid, Settings, Team, agent
from coordinator.app.providers import Adapters
from coordinator.models.scripted import ScriptedModel


def opened(model: str = "small", **models: object) -> Coordinator:
    @agent(model=model)
    async def boss(brief: Brief, ctx: AgentContext) -> str:
        """Says nothing."""
        return ""

    return Coordinator(Team(boss), Settings(world={}, models=models))


def test_model_class_that_does_not_exist_is_told_with_its_agent() -> None:
    with pytest.raises(Invalid) as caught:
        opened("medium")
    assert caught.value.message.startswith("agent boss uses 'medium', which is neither a model class nor a model")
    assert "large, small" in caught.value.hint


def test_class_that_looks_misspelt_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        opened(smal="offline")
    assert (caught.value.code, caught.value.hint) == ("bad_settings", "did you mean small?")
    assert "no agent of the team uses the model class 'smal'" in caught.value.message


def test_class_of_another_team_is_no_slip() -> None:
    assert set(opened(huge="offline").held.routes) >= {"small", "huge"}
    assert str(opened("smaller", smaller="offline").held.routes["smaller"][0]) == "offline:offline"
    assert str(opened(small="offline:offline", smaller="offline").held.routes["small"][0]) == "offline:offline"


@pytest.mark.parametrize("first", [[], ["offline"]])
def test_offline_model_has_no_others_to_name(first: list[str]) -> None:
    adapters = Adapters({})
    for name in first:
        adapters.target(name)
    with pytest.raises(Invalid) as caught:
        adapters.target("offline:foo")
    assert caught.value.code == "unknown_model"
    assert "offline:foo" in caught.value.message


def test_offline_model_may_be_called_as_results_call_it() -> None:
    assert str(Adapters({}).target("offline")) == str(Adapters({}).target("offline:offline")) == "offline:offline"


def test_model_given_in_code_may_have_any_names() -> None:
    assert str(Adapters({"offline": ScriptedModel([])}).target("offline:foo")) == "offline:foo"
