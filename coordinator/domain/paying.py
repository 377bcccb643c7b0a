"""Who holds money while it waits, and so must not wait for others who may need that very money."""

from contextvars import ContextVar

from coordinator.domain import ports

PAYING: ContextVar[tuple[ports.Ledger, ...]] = ContextVar("PAYING", default=())
"""The ledgers on which the priced tools hold money that the current code runs inside of."""
