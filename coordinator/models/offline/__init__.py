"""The offline model: extraction with citations, no language model, no network."""

from coordinator.models.offline.engine import OfflineModel, answer

__all__ = ["OfflineModel", "answer"]
