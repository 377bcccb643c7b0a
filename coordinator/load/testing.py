"""Load tests in the caller's event loop, in real time, or in a loop of their own, in virtual time."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from coordinator.app import Ports
from coordinator.app.own_loop import OwnLoop
from coordinator.domain.errors import Invalid
from coordinator.load.driving import Drive, LoadJob, Told
from coordinator.load.plan import LoadPlan
from coordinator.load.report import LoadReport
from coordinator.load.reporting import report_of
from coordinator.load.scaling import scaled
from coordinator.load.workplace import Workplace
from coordinator.scenario import Scenario, open_scenario
from coordinator.simulate import Stage
from coordinator.simulation.chance import Dice, Names
from coordinator.simulation.clock import Deadlock, VirtualLoop
from coordinator.simulation.offload import Inline

FIRST_DAY = 20_000 * 86_400.0
"""UTC seconds at which virtual time begins: a midnight, so that the first day is a whole one."""

Subject = str | Path | Scenario | Stage


class LoadTest:
    """One load test, to be carried out once; its report can be had at any time, also of an interrupted one.

    Args:
        subject: a scenario's file, a scenario that was opened, or a stage built in code.
        plan: how many runs, how fast, for whom.
        virtual: in virtual time, in a loop of its own, without calling anything outside.
        told: hears how far it is, several times a second.

    Raises:
        Invalid: something makes no sense, such as faults of a tool that the team does not have; nothing was started.
    """

    def __init__(self, subject: Subject, plan: LoadPlan, *, virtual: bool = False, told: Told | None = None) -> None:
        plan.check(virtual=virtual)
        runs = plan.sampled(virtual=virtual)
        name, stage = _named(subject)
        stage.check_faults(plan.faults)
        share = runs / plan.runs
        place = Workplace.of(stage, scaled(stage.settings, share), share)
        self._now: Callable[[], float] = float
        """The clock of virtual time, which stands at 0 until there is a loop."""
        ports = self._virtual_ports(plan) if virtual else Ports(chance=Dice(plan.seed).stream("retries"))
        self._drive = Drive(LoadJob(name, place, plan, runs, virtual, ports, told))

    async def run(self) -> LoadReport:
        """Carry it out in the running event loop, in real time.

        Raises:
            Invalid: it cannot begin; `wrong_loop` for a virtual one.
        """
        if self._drive.test.virtual:
            raise Invalid(
                "a virtual load test has an event loop of its own", code="wrong_loop",
                hint="call run_virtual from plain code",
            )  # fmt: skip
        await self._drive.run()
        return self.report()

    def run_virtual(self) -> LoadReport:
        """Carry it out in virtual time, in an event loop of its own.

        Raises:
            Invalid: it cannot begin; `wrong_loop` inside a running event loop, or for one in real time.
        """
        if _inside_a_loop() or not self._drive.test.virtual:
            raise Invalid(
                "a virtual load test needs virtual=True and no running event loop", code="wrong_loop",
                hint="call it from plain code: it has a loop of its own",
            )  # fmt: skip
        try:
            with OwnLoop(lambda: VirtualLoop(self._drive.test.plan.seed)) as own:
                self._now = own.loop.time
                own.run(self._drive.run())
        except Deadlock as deadlock:
            self._drive.breach(f"hung: {deadlock}")
        return self.report()

    def report(self) -> LoadReport:
        """Return what was measured so far."""
        return report_of(self._drive)

    def _virtual_ports(self, plan: LoadPlan) -> Ports:
        dice = Dice(plan.seed)
        return Ports(
            lambda: FIRST_DAY + self._now(), Names(), dice.stream("retries"),
            lambda stragglers: Inline(stragglers, dice.stream("offload")),
        )  # fmt: skip


async def load(subject: Subject, plan: LoadPlan, *, told: Told | None = None) -> LoadReport:
    """Carry out a load test in the running event loop, in real time, and return its report.

    The offline model's words come after a seeded latency; models of other providers are called, and paid.

    Args:
        subject: a scenario's file, a scenario that was opened, or a stage built in code.
        plan: how many runs, how fast, for whom.
        told: hears how far it is, several times a second.

    Raises:
        Invalid: something makes no sense, or not even one run can begin.
    """
    return await LoadTest(subject, plan, told=told).run()


def load_virtual(subject: Subject, plan: LoadPlan, *, told: Told | None = None) -> LoadReport:
    """Carry out a load test in virtual time, and return its report: the same plan and seed give the same one.

    Nothing outside is called: models of other providers are answered with the offline model's words.

    Args:
        subject: a scenario's file, a scenario that was opened, or a stage built in code.
        plan: how many runs, how fast, for whom.
        told: hears how far it is.

    Raises:
        Invalid: as `load`; `wrong_loop` inside a running event loop.
    """
    return LoadTest(subject, plan, virtual=True, told=told).run_virtual()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _named(subject: Subject) -> tuple[str, Stage]:
    if isinstance(subject, Stage):
        return subject.team.manager.name, subject
    scenario = subject if isinstance(subject, Scenario) else open_scenario(Path(subject))
    return scenario.name, Stage.of(scenario)
