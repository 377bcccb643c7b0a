"""Percentiles that need little memory are right within one hundredth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.load.histogram import Histogram, Percentiles

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}


def filled(values):
    histogram = Histogram()
    for number in values:
        histogram.add(number)
    return histogram


@given(st.lists(st.floats(1e-4, 1e5), min_size=1, max_size=300))
def test_every_percentile_is_within_one_hundredth_of_the_true_one(values):
    found, ranked = filled(values).summary(), sorted(values)
    for name, share in SHARES.items():
        true = ranked[max(0, -int(-share * len(ranked) // 1) - 1)]
        assert getattr(found, name) == pytest.approx(true, rel=0.011)
    assert found.max == ranked[-1]
    assert found.mean == pytest.approx(sum(values) / len(values))


@given(st.lists(st.floats(0, 1e5)), st.lists(st.floats(0, 1e5)))
def test_two_that_are_merged_are_the_same_as_one(left, right):
    merged = filled(left)
    merged.merge(filled(right))
    together = filled([*left, *right])
    assert [merged.percentile(share) for share in SHARES.values()] == [
        together.percentile(share) for share in SHARES.values()
    ]
    assert merged.count == together.count


def test_a_million_measurements_take_no_more_room_than_a_thousand():
    small, large = filled(0.5 + n % 97 / 97 for n in range(1_000)), filled(0.5 + n % 997 / 997 for n in range(100_000))
    assert len(large._buckets) <= len(small._buckets) + 2


def test_nothing_measured_is_all_zero():
    assert Histogram().summary() == Percentiles()
    assert Histogram().percentile(0.5) == 0
