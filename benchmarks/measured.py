"""Which build of the package is measured: the compiled one of `make compiled`, or pure Python."""

from coordinator.engine import loop


def build() -> str:
    """Return what the hot path runs as: "compiled" or "pure Python"."""
    return "pure Python" if str(loop.__file__).endswith(".py") else "compiled"
