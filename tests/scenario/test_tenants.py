from collections.abc import Callable

import pytest

from coordinator import Invalid
from coordinator.scenario.running import Scenario

WORLD = "world: {shelf: data/shelf}\n"


async def test_a_tenant_that_the_settings_turn_away_is_told_with_its_line(opened: Callable[[str], Scenario]) -> None:
    scenario = opened(f"task: hi\ntenant: eve\nsettings: {{unknown_tenants: refuse}}\n{WORLD}")
    with pytest.raises(Invalid, match=r"one\.yaml:2: there is no tenant 'eve'") as invalid:
        await scenario.run()
    assert invalid.value.code == "unknown_tenant"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{run_usd: 1, tenant_day_usd: 0.5}", r"one\.yaml:2: settings.tenant_day_usd: should be at least run_usd"),
        ("{unknown_tenants: nobody}", r"one\.yaml:2: settings.unknown_tenants: should be one of default, refuse"),
    ],
)
def test_limits_that_contradict_one_another_are_told_with_their_line(
    settings: str, message: str, opened: Callable[[str], Scenario]
) -> None:
    with pytest.raises(Invalid, match=message):
        opened(f"task: hi\nsettings: {settings}\n{WORLD}")
