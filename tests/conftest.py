"""Every async test runs in virtual time; the marker `real_time` opts out of it. `plants` asks for pure Python."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from coordinator.engine import loop
from coordinator.simulation.clock import VirtualLoop

COMPILED = not str(loop.__file__).endswith(".py")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("real_time"):
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualLoop}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--compiled", action="store_true", help="fail unless it is the compiled build that is tested")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--compiled") and not COMPILED:
        raise pytest.UsageError(f"{loop.__file__} is pure Python: run `make test-compiled`")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if COMPILED and item.get_closest_marker("plants"):
        pytest.skip("plants a defect, or a witness, by patching or subclassing what is compiled here")
