"""Limits hold per process: whoever starts several is told in one line, unless each has its share."""

import logging
import os
import subprocess
import sys

import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent
from coordinator.sources import server_workers


@agent()
async def clerk(brief: Brief, ctx: AgentContext) -> str:
    """Answers."""
    return "yes"


async def said(caplog: pytest.LogCaptureFixture, **settings: object) -> list[str]:
    caplog.set_level(logging.WARNING, "coordinator")
    async with Coordinator(Team(clerk), Settings(world={}, **settings)):
        return [record.getMessage() for record in caplog.records]


async def test_several_workers_without_a_share_are_told_in_one_line_what_to_do(caplog):
    lines = await said(caplog, workers=4, global_usd=5, surfaces={"free": {"user_day_usd": 1}})
    assert lines == [
        '4 workers, and limits hold in each of them: global_usd, user_day_usd; set share = "1/4"'
    ]  # fmt: skip


async def test_rates_of_several_workers_are_to_be_divided_by_hand(caplog):
    lines = await said(caplog, workers=2, global_usd=5, rates={"offline:*": {"requests": 10}})
    assert lines[0].endswith('global_usd, rates; set share = "1/2", and divide the rates by 2')


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": 4, "global_usd": 5, "share": "1/4"},
        {"workers": 3, "global_usd": 5, "share": "1/3"},
        {"workers": 1, "global_usd": 5},
        {"global_usd": 5},
        {"workers": 4},
    ],
)
async def test_who_has_divided_or_shares_nothing_or_is_alone_hears_nothing(caplog, settings):
    assert await said(caplog, **settings) == []


@pytest.mark.parametrize(
    ("command", "environment", "workers"),
    [
        (["/bin/uvicorn", "shop:app", "--workers", "4"], {}, 4),
        (["/lib/uvicorn/__main__.py", "shop:app", "--workers=3"], {}, 3),
        (["gunicorn", "-w5"], {}, 5),
        (["gunicorn", "-w", "5"], {"GUNICORN_CMD_ARGS": "--workers 7"}, 5),
        (["gunicorn"], {"GUNICORN_CMD_ARGS": "--workers 7"}, 7),
        (["service.py"], {"WEB_CONCURRENCY": "6"}, 6),
        (["uvicorn", "--workers", "2"], {"WEB_CONCURRENCY": "6"}, 2),
        (["pytest", "-w", "5"], {}, 1),
        (["service.py"], {"WEB_CONCURRENCY": "auto"}, 1),
        (["service.py"], {"WEB_CONCURRENCY": "0"}, 1),
        ([], {}, 1),
    ],
)
def test_a_server_says_how_many_workers_it_starts(command, environment, workers):
    assert server_workers(command, environment) == workers


@pytest.mark.real_time
def test_without_a_log_of_ones_own_the_line_goes_to_standard_error():
    code = (
        "import asyncio\nfrom coordinator import *\n"
        "@agent()\nasync def clerk(brief: Brief, ctx: AgentContext) -> str:\n    'Answers.'\n    return 'yes'\n"
        "async def main():\n    async with Coordinator(Team(clerk), Settings(world={}, tenant_day_usd=5)): pass\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "WEB_CONCURRENCY": "8"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert process.stdout == ""
    assert process.stderr.splitlines() == [
        '8 workers, and limits hold in each of them: tenant_day_usd; set share = "1/8"'
    ]
