"""Contract: a tool's arguments are checked against its schema, and every wrong field is named."""

from typing import Any

from pydantic import ValidationError

from coordinator.domain.calls import ToolCall, ToolReply
from coordinator.domain.errors import Invalid
from coordinator.domain.layer import Handler


class Contract:
    """Turns the arguments, JSON text, into the contract's typed arguments.

    Raises:
        Invalid: `invalid_arguments`; `details["fields"]` lists field, message and type of every error.
    """

    __slots__ = ()

    async def __call__(self, call: ToolCall, then: Handler[ToolCall, ToolReply]) -> ToolReply:
        if call.tool is None:
            raise Invalid(f"there is no tool named {call.name!r}", code="unknown_tool")
        try:
            # Some models write nothing at all where there is nothing to say.
            arguments = call.tool.contract.arguments.model_validate_json(call.raw or "{}")
        except ValidationError as error:
            raise _invalid(call, error) from None
        return await then(call.checked(arguments))


def _invalid(call: ToolCall, error: ValidationError) -> Invalid:
    fields: list[dict[str, Any]] = [
        {"field": ".".join(map(str, wrong["loc"])), "message": wrong["msg"], "type": wrong["type"]}
        for wrong in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    named = "; ".join(f"{field['field'] or 'arguments'}: {field['message']}" for field in fields)
    return Invalid(
        f"the arguments of {call.name} are not valid: {named}", code="invalid_arguments",
        hint="correct the fields and call again", details={"fields": fields},
    )  # fmt: skip
