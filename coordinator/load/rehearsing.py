"""The rehearsal: one run without faults and without waiting, before a load test begins."""

from coordinator.app import Coordinator, Ports
from coordinator.domain.errors import Invalid
from coordinator.domain.model import Model
from coordinator.domain.result import RunResult, Status
from coordinator.load.workplace import Workplace
from coordinator.simulate.world import Scripts

# A run that the settings make impossible; everything else is what load tests are for.
HOPELESS = frozenset({"unknown_price", "unknown_model"})


async def rehearse(place: Workplace, ports: Ports) -> RunResult:
    """Run once, alone and with models that answer at once, and return the result.

    Raises:
        Invalid: the team finds its world wrong; `cannot_fit`: no ceiling or rate lets even one run begin.
    """
    stage = place.stage
    scripts = Scripts(stage.script)
    scripts.begin()
    models: dict[str, Model] = {name: place.words(name, scripts) for name in stage.providers()}
    async with Coordinator(
        stage.team, place.settings, world=stage.world, models=models, ports=ports, snapshots=place.images
    ) as coordinator:
        result = await coordinator.run(
            stage.task, tenant=stage.tenant, user=stage.user, session=stage.session or "s-1"
        )  # fmt: skip
    refused = result.status is Status.REFUSED and result.code.startswith("budget_")
    if refused or result.code in HOPELESS:
        why = result.issues[-1].message if result.issues else result.code
        told = "even one run cannot fit its ceiling" if refused else "not even one run can begin"
        hint = "or take a larger sample: ceilings are scaled with it" if refused and place.share < 1 else ""
        raise Invalid(f"{told}: {why}", code="cannot_fit", hint=hint)
    return result
