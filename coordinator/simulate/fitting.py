"""Whether a scenario can do anything at all within its limits."""

from coordinator.domain.errors import Invalid
from coordinator.domain.result import RunResult, Status

# A run that the settings make impossible; everything else is what load tests and simulations are for.
HOPELESS = frozenset({"unknown_price", "unknown_model"})


def check_fits(result: RunResult, hint: str = "") -> None:
    """Check that *result*, of a run that nothing disturbed, is not a refusal that every other run would meet as well.

    Args:
        result: of the run.
        hint: what may help when it does not fit its ceiling.

    Raises:
        Invalid: `cannot_fit`: no ceiling lets even one run begin.
    """
    refused = result.status is Status.REFUSED and result.code.startswith("budget_")
    if refused or result.code in HOPELESS:
        why = result.issues[-1].message if result.issues else result.code
        told = "even one run cannot fit its ceiling" if refused else "not even one run can begin"
        raise Invalid(f"{told}: {why}", code="cannot_fit", hint=hint if refused else "")
