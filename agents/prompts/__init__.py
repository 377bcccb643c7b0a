"""The roles' instructions, as Markdown beside this file."""

from functools import cache
from pathlib import Path


@cache
def prompt(role: str) -> str:
    """Return the instructions of *role*."""
    return Path(__file__).with_name(f"{role}.md").read_text(encoding="utf-8")
