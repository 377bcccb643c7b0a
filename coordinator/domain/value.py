"""How this project writes values: slotted dataclasses that nobody changes after they are built."""

import os
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")

# Frozen dataclasses cost six times as much to build, and calls are built on the hot path. So values are frozen for
# the type checker always, and for real wherever this variable is set, as the test suite does.
FROZEN = bool(os.environ.get("COORDINATOR_FROZEN_VALUES"))


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make *cls* an immutable value with slots; changing one is a type error."""
    return dataclass(slots=True, frozen=FROZEN, unsafe_hash=True)(cls)
