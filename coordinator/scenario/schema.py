"""The JSON Schema of scenario files, and what it knows about names."""

from collections.abc import Iterator, Mapping
from typing import Any

from coordinator.scenario.document import Place
from coordinator.scenario.file import ScenarioFile
from coordinator.settings import Settings

Schema = Mapping[str, Any]


def json_schema() -> dict[str, Any]:
    """Return the published JSON Schema of scenario files, settings included."""
    schema = ScenarioFile.model_json_schema()
    settings = Settings.model_json_schema()
    schema["$defs"].update(settings.pop("$defs", {}))
    settings["description"] = schema["properties"]["settings"]["description"]
    schema["$defs"]["Settings"] = settings
    schema["properties"]["settings"] = {"$ref": "#/$defs/Settings"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Coordinator scenario"}


def names_at(schema: Schema, place: Place) -> list[str]:
    """Return the keys that *schema* knows for the mapping at *place*."""
    shapes = [schema]
    for part in place:
        shapes = [inner for shape in shapes for plain in _plain(schema, shape) for inner in _inside(plain, part)]
    return [name for shape in shapes for plain in _plain(schema, shape) for name in plain.get("properties", {})]


def _plain(root: Schema, shape: Schema) -> Iterator[Schema]:
    """Yield the alternatives of *shape*, with references followed."""
    if "$ref" in shape:
        yield from _plain(root, root["$defs"][shape["$ref"].rpartition("/")[2]])
    alternatives = [*shape.get("anyOf", ()), *shape.get("oneOf", ())]
    for alternative in alternatives:
        yield from _plain(root, alternative)
    if not alternatives:
        yield shape


def _inside(shape: Schema, part: str | int) -> Iterator[Schema]:
    if isinstance(part, int):
        if "items" in shape:
            yield shape["items"]
    elif part in shape.get("properties", {}):
        yield shape["properties"][part]
    elif isinstance(shape.get("additionalProperties"), Mapping):
        yield shape["additionalProperties"]
