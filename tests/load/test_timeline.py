"""A timeline keeps everything that happened in a bounded number of bins."""

from coordinator.load.timeline import MOST_BINS, OPEN, Timeline


def test_bins_grow_wider_and_never_more_than_there_may_be():
    timeline = Timeline()
    for second in range(100_000):
        there = timeline.at(second)
        there.ended += 1
        there.in_flight = max(there.in_flight, second % 7)
    assert len(timeline.bins) <= MOST_BINS
    assert sum(one.ended for one in timeline.bins) == 100_000
    assert timeline.width * len(timeline.bins) >= 100_000


def test_a_wider_bin_keeps_the_worst_state_of_a_breaker():
    timeline = Timeline()
    timeline.at(1.0).breakers["crm"] = OPEN
    timeline.at(1_000_000.0)
    assert timeline.bins[0].breakers == {"crm": OPEN}


def test_a_stretch_in_which_nothing_happened_is_as_the_one_before_it_ended():
    timeline = Timeline()
    timeline.at(0.0).used["global"] = 0.5
    timeline.in_flight, timeline.down = 20, {"crm": OPEN}
    late = timeline.at(1.0)
    assert [one.in_flight for one in timeline.bins[1:]] == [20] * 10
    assert (late.used, late.breakers) == ({"global": 0.5}, {"crm": OPEN})
