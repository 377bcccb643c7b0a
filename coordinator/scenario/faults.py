"""Files of faults: lists in the form of `faults:`, for commands that let any scenario meet them."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from coordinator.scenario.checking import check_faults
from coordinator.scenario.complaints import complaint
from coordinator.scenario.document import read_document
from coordinator.scenario.running import Scenario
from coordinator.simulation.faults import FaultRule

_RULES = TypeAdapter(list[FaultRule])


def open_faults(path: Path, scenario: Scenario) -> Sequence[FaultRule]:
    """Read the faults at *path*, which concern the tools and models of *scenario*.

    Raises:
        Invalid: what is wrong, with file and line, such as `unknown_tool`, `unknown_tier` and `unknown_model` with the
            nearest name.
    """
    document = read_document(path, kind=list)
    try:
        rules = _RULES.validate_python(document.values)
    except ValidationError as error:
        raise complaint(document, error, shape=("faults",)) from None
    check_faults(document, rules, scenario.team, scenario.settings)
    return rules
