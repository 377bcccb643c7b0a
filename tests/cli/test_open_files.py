"""How many files the process may open: raised as far as the system lets it, and told where that is too little."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.real_time


def limited(soft: int, hard: int, asked: int) -> str:
    """What a process says whose limits were *soft* and *hard*."""
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from coordinator.cli.open_files import enough_files
print(enough_files({asked}), resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    assert limited(256, 2000, 1000) == "(2000, 2000)"


def test_too_low_a_hard_limit_is_told_with_what_to_do() -> None:
    said = limited(256, 500, 1000)
    assert said.startswith("note: a process may open only 500 files here")
    assert "ulimit -n 1064" in said
    assert said.endswith("(500, 500)")
