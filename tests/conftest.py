"""Every async test runs in virtual time; the marker `real_time` opts out of it."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from coordinator.simulation.clock import VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("real_time"):
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualLoop}
