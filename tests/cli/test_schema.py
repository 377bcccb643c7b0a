"""`coordinator schema` and `coordinator tools`: what may be written, and what may be called."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from coordinator.scenario.file import ScenarioFile
from coordinator.settings import Settings

Said = tuple[int, str, str]
Command = Callable[..., Said]


@pytest.fixture
def schema(command: Command) -> dict[str, Any]:
    code, out, err = command("schema")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_schema_describes_every_key_of_a_scenario(schema: dict[str, Any]) -> None:
    assert set(schema["properties"]) == set(ScenarioFile.model_fields)
    described = [
        name for name, shape in schema["properties"].items() if "description" in shape or "$ref" in shape
    ]  # fmt: skip
    assert set(described) == set(ScenarioFile.model_fields)
    assert schema["required"] == ["task"]
    assert schema["additionalProperties"] is False


def test_schema_knows_every_setting(schema: dict[str, Any]) -> None:
    assert schema["properties"]["settings"] == {"$ref": "#/$defs/Settings"}
    assert set(schema["$defs"]["Settings"]["properties"]) == set(Settings.model_fields)


def test_every_reference_of_the_schema_leads_somewhere(schema: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, list):
            return [found for item in node for found in references(item)]
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for item in node.values() for found in references(item)]
        return []

    found = references(schema)
    assert found
    assert all(reference.removeprefix("#/$defs/") in schema["$defs"] for reference in found)


def test_contract_of_every_tool_is_told(command: Command) -> None:
    code, out, _ = command("tools")
    assert code == 0
    pay, take_note = out.strip().split("\n\n")
    assert pay.splitlines() == [
        "pay · version 1.0 · effect financial (needs a person) · 1 tier · timeout 30 s · $0.0100 a call",
        "  Pay money.",
        "    amount (integer)",
    ]
    assert take_note.splitlines()[0] == "take_note · version 1.0 · effect read · 2 tiers · timeout 30 s · free"
    assert "    when it is down: take_by_hand" in take_note


def test_team_may_be_named(command: Command) -> None:
    assert command("tools", "crew:team")[0] == 0
