"""The rehearsal: one run without faults and without waiting, before a load test begins."""

from coordinator.app import Coordinator, Ports
from coordinator.domain.model import Model
from coordinator.domain.result import RunResult
from coordinator.load.workplace import Workplace
from coordinator.simulate.fitting import check_fits
from coordinator.simulate.world import Scripts


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
    check_fits(result, "or take a larger sample: ceilings are scaled with it" if place.share < 1 else "")
    return result
