"""THE place: the four onions, outermost layer first. `tests/test_pipelines.py` states these orders by name."""

from collections.abc import Sequence
from typing import Any

from coordinator.domain import ports
from coordinator.domain.briefs import Report
from coordinator.domain.calls import DelegationCall, ModelCall, RunCall, RunReply, ToolCall, ToolReply
from coordinator.domain.errands import Stragglers
from coordinator.domain.layer import Handler, Layer, onion
from coordinator.domain.limits import RetryLimits
from coordinator.domain.model import ModelReply, Target
from coordinator.domain.timer import Alarms
from coordinator.domain.value import value
from coordinator.policies.accounts import Accounts
from coordinator.policies.admission import Admission
from coordinator.policies.breaker import Breaker
from coordinator.policies.budget import Budget
from coordinator.policies.cache import Cache
from coordinator.policies.coalescing import Coalescing
from coordinator.policies.contract import Contract
from coordinator.policies.deadline import Deadline
from coordinator.policies.depth import Depth
from coordinator.policies.fallback import Fallback
from coordinator.policies.loop_guard import LoopGuard
from coordinator.policies.output_contract import OutputContract
from coordinator.policies.pricing import ModelPrices, ToolPrices
from coordinator.policies.rate_limit import RateLimit
from coordinator.policies.retry import Retry
from coordinator.policies.rights import Rights
from coordinator.policies.route import Route
from coordinator.policies.timeout import Timeout
from coordinator.policies.trace import OfDelegations, OfModels, OfRuns, OfTools, Trace
from coordinator.policies.trace_content import delegations, models, runs, told, tools

RunLayers = Sequence[Layer[RunCall, RunReply]]
DelegationLayers = Sequence[Layer[DelegationCall, Report[Any]]]
ModelLayers = Sequence[Layer[ModelCall, ModelReply]]
ToolLayers = Sequence[Layer[ToolCall, ToolReply]]


@value
class Holders:
    """The shared state and the numbers that the layers are built from; made in `app/holders.py`."""

    admission: Admission
    ledger: ports.Ledger
    accounts: Accounts
    gates: ports.Gates
    estimates: ports.Estimates
    breakers: ports.Breakers
    retries: ports.RetryBudget
    chance: ports.Chance
    retry: RetryLimits
    routes: dict[str, tuple[Target, ...]]
    prices: ModelPrices
    alarms: Alarms
    stragglers: Stragglers
    replies: ports.Replies | None = None
    """None when nothing is cached."""
    faults: ToolLayers = ()
    model_faults: ModelLayers = ()
    content: bool = False
    """Whether events carry what is asked and answered."""


def run_layers(held: Holders) -> RunLayers:
    """Return the layers of a run."""
    return (Trace(told(OfRuns(), runs, held.content)), held.admission, Deadline(held.alarms))


def delegation_layers(held: Holders) -> DelegationLayers:
    """Return the layers of a delegation."""
    trace = Trace(told(OfDelegations(), delegations, held.content))
    return (trace, Rights(), Depth(), LoopGuard(), Deadline(held.alarms))


def model_layers(held: Holders) -> ModelLayers:
    """Return the layers of a model call."""
    return (
        Trace(told(OfModels(held.routes), models, held.content)),
        *((Cache(held.replies),) if held.replies is not None else ()),
        Route(held.routes),
        Retry(held.chance, held.retries, held.retry),
        RateLimit(held.gates, held.estimates),
        Budget(held.ledger, held.accounts, held.prices),
        Breaker(held.breakers),
        Timeout(held.alarms),
        *((Coalescing(held.prices),) if held.replies is not None else ()),
        *held.model_faults,
    )


def tool_layers(held: Holders) -> ToolLayers:
    """Return the layers of a tool call."""
    return (
        Trace(told(OfTools(), tools, held.content)),
        Rights(),
        Contract(),
        LoopGuard(),
        Fallback(),
        Retry(held.chance, held.retries, held.retry),
        RateLimit(held.gates, held.estimates),
        Budget(held.ledger, held.accounts, ToolPrices()),
        Breaker(held.breakers),
        Timeout(held.alarms),
        OutputContract(),
        *held.faults,
    )


@value
class Cores:
    """What stands inside each onion."""

    delegation: Handler[DelegationCall, Report[Any]]
    model: Handler[ModelCall, ModelReply]
    tool: Handler[ToolCall, ToolReply]


@value
class Pipelines:
    """The three pipelines that agents' calls pass; the fourth wraps the run itself."""

    delegation: Handler[DelegationCall, Report[Any]]
    model: Handler[ModelCall, ModelReply]
    tool: Handler[ToolCall, ToolReply]


def compose(held: Holders, cores: Cores) -> Pipelines:
    """Compose the pipelines once per Coordinator."""
    return Pipelines(
        onion(cores.delegation, *delegation_layers(held)),
        onion(cores.model, *model_layers(held)),
        onion(cores.tool, *tool_layers(held)),
    )


def around_run(held: Holders, core: Handler[RunCall, RunReply]) -> Handler[RunCall, RunReply]:
    """Compose the pipeline of runs around *core*."""
    return onion(core, *run_layers(held))
