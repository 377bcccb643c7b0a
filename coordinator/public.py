"""The public names, as `coordinator` gives them: a list of imports, and nothing else."""

from coordinator.app import Coordinator, Snapshot
from coordinator.app.collector import relax_collector
from coordinator.domain.briefs import Brief, Material, Plan, PlanStep, Report
from coordinator.domain.calls import Task
from coordinator.domain.choice import Choice
from coordinator.domain.citing import Citation, Passage
from coordinator.domain.content import Message, Text
from coordinator.domain.context import AgentContext
from coordinator.domain.effects import Effect
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Reached, Refused, UnknownOutcome
from coordinator.domain.events import Event, Kind
from coordinator.domain.result import Issue, Reply, RunResult, Status
from coordinator.domain.scope import TenantContext
from coordinator.domain.team import Team, agent
from coordinator.domain.tool import ToolContext, tool
from coordinator.domain.world import World
from coordinator.engine.handle import RunHandle
from coordinator.scenario import run_scenario
from coordinator.settings import Settings

__all__ = [
    "AgentContext",
    "Brief",
    "Choice",
    "Citation",
    "Coordinator",
    "CoordinatorError",
    "Effect",
    "Event",
    "Fault",
    "Invalid",
    "Issue",
    "Kind",
    "Material",
    "Message",
    "Passage",
    "Plan",
    "PlanStep",
    "Reached",
    "Refused",
    "Reply",
    "Report",
    "RunHandle",
    "RunResult",
    "Settings",
    "Snapshot",
    "Status",
    "Task",
    "Team",
    "TenantContext",
    "Text",
    "ToolContext",
    "UnknownOutcome",
    "World",
    "agent",
    "relax_collector",
    "run_scenario",
    "tool",
]
