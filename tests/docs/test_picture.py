"""The picture of the house shows the house as it is."""

import tomllib
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent
from coordinator.pipelines import delegation_layers, model_layers, run_layers, tool_layers

ROOT = Path(__file__).parents[2]
ELEMENTS = "{http://www.w3.org/2000/svg}"
ONIONS = {"run": run_layers, "delegation": delegation_layers, "model": model_layers, "tool": tool_layers}


def drawn(group: str, kinds: set[str]) -> list[str]:
    """Return the texts of a group of the picture, in their order."""
    picture = Xml.parse(ROOT / "docs" / "house.svg").getroot()
    found = next(part for part in picture.iter(f"{ELEMENTS}g") if part.get("id") == group)
    return [text.text or "" for text in found.iter(f"{ELEMENTS}text") if text.get("class") in kinds]


@pytest.mark.parametrize("call", ONIONS)
def test_the_picture_shows_the_layers_in_their_order(call):
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return brief.request

    held = Coordinator(Team(manager), Settings(world={})).held
    assert drawn(call, {"layer"}) == [type(layer).__name__ for layer in ONIONS[call](held)]


def test_the_picture_shows_the_floors_in_their_order():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors = project["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [room.strip(" ()") for floor in floors for room in floor.split("|")]
    built = [room for room in rooms if room != "__main__" and list((ROOT / "coordinator").glob(f"{room}*"))]
    assert drawn("floors", {"name", "room"}) == built
