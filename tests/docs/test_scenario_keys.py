"""Every key of a scenario file is documented."""

import re
from pathlib import Path

import pytest

from coordinator.models.scripted import ScriptedReply
from coordinator.scenario.file import Expectation, ScenarioFile
from coordinator.simulation.faults import FaultRule

DOCUMENT = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def keys(heading: str) -> set[str]:
    section = re.split(r"^## ", DOCUMENT.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (`.+?`) \| ", section, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(
    ("heading", "shape"),
    [("Keys", ScenarioFile), ("Expectations", Expectation), ("Faults", FaultRule), ("Scripts", ScriptedReply)],
)
def test_every_key_is_documented_and_nothing_else(heading, shape):
    assert keys(heading) == set(shape.model_fields)
