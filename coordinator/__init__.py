"""Coordinator: teams of LLM agents as bounded, accountable workflows.

Its names stand in `public.py` and are imported when one of them is first asked for: so the command line is there to be
interrupted before all that it imports.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator import public
    from coordinator.public import *  # noqa: F403 - it is a list of names

    __all__: list[str] = []
    __all__ += public.__all__

else:

    def __getattr__(name: str) -> object:
        if name == "__all__" or not name.startswith("_"):
            public = import_module("coordinator.public")
            if name == "__all__" or name in public.__all__:
                found = globals()[name] = getattr(public, name)  # so that nobody asks again
                return found
            if name in globals():  # a module of the house, which is there by now
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *import_module("coordinator.public").__all__})
