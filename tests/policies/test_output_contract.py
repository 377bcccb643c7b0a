from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from coordinator.domain.calls import ToolCall, ToolReply
from coordinator.domain.citing import Passage
from coordinator.domain.content import Origin
from coordinator.domain.effects import Effect
from coordinator.domain.errors import Fault, Reached
from coordinator.domain.tool import tool
from coordinator.policies.output_contract import OutputContract


class Shelf(BaseModel):
    label: str
    passages: list[Passage]


class Order(Passage):
    number: int
    notes: tuple[Passage, ...] = ()


@tool()
def read_shelf() -> dict[str, list[Shelf]]:
    """Read."""
    return {}


@tool()
def read_order() -> Order:
    """Read."""
    return Order(text="", source="", number=1)


@tool(effect=Effect.WRITE)
def write_order() -> int:
    """Write."""
    return 1


async def passed(calls: Any, which: Any, output: Any) -> ToolReply:
    async def core(call: Any) -> Any:
        return ToolReply(output, "", Origin("tool", which.name))

    call = ToolCall(calls.scope, "run/t", which.name, "{}", which, effect=which.contract.effect)
    return await OutputContract()(call, core)


def sources(passages: Sequence[Passage]) -> list[str]:
    return [passage.source for passage in passages]


async def test_the_output_is_verified_and_written_as_json(calls):
    reply = await passed(calls, write_order, "7")
    assert (reply.output, reply.text, reply.degraded) == (7, "7", "")


async def test_passages_are_collected_wherever_they_stand(calls):
    shelf = {"a": [{"label": "x", "passages": [{"text": "t", "source": "one.md"}, {"text": "t", "source": "two.md"}]}]}
    assert sources((await passed(calls, read_shelf, shelf)).passages) == ["one.md", "two.md"]
    order = Order(text="t", source="orders/1", number=1, notes=(Passage(text="n", source="notes/1"),))
    assert sources((await passed(calls, read_order, order)).passages) == ["orders/1", "notes/1"]


async def test_a_read_that_breaks_its_contract_has_failed(calls):
    with pytest.raises(Fault, match="number") as fault:
        await passed(calls, read_order, {"text": "t", "source": "s"})
    assert (fault.value.code, fault.value.reached, fault.value.transient) == ("bad_output", Reached.YES, False)


@pytest.mark.parametrize("output", ["many", object()])
async def test_an_effect_that_breaks_its_contract_is_done_but_not_verified(calls, output):
    reply = await passed(calls, write_order, output)
    assert "not verified" in reply.degraded
    assert reply.text
    assert [issue.code for issue in calls.run.issues] == ["unverified_output"]
