"""A sample meets its share of what runs have in common, and all of what each has for itself."""

import pytest

from coordinator import Settings
from coordinator.load.scaling import scaled

WHOLE = Settings(
    run_usd=0.2, session_usd=0.5, user_day_usd=1, tenant_day_usd=10, global_usd=100,
    rates={"offline:*": {"requests": 6000, "tokens": 10_000_000, "per_s": 60, "queue": 500}, "crm": {"requests": 50}},
    tenants={"acme": {"tenant_day_usd": 20}},
    surfaces={"paid": {"user_day_usd": 2}},
    admission={"runs": 100, "waiting": 1000},
)  # fmt: skip


def test_ceilings_of_days_shrink_and_those_of_runs_and_sessions_do_not():
    part = scaled(WHOLE, 0.02)
    assert part.user_day_usd == pytest.approx(0.02)
    assert part.tenant_day_usd == pytest.approx(0.2)
    assert part.global_usd == pytest.approx(2)
    assert part.tenants["acme"].tenant_day_usd == pytest.approx(0.4)
    assert part.surfaces["paid"].user_day_usd == pytest.approx(0.04)
    assert (part.run_usd, part.session_usd) == (0.2, 0.5)


def test_places_and_queues_shrink():
    part = scaled(WHOLE, 0.02)
    assert (part.admission.runs, part.admission.waiting) == (2, 20)
    assert part.rates["offline:*"].queue == 10


@pytest.mark.parametrize("share", [0.5, 0.02, 0.001])
def test_rates_keep_their_ratio_even_when_the_window_must_grow(share):
    for name, rate in scaled(WHOLE, share).rates.items():
        before = WHOLE.rates[name]
        assert rate.requests / rate.per_s == pytest.approx(before.requests / before.per_s * share, rel=0.06)
        assert rate.requests >= 9


def test_a_whole_is_left_as_it_is():
    assert scaled(WHOLE, 1.0) is WHOLE
