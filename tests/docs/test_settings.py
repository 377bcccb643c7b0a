"""Every setting is documented with its default and in the words of its own description."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from coordinator.domain.access import ProviderSetting
from coordinator.domain.alarms import AlarmSetting
from coordinator.settings import (
    AdmissionSetting,
    BreakerSetting,
    CacheSetting,
    ModelPrice,
    Rate,
    RetrySetting,
    Settings,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[BaseModel]] = {
    "admission": AdmissionSetting, "retry": RetrySetting, "breaker": BreakerSetting, "cache": CacheSetting,
    "alarms": AlarmSetting,
    "rates.*": Rate, "prices.*": ModelPrice, "providers.*": ProviderSetting,
}  # fmt: skip


def documented() -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| `([\w.*]+)` \| (.+?) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    return {name: (default.strip("`"), told) for name, default, told in rows}


def existing() -> Iterator[tuple[str, Any]]:
    for name, field in Settings.model_fields.items():
        yield name, field
    for section, shape in SECTIONS.items():
        for name, field in shape.model_fields.items():
            yield f"{section}.{name}", field


def shown(default: Any) -> str:
    """Return a default as the document writes it."""
    if default is None:
        return "none"
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, float):
        return f"{default:g}"
    return str(default).replace("'", '"')


def test_every_setting_is_documented_and_nothing_else():
    assert list(documented()) == [name for name, _ in existing()]


@pytest.mark.parametrize(("name", "field"), list(existing()), ids=[name for name, _ in existing()])
def test_a_setting_is_documented_as_it_is(name, field):
    default, told = documented()[name]
    if default.startswith("see ["):
        assert default[5:].partition("]")[0] in ("sections", "prices")
    else:
        assert default == shown(field.default)
    described = field.description or getattr(field.annotation, "__doc__", "")
    if "." not in name:
        assert told == described
