"""Everything that a Coordinator keeps, as it stands."""

from coordinator.domain.value import value
from coordinator.pipelines import Holders
from coordinator.policies.admission import AdmissionState
from coordinator.stores.memory.books import AccountState
from coordinator.stores.memory.breaker import BreakerState
from coordinator.stores.memory.estimates import EstimateState
from coordinator.stores.memory.gate import GateState
from coordinator.stores.memory.replies import RepliesState
from coordinator.stores.memory.retries import RetryTally
from coordinator.stores.memory.stragglers import StragglersState


@value
class Snapshot:
    """The state of every holder at one moment: what is at work, what is held, what is down."""

    admission: AdmissionState
    accounts: tuple[AccountState, ...]
    gates: tuple[GateState, ...]
    breakers: tuple[BreakerState, ...]
    retries: tuple[RetryTally, ...]
    estimates: tuple[EstimateState, ...]
    stragglers: StragglersState
    replies: RepliesState | None = None
    """None when nothing is cached."""

    @staticmethod
    def of(held: Holders) -> "Snapshot":
        """Ask every holder."""
        return Snapshot(
            admission=held.admission.snapshot(),
            accounts=held.ledger.snapshot(),
            gates=held.gates.snapshot(),
            breakers=held.breakers.snapshot(),
            retries=held.retries.snapshot(),
            estimates=held.estimates.snapshot(),
            stragglers=held.stragglers.snapshot(),
            replies=held.replies.snapshot() if held.replies is not None else None,
        )
