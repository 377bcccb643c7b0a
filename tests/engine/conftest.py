"""Builders that the engine's tests share."""

from collections.abc import Callable

import pytest

from coordinator import Coordinator, Settings, Team
from coordinator.models.scripted import ScriptedModel, ScriptedReply

Desk = Callable[..., Coordinator]


@pytest.fixture
def desk() -> Desk:
    """Return a function that builds a coordinator of a manager, whose model plays the replies given."""

    def build(manager: object, *replies: dict[str, object], **more: object) -> Coordinator:
        script = ScriptedModel([ScriptedReply.model_validate(reply) for reply in replies])
        settings = Settings(**{"models": {"small": "scripted"}, "world": {}, **more})  # type: ignore[arg-type]
        team = manager if isinstance(manager, Team) else Team(manager)  # type: ignore[arg-type]
        return Coordinator(team, settings, models={"scripted": script})

    return build
