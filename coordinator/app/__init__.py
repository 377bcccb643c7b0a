"""The app: builds the holders, composes the pipelines, opens resources, starts and ends runs."""

from coordinator.app.coordinator import Coordinator
from coordinator.app.ports import Ports
from coordinator.app.snapshot import Snapshot

__all__ = ["Coordinator", "Ports", "Snapshot"]
