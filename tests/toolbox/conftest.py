"""What the tests of the toolbox share."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def elsewhere() -> Callable[[Callable[[], object]], object]:
    """Run a function in another thread."""

    def run(work: Callable[[], object]) -> object:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result()

    return run
