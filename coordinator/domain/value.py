"""How this project writes values: slotted structs that nobody can change after they are built."""

from collections.abc import Callable
from dataclasses import MISSING, Field, field
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform

import msgspec

T = TypeVar("T")

assign = cast(Callable[[object, str, object], None], msgspec.structs.force_setattr)
"""Sets a field that is worked out from the others, and only such a one: `assign(self, "size", 3)`."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make *cls* an immutable value with slots, equal and hashed by what it holds.

    It is written as a dataclass, with `field` where a default must be made anew, or where a field is left out of
    comparisons or of `repr`. It becomes a struct of msgspec: frozen for real, and built in half the time of a dataclass
    that is not, in a sixth of one that is. Calls are built on the hot path.
    """
    given = {name: held for name, held in vars(cls).items() if isinstance(held, Field)}
    body = {name: held for name, held in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    for name, one in given.items():
        body[name] = msgspec.field(**_default(one))
    names = tuple(vars(cls).get("__annotations__", ()))
    compared = tuple(name for name in names if name not in given or given[name].compare)
    shown = tuple(name for name in names if name not in given or given[name].repr)
    if compared != names:
        body["__eq__"], body["__hash__"] = _comparing(attrgetter(*compared))
    if shown != names:
        body["__repr__"] = _showing(shown)
    bases = (msgspec.Struct, *(base for base in cls.__bases__ if base is not object))
    made: Any = type(msgspec.Struct)
    struct: type[T] = made(cls.__name__, bases, body, frozen=True, eq=compared == names)
    return struct


def changed(given: T, **fields: Any) -> T:
    """Return *given* with other *fields*."""
    return cast(T, msgspec.structs.replace(cast(Any, given), **fields))


def _default(one: "Field[Any]") -> dict[str, Any]:
    if one.default is not MISSING:
        return {"default": one.default}
    return {} if one.default_factory is MISSING else {"default_factory": one.default_factory}


def _comparing(held: Callable[[object], object]) -> tuple[Callable[[object, object], object], Callable[[object], int]]:
    def equal(self: object, other: object) -> object:
        return held(self) == held(other) if type(other) is type(self) else NotImplemented

    return equal, lambda self: hash(held(self))


def _showing(names: tuple[str, ...]) -> Callable[[object], str]:
    def text(self: object) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return text
