"""What goes wrong outside of agents and tools comes back as a result; only wrong input raises."""

import asyncio
import logging
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Fault, Invalid, Settings, Status, Team, agent
from coordinator.domain.errors import Reached
from coordinator.domain.events import Event, Kind
from coordinator.engine import run as engine


@agent()
async def boss(brief: Brief, ctx: AgentContext) -> str:
    """Says done."""
    return "done"


def opened(resolver: Any = None, **more: Any) -> Coordinator:
    return Coordinator(Team(boss), Settings(world={}), tenants=resolver, **more)


def resolving(error: Exception) -> Any:
    async def resolver(name: str) -> None:
        await asyncio.sleep(1)
        raise error

    return resolver


async def test_a_resolver_that_fails_ends_the_run_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(resolving(OSError("no tenants today"))) as coordinator:
        with caplog.at_level(logging.ERROR, "coordinator"):
            result = await coordinator.run("hi")
    assert (result.status, result.code) == (Status.FAILED, "run_crashed")
    assert "no tenants today" in result.issues[0].message
    assert "no tenants today" in caplog.text


async def test_a_fault_of_the_resolver_is_told_as_it_is() -> None:
    fault = Fault("the directory is down", reached=Reached.NO, code="directory_down")
    async with opened(resolving(fault)) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code) == (Status.FAILED, "directory_down")


async def test_a_resolver_that_finds_the_input_wrong_raises() -> None:
    async with opened(resolving(Invalid("no such tenant", code="unknown_tenant"))) as coordinator:
        with pytest.raises(Invalid, match="no such tenant"):
            await coordinator.run("hi")


async def test_a_crash_around_the_manager_is_a_failure_and_no_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    told: list[Event] = []
    monkeypatch.setattr(engine, "_reply", crash)
    async with opened(observers=[told.append]) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code) == (Status.FAILED, "run_crashed")
    ended = next(event for event in told if event.kind is Kind.RUN_ENDED)
    assert (ended.data["status"], ended.data["code"]) == ("failed", "crashed")


async def test_leaving_waits_for_a_run_that_still_asks_who_its_tenant_is() -> None:
    async def resolver(name: str) -> None:
        await asyncio.sleep(1)

    coordinator = await opened(resolver).__aenter__()
    running = asyncio.ensure_future(coordinator.run("hi"))
    await asyncio.sleep(0.5)
    await coordinator.__aexit__(None, None, None)
    assert running.done()
    assert running.result().status is Status.COMPLETED
