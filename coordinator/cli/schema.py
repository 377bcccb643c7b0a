"""`coordinator schema`: the JSON Schema of scenario files."""

import json

from coordinator.scenario import json_schema


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors and other programs."""
    print(json.dumps(json_schema(), indent=2))
