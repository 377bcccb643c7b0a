import pytest

from coordinator.domain.errors import Invalid
from coordinator.domain.limits import RetryLimits
from coordinator.settings import Settings, load_settings


def test_limits_of_breakers_come_from_the_settings():
    limits = Settings(breaker={"failures": 3, "rate": 0.2, "window_s": 5, "calls": 7}).breaker.limits()
    assert (limits.failures, limits.rate, limits.window_s, limits.calls) == (3, 0.2, 5, 7)


def test_a_retry_whose_first_wait_is_above_the_longest_is_refused_in_one_line(tmp_path):
    with pytest.raises(Invalid, match=r"base_s = 5 is above cap_s = 2; raise cap_s or lower base_s"):
        load_settings(tmp_path, retry={"base_s": 5, "cap_s": 2})


def test_a_longest_wait_that_nobody_wrote_gives_way_to_the_first():
    assert Settings(retry={"base_s": 30}).retry.limits() == RetryLimits(3, 30, 30)
    assert Settings(retry={"cap_s": 0.1}).retry.limits() == RetryLimits(3, 0.2, 0.1)


def test_failures_in_a_row_that_nobody_wrote_give_way_to_the_results_of_a_share():
    assert Settings(breaker={"calls": 3}).breaker.limits().failures == 3


def test_a_share_counts_no_earlier_than_failures_in_a_row_do():
    assert Settings(breaker={"failures": 50}).breaker.limits().calls == 50


@pytest.mark.parametrize(
    ("breaker", "said"),
    [
        ({"failures": 5, "calls": 4}, "calls = 4 is below failures = 5"),
        ({"rate": 0}, "greater than 0"),
        ({"rate": 1.5}, "less than or equal to 1"),
        ({"window_s": -1}, "greater than 0"),
        ({"calls": 0}, "greater than or equal to 1"),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(tmp_path, breaker, said):
    with pytest.raises(Invalid) as invalid:
        load_settings(tmp_path, breaker=breaker)
    assert said in str(invalid.value)
    assert "\n" not in str(invalid.value)
