"""Ctrl-C ends a command within two seconds, a second one at once, whatever its agents and tools do."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_time

STUCK = '''
import asyncio, threading
from coordinator import AgentContext, Brief, Team, agent, tool

@tool(timeout=100)
def block() -> str:
    """Block."""
    print("at work", flush=True)
    threading.Event().wait(100)
    return "late"

@agent(tools=[block])
async def boss(brief: Brief, ctx: AgentContext) -> str:
    """Never ends."""
    if brief.request == "thread":
        await ctx.use(block, {})
    print("at work", flush=True)
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            continue

team = Team(boss)
'''


@contextmanager
def begun(home: Path, task: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command over an agent that never ends, and yield it when the agent is at work."""
    (home / "stuck.py").write_text(STUCK)
    (home / "one.yaml").write_text(f"team: stuck:team\ntask: {task}\nworld: {{}}\n")
    with subprocess.Popen(
        [sys.executable, "-m", "coordinator", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it in what it runs behind
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            while process.stderr.readline() != "at work\n":
                assert process.poll() is None
            yield process
        finally:
            process.kill()  # leaving the block waits for its end


COMMANDS = [["run", "one.yaml", "--no-file"], ["load", "one.yaml", "--concurrency", "3", "--report", "out.html"]]


@pytest.mark.parametrize("words", COMMANDS, ids=["run", "load"])
@pytest.mark.parametrize("task", ["task", "thread"])
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_ctrl_c_ends_it_whatever_its_agents_and_tools_do(home: Path, words: list[str], task: str, again: bool) -> None:
    with begun(home, task, *words) as process:
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        if again:
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        took = time.monotonic() - began
    assert took < (2 if again else 4)  # seconds of a machine that others may use
    assert (process.returncode, err.splitlines()[-1]) == (130, "interrupted")
    assert "Traceback" not in err
    assert ("load" in words) == (home / "out.html").exists()


def test_a_simulated_world_ends_although_an_agent_does_not(home: Path) -> None:
    with begun(home, "task", "simulate", "one.yaml", "--seeds", "1", "--runs", "2", "--workers", "1") as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "deadline_exceeded" in out


def test_what_is_registered_for_the_end_is_done_although_threads_wait_for_work(home: Path) -> None:
    script = (
        "import atexit, sys; from concurrent.futures import ThreadPoolExecutor; from coordinator import cli\n"
        "pool = ThreadPoolExecutor(); atexit.register(print, 'done at the end')\n"
        "cli.COMMANDS['wait'] = pool.submit(int).result; sys.argv = ['coordinator', 'wait']\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done at the end\n", "")


@pytest.mark.parametrize(("heard", "code"), [(signal.SIG_IGN, 0), (signal.SIG_DFL, 130)], ids=["ignored", "heard"])
def test_ctrl_c_is_left_ignored_where_whoever_started_it_ignores_it(heard: signal.Handlers, code: int) -> None:
    script = (
        "import os, signal, sys, threading; from coordinator import cli; sys.argv = ['coordinator', 'wait']\n"
        "last_moment = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))\n"
        "cli.COMMANDS['wait'] = last_moment.start\n"
        "cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, heard),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
