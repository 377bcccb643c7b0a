"""Typed answers as Anthropic takes them: https://platform.claude.com/docs/en/build-with-claude/structured-outputs."""

from collections.abc import Iterator, Sequence
from typing import Any

from coordinator.domain.model import OutputSpec, ToolSpec
from coordinator.models.fake.wire import Json, WireError, typed, typed_as
from coordinator.models.reasoning import forced as may_be_forced
from coordinator.models.reasoning import thinks
from coordinator.models.reasoning import typed as may_be_typed
from coordinator.models.schemas import ANSWER

REFUSED = frozenset("minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength maxItems".split())


def answer_of(told: Json, tools: Sequence[ToolSpec]) -> tuple[tuple[ToolSpec, ...], OutputSpec | None, str]:
    """Return the tools that act, the type of the answer, and the tool that takes it; empty where it comes as text.

    Raises:
        WireError: `bad_request`, where the model cannot do what is asked of it.
    """
    choice, model = told.get("tool_choice") or {}, told["model"]
    required = choice.get("type") in ("any", "tool")
    if required and not may_be_forced(model, told):
        why = f"tool_choice: {model} may not be forced to use a tool"
        if thinks("anthropic", model, told):
            why = "Thinking may not be enabled when tool_choice forces tool use."
        raise WireError("bad_request", why)
    form = (told.get("output_config") or {}).get("format")
    if form is not None:
        _check(form, model)
        return tuple(tools), typed_as("answer", form["schema"]), ""
    # Who is not forced is told to hand its answer in.
    asked = choice.get("name", "") if required else next((tool.name for tool in tools if tool.name == ANSWER), "")
    offered, output = typed(tools, asked, choice.get("type") == "any")
    return offered, output, "" if output is None else next(tool.name for tool in tools if tool not in offered)


def _check(form: Json, model: str) -> None:
    if not may_be_typed(model):
        raise WireError("bad_request", f"output_config.format: '{model}' does not support output format.")
    if form.get("type") != "json_schema":
        raise WireError("bad_request", "output_config.format.type: Input should be 'json_schema'")
    for node in _schemas(form["schema"]):
        if node.get("type") == "object" and node.get("additionalProperties") is not False:
            why = "For 'object' type, 'additionalProperties' must be explicitly set to false"
            raise WireError("bad_request", f"output_config.format.schema: {why}")
        for name in sorted(REFUSED & node.keys()):
            why = f"For '{node.get('type')}' type, property '{name}' is not supported"
            raise WireError("bad_request", f"output_config.format.schema: {why}")


def _schemas(node: Any) -> Iterator[Json]:
    """Yield *node* and every schema in it; in a table of properties, the names are nobody's words."""
    yield node
    tables = (*node.get("properties", {}).values(), *node.get("$defs", {}).values())
    items = (node["items"],) if "items" in node else ()
    for inner in (*tables, *items, *node.get("anyOf", ()), *node.get("allOf", ())):
        yield from _schemas(inner)
