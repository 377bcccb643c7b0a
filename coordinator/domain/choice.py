"""Choices that carry their meaning into every output schema."""

from enum import StrEnum
from typing import Any


class Choice(StrEnum):
    """An enumeration whose members are written `NAME = "value", "what choosing it means"`.

    Its JSON Schema is an `anyOf` of `const` and `description`, so that a model reads the meanings, not only the words.
    """

    description: str

    def __new__(cls, word: str, description: str = "") -> "Choice":
        """Make one member from its word and its meaning."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.description = description
        return member

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"const": member.value, "description": member.description} for member in cls]}
