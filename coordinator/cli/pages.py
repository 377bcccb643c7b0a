"""Pages that commands write for a browser."""

from pathlib import Path


def write_page(path: Path, page: str) -> None:
    """Write *page* to *path*.

    Raises:
        OSError: it names *path*, also when only the writing failed, of which the system says no name.
    """
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        error.filename = str(path)
        raise
