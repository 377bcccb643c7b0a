"""A desk over the real shop, and a way to call tools as the pipeline does: arguments and results pass the contract."""

import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from coordinator.domain.scope import TenantContext
from coordinator.domain.tool import Tool
from coordinator.toolbox.world import FolderWorld, Snapshots
from tools.desk import Desk, open_desk

T = TypeVar("T")

DATA = Path(__file__).parents[2] / "scenarios" / "data"


@dataclass
class Room:
    """A ToolContext that runs blocking work at once."""

    resources: Any
    tenant: TenantContext = field(default_factory=lambda: TenantContext("acme", "u-7"))
    step: str = "run/turn1/tool1"
    run_id: str = "r-1"

    def remaining(self) -> float:
        return math.inf

    async def offload(self, work: Callable[..., T], *args: Any) -> T:
        return work(*args)

    async def call(self, tool: Tool[T], *, tier: int = 0, **raw: Any) -> T:
        contract = tool.contract
        given = contract.arguments.model_validate(raw)
        arguments = {name: getattr(given, name) for name in contract.arguments.model_fields}
        output = await tool.tiers[tier].function(**arguments, ctx=self)
        verified: T = contract.output.validate_json(contract.output.dump_json(output))
        assert verified == output
        return verified

    def as_user(self, user: str | None) -> "Room":
        return Room(self.resources, TenantContext("acme", user), self.step, self.run_id)

    def at(self, step: str) -> "Room":
        return Room(self.resources, self.tenant, step, self.run_id)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    with FolderWorld({"database": DATA / "shop.sql", "knowledge": DATA / "help"}, Snapshots()) as world:
        async with open_desk(world) as opened:
            yield opened


@pytest.fixture
def room(desk: Desk) -> Room:
    return Room(desk)


@pytest.fixture
def room_of() -> Callable[[Any], Room]:
    """Make a room over other resources."""
    return Room
