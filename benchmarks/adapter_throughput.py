"""Model calls over real sockets: 1,000 in flight to a fake provider with 50 ms of latency, in another process.

    python benchmarks/adapter_throughput.py [openai|openai-responses|anthropic|google]

The whole path is that of an agent's `ctx.ask`: events, route, retries, gates, ledger, breaker, timeout, the adapter
with its parsing, and the price. Beside it in the same process: the adapter alone, and bare httpx with the aiohttp
transport, which sends the same bytes and reads the reply without looking at it. The figures are CPU of this process;
that of the provider is told too, so that nobody takes its limit for ours.
"""

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from httpx_aiohttp import HttpxAiohttpClient

from coordinator import AgentContext, Brief, Coordinator, Settings, Status, Team, agent
from coordinator.app.collector import relax_collector
from coordinator.cli.open_files import enough_files
from coordinator.domain.content import Message, Text
from coordinator.domain.events import Event
from coordinator.domain.model import ModelRequest
from coordinator.models.adapter import Adapter, dumps
from coordinator.models.anthropic import Anthropic
from coordinator.models.google import Google
from coordinator.models.openai_chat import OpenAIChat
from coordinator.models.openai_responses import OpenAIResponses

AT_ONCE = 1000
CALLS = 5
"""Calls that each of them makes, one after the other."""
ROUNDS = 3
LATENCY_S = 0.05
LEAST_PER_S, MOST_US = 2000, 450
PROMPT = "Answer in one sentence: where is order 1042, and when will it arrive? Cite the source that says so."
TAPE = {
    "text": "Order 1042 is in transit with Swiftline and should arrive on Friday, 20 November 2026. [orders/1042]",
    "usage": {"input": 240, "output": 31},
}
ADAPTERS: dict[str, type[Adapter]] = {
    "openai": OpenAIChat, "openai-responses": OpenAIResponses, "anthropic": Anthropic, "google": Google
}  # fmt: skip


@contextmanager
def provider(protocol: str) -> Iterator[int]:
    """Start a fake provider in another process, set the environment for it, and yield the id of its process."""
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder, "tape.jsonl")
        tape.write_text(json.dumps(TAPE))
        command = [sys.executable, "-m", "coordinator", "fake-provider", "--protocol", protocol, "--tape", str(tape)]
        with subprocess.Popen(
            [*command, "--latency", str(LATENCY_S)], stdout=subprocess.PIPE, text=True
        ) as process:  # fmt: skip
            assert process.stdout is not None
            told = process.stdout.readline().partition(": set ")[2]
            os.environ.update(pair.split("=", 1) for pair in told.split())
            try:
                yield process.pid
            finally:
                process.terminate()


def spent(process: int) -> float:
    """Return the seconds of CPU that another *process* has used; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(one: Callable[[], Awaitable[None]], process: int) -> tuple[float, float, float]:
    """Make AT_ONCE of *one*, each CALLS calls; return calls a second, and µs of CPU a call here and there."""
    gc.collect()
    there, cpu, began = spent(process), time.process_time(), time.perf_counter()
    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    calls = AT_ONCE * CALLS
    return calls / seconds, used / calls * 1e6, (spent(process) - there) / calls * 1e6


Work = Callable[[], Awaitable[None]]


@asynccontextmanager
async def works(model: str, adapter: Adapter) -> AsyncIterator[dict[str, Work]]:
    """Yield what is compared, by name; each makes CALLS calls, one after the other."""
    name = model.partition(":")[2]
    request = ModelRequest((Message("user", (Text(PROMPT),)),))
    url, body = adapter.base + adapter.path(name), dumps(adapter.ask(name, request)[0])
    headers = {"content-type": "application/json", "accept-encoding": "identity", **adapter.access("any")}
    bare = HttpxAiohttpClient(limits=httpx.Limits(max_connections=AT_ONCE, keepalive_expiry=20))

    @agent()
    async def asker(brief: Brief, ctx: AgentContext) -> str:
        """Asks again and again."""
        for _ in range(CALLS):
            text = await ctx.ask(brief.request)
        return str(text)

    async with Coordinator(Team(asker), settings_for(model), observers=[count]) as coordinator:

        async def nothing() -> None:
            for _ in range(CALLS):
                assert (await bare.post(url, headers=headers, content=body)).status_code == 200

        async def alone() -> None:
            for _ in range(CALLS):
                assert (await adapter(name, request)).text == TAPE["text"]

        async def whole() -> None:
            result = await coordinator.run(PROMPT)
            assert result.status is Status.COMPLETED, result

        yield {"bare httpx over aiohttp": nothing, "the adapter alone": alone, "ctx.ask": whole}
    await bare.aclose()
    await adapter.close()


EVENTS = [0]


def count(_event: Event) -> None:
    """An observer that counts events, as metrics would."""
    EVENTS[0] += 1


def settings_for(model: str) -> Settings:
    """Return settings by which every layer works: rates, ceilings and breakers are set and far away."""
    return Settings(
        models={"small": model}, prices={model: {"input": 0.15, "output": 0.60}}, run_usd=1.0, tenant_day_usd=100_000,
        global_usd=100_000, rates={model: {"requests": 10_000_000, "per_s": 1}}, world={},
        admission={"runs": 2 * AT_ONCE},
    )  # fmt: skip


async def compare(model: str, adapter: Adapter, process: int) -> None:
    """Print the figures of all that is compared, taken in turns."""
    figures: dict[str, list[tuple[float, float, float]]] = {}
    async with works(model, adapter) as compared:
        for number in range(ROUNDS + 1):
            for name, one in compared.items():
                found = await measure(one, process)
                if number:  # the first round opens connections
                    figures.setdefault(name, []).append(found)
    for name, rounds in figures.items():
        per_s, here, there = (statistics.median(column) for column in zip(*rounds, strict=True))
        asked = f", at least {LEAST_PER_S:,} and at most {MOST_US} us are asked for" if name == "ctx.ask" else ""
        print(f"{model}, {name}: {per_s:,.0f} calls a second, {here:.0f} us CPU a call (provider: {there:.0f}){asked}")


def main() -> None:
    """Print the figures of the protocols that the arguments name, and how busy the machine was."""
    relax_collector()
    note = enough_files(2 * AT_ONCE)
    if note:
        print(note)
    for name in sys.argv[1:] or ["openai"]:
        with provider(name.partition("-")[0]) as process:
            asyncio.run(compare(f"{name}:fake", ADAPTERS[name](), process))
    print(f"(load average of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")


if __name__ == "__main__":
    sys.exit(main())
