"""The reference team's own scenarios: all come out as expected, in any order and every time."""

from pathlib import Path

import pytest

from coordinator.scenario import Tally, judge, open_scenario

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "scenarios").glob("*.yaml"))

# Of these the project says that they are there.
PROMISED = {
    "breaker_opens", "ceiling_too_small", "document_brief", "endless_loop", "fixed_order", "knowledge_only",
    "knowledge_tier_two", "legal_threat", "order_status", "parallel_plan", "support_ticket", "unanswerable",
}  # fmt: skip


async def verdict(file: Path) -> list[str]:
    scenario = open_scenario(file)
    tally = Tally()
    result = await scenario.run([tally])
    assert scenario.file.expect is not None
    return judge(scenario.file.expect, result, tally)


def test_every_promised_scenario_is_there() -> None:
    assert {file.stem for file in FILES} >= PROMISED


@pytest.mark.real_time
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_scenario_comes_out_as_expected(file: Path) -> None:
    assert await verdict(file) == []


@pytest.mark.real_time
async def test_order_and_repetition_change_no_verdict() -> None:
    for file in [*reversed(FILES), *FILES]:
        assert await verdict(file) == []


@pytest.mark.real_time
async def test_same_scenario_says_the_same_every_time() -> None:
    scenario = open_scenario(ROOT / "scenarios/support_ticket.yaml")
    first, second = await scenario.run(), await scenario.run()
    apart = {"run_id", "duration_s"}
    assert first.model_dump(exclude=apart) == second.model_dump(exclude=apart)
