"""What is optional: packages that an extra installs, and one line for those who have not installed it."""

from collections.abc import Iterator
from contextlib import contextmanager

from coordinator.domain.errors import Invalid


@contextmanager
def extra(name: str, *packages: str) -> Iterator[None]:
    """Say how to install the extra *name*, when one of its *packages* is imported and not there.

    Raises:
        Invalid: `missing_extra`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise Invalid(
            f"{name} needs packages that are not installed ({error.name})", code="missing_extra",
            hint=f"pip install 'agent-coordinator[{name}]'",
        ) from None  # fmt: skip
