import math
import random

import pytest

from coordinator.stores.memory.lows import MOST, Lows


def test_the_lowest_level_since_any_moment_is_known():
    chance, lows, noted = random.Random(1), Lows(), []
    for moment in range(2000):
        level = chance.random() * 100
        noted.append(level)
        lows.note(moment, level)
        since = chance.randint(max(0, moment - 50), moment)
        assert lows.since(since) == min(noted[since + 1 :], default=math.inf)


def test_a_long_rise_is_remembered_in_bounded_space_and_never_too_high():
    lows = Lows()
    for moment in range(10_000):
        lows.note(moment, moment + 1.0)
    assert len(lows._times) == len(lows._levels) <= MOST
    assert lows._times == sorted(lows._times)
    for moment in range(0, 9_999, 7):
        assert lows.since(moment) <= moment + 2
    assert lows.since(9_998) == pytest.approx(10_000, rel=0.1)
