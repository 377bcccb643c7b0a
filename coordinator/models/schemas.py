"""JSON Schemas as providers want them; what a provider does not know is left out, and checked by us afterwards."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coordinator.domain.errors import Invalid
from coordinator.domain.model import OutputSpec, Schema, ToolSpec

ANSWER = "final_answer"
"""The tool by which a typed answer is handed in, where tools are offered beside it."""

# What the strict mode of OpenAI takes (Structured Outputs, "Supported schemas"), and responseJsonSchema of Google.
_STRICT = frozenset(
    "type description enum const items properties anyOf $ref $defs minItems maxItems minimum maximum".split()
)
_GOOGLE = frozenset(
    "type title description enum items prefixItems properties required additionalProperties anyOf oneOf $ref $defs"
    " minItems maxItems minimum maximum format".split()
)
_BOUNDS = ("minItems", "maxItems", "minimum", "maximum")
MOST_UNIONS = 16
"""Unions in one schema above which Anthropic refuses it."""
_SCHEMAS = ("items", "additionalProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_TABLES = ("properties", "$defs")
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

Node = dict[str, Any]


class LooseError(Exception):
    """The schema says what the strict mode cannot."""


def strict(schema: Schema) -> Node | None:
    """Return *schema* for OpenAI's strict mode: every field required, none beside them; None when it cannot say so."""
    try:
        root = _walk(_rooted(schema), _strictly)
    except LooseError:
        return None
    return root if root.get("type") == "object" and "anyOf" not in root else None


def for_anthropic(schema: Schema) -> Node | None:
    """Return *schema* for structured outputs of Anthropic: as in the strict mode, without bounds but in words.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations

    None when it cannot say so: types that hold themselves, values that are no plain ones, too many unions.
    """
    root = strict(schema)
    if root is None:
        return None
    try:
        told = _walk(root, _boundless)
    except LooseError:
        return None
    unions = sum("anyOf" in node or isinstance(node.get("type"), list) for node in _nodes(told))
    return None if unions > MOST_UNIONS or _circular(told) else told


def for_google(schema: Schema) -> Node:
    """Return *schema* in the words that Google knows."""
    return _walk(_rooted(schema), _googly)


def answer_tool(output: OutputSpec) -> ToolSpec:
    """Return the tool by which an answer of the type *output* is handed in."""
    told = "Hand in the final answer. Call this alone, once nothing else is needed; its arguments are the answer."
    return ToolSpec.of(ANSWER, told, _rooted(output.schema))


def check_names(tools: tuple[ToolSpec, ...]) -> None:
    """Check that no tool has the name of the one that takes the answer.

    Raises:
        Invalid: `bad_tool`.
    """
    if any(tool.name == ANSWER for tool in tools):
        raise Invalid(
            f"a tool is named {ANSWER}, as the one that takes typed answers", code="bad_tool", hint="rename it"
        )


def plain_name(name: str) -> str:
    """Return the name of a schema in the signs that all providers take."""
    return re.sub(r"[^\w-]", "_", name, flags=re.ASCII)[:64] or "answer"


def _rooted(schema: Schema) -> Node:
    """Return *schema* with an object at its root, where a type that holds itself has a reference."""
    root, place = dict(schema), str(schema.get("$ref", ""))
    if place.startswith("#/$defs/"):
        del root["$ref"]
        return {**root, **schema["$defs"][place.removeprefix("#/$defs/")]}
    return root


def _walk(node: Mapping[str, Any], change: Callable[[Node], Node]) -> Node:
    """Return what *change* makes of *node*, after all schemas in it."""
    changed: Node = {}
    for name, held in node.items():
        if name in _TABLES and isinstance(held, Mapping):
            changed[name] = {key: _walk(inner, change) for key, inner in held.items()}
        elif name in _LISTS and isinstance(held, list):
            changed[name] = [_walk(inner, change) for inner in held]
        elif name in _SCHEMAS and isinstance(held, Mapping):
            changed[name] = _walk(held, change)
        else:
            changed[name] = held
    return change(changed)


def _strictly(node: Node) -> Node:
    if "$ref" in node:
        return {"$ref": node["$ref"], **({"$defs": node["$defs"]} if "$defs" in node else {})}
    one = node.get("allOf", [])
    if one:
        if len(one) > 1:
            raise LooseError
        return dict(one[0])
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    kept = {name: held for name, held in node.items() if name in _STRICT}
    values = [kept["const"]] if "const" in kept else kept.get("enum", [])
    kinds = {_TYPES.get(type(one)) for one in values}
    if "type" not in kept and len(kinds) == 1:
        kept["type"] = kinds.pop()
    if not {"type", "anyOf"} & kept.keys() or "prefixItems" in node:
        raise LooseError
    if kept.get("type") == "object":
        if node.get("additionalProperties") or "properties" not in kept:
            raise LooseError
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    return kept


def _boundless(node: Node) -> Node:
    if any(isinstance(one, dict | list) for one in (*node.get("enum", ()), node.get("const"))):
        raise LooseError
    bounds = ", ".join(f"{name} {node[name]}" for name in _BOUNDS if name in node)
    kept = {name: held for name, held in node.items() if name not in _BOUNDS}
    if bounds:
        kept["description"] = f"{node['description']} ({bounds})" if "description" in node else bounds
    return kept


def _nodes(held: Any) -> Iterator[Node]:
    """Yield every object in *held*, a schema or what stands in one."""
    if isinstance(held, dict):
        yield held
    for inner in held.values() if isinstance(held, dict) else held if isinstance(held, list) else ():
        yield from _nodes(inner)


def _circular(root: Node) -> bool:
    """Say whether a type in *root* holds itself."""
    held = {
        f"#/$defs/{name}": {node["$ref"] for node in _nodes(one) if isinstance(node.get("$ref"), str)}
        for name, one in root.get("$defs", {}).items()
    }
    while plain := [name for name, references in held.items() if not references & held.keys()]:
        for name in plain:
            del held[name]
    return bool(held) or any(node.get("$ref") == "#" for node in _nodes(root))


def _googly(node: Node) -> Node:
    if "$ref" in node:  # beside it nothing may stand that does not begin with a dollar sign
        return {name: held for name, held in node.items() if name.startswith("$")}
    one = node.get("allOf", [])
    if len(one) == 1:
        return dict(one[0])
    if "const" in node:
        node["enum"] = [node["const"]]
        node.setdefault("type", _TYPES.get(type(node["const"]), "string"))
    return {name: held for name, held in node.items() if name in _GOOGLE}
