"""Where settings come from besides code: the environment and the workspace's file; and which of them said what."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
)

from coordinator.domain.errors import Invalid
from coordinator.domain.surfaces import NO_SURFACE
from coordinator.workspace import find_workspace

PREFIX = "coordinator_"
# Read before any settings are, by the values themselves; and what Kubernetes sets in every container for a service of
# our name.
FOREIGN = re.compile(r"frozen_values|service_host|service_port(_\w+)?|port(_\d\w*)?")
ANSWERED_TOGETHER = frozenset({"missing", "value_error", NO_SURFACE})
"""Kinds of errors in one source that another may make good: a part that is missing, parts that do not fit together."""
SERVERS = frozenset({"uvicorn", "gunicorn", "hypercorn", "granian", "fastapi"})
"""Programs that can start several processes of a service."""
_WORKERS = re.compile(r"(?:^|\s)(?:--workers|-w)[=\s]?(\d{1,6})(?=\s|$)")
_FRACTION = re.compile(r"\s*(\d{1,9})\s*/\s*([1-9]\d{0,8})\s*")


class Environment(EnvSettingsSource):
    """The variables that begin with COORDINATOR_; one that names no setting is an error, as everywhere else."""

    def __call__(self) -> dict[str, Any]:
        """Return what the variables say.

        Raises:
            Invalid: `bad_settings`, when one names no setting, or means nothing, also where code has the last word.
        """
        for name in self.env_vars:
            setting = name.removeprefix(PREFIX)
            if name.startswith(PREFIX) and not FOREIGN.fullmatch(setting) and not self._names(setting):
                near = get_close_matches(setting, self.settings_cls.model_fields, n=1)
                raise Invalid(
                    f"the environment variable {name.upper()} names no setting", code="bad_settings",
                    hint=f"did you mean {(PREFIX + near[0]).upper()}?" if near else "unset it",
                )  # fmt: skip
        said = super().__call__()
        check_alone(self.settings_cls, said, self._where)
        return said

    def _where(self, place: Sequence[str]) -> str:
        """Return the variable that says what stands at *place*: the longest of those that may."""
        names = ("__".join(place[:length]) for length in range(len(place), 0, -1))
        found = (f"{PREFIX}{name}".upper() for name in names if f"{PREFIX}{name}".lower() in self.env_vars)
        return next(found, "the environment")

    def _names(self, name: str) -> bool:
        """Whether *name* is a setting, or a part of one that has parts."""
        setting, parted, _ = name.partition("__")
        field = self.settings_cls.model_fields.get(setting)
        return field is not None and (not parted or self.field_is_complex(field))


def check_alone(kind: type[BaseSettings], said: Mapping[str, Any], where: Callable[[Sequence[str]], str]) -> None:
    """Check what one source said by itself: another that goes before it may hide what is wrong with it.

    What only the sources together can answer for is not looked at: what is missing, and surfaces that stand elsewhere.

    Args:
        kind: of the settings.
        said: by the source.
        where: says where in it stands what is at a place of the settings.

    Raises:
        Invalid: `bad_settings`, with the place where it can be repaired.
    """
    if not said:
        return
    try:
        kind.__pydantic_validator__.validate_python(dict(said), self_instance=kind.__new__(kind))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        found = [one for one in errors if one["type"] not in ANSWERED_TOGETHER]
        if found:
            raise bad_settings(found, f"correct it in {where([*map(str, found[0]['loc'])])}") from None


def bad_settings(found: Sequence[ErrorDetails], hint: str) -> Invalid:
    """Return the error that tells the first of what was *found* wrong; its details tell all, by their settings."""
    wrong = {".".join(map(str, one["loc"])): one["msg"] for one in found}
    first = found[0]
    given = "" if first["loc"][0] == "providers" else f" (given {first['input']!r})"  # it may be a key
    return Invalid(
        f"setting {next(iter(wrong))} is wrong: {first['msg']}{given}", code="bad_settings", hint=hint,
        details={"loc": first["loc"], "wrong": wrong},
    )  # fmt: skip


def fraction(given: Any) -> Any:
    """Return what a text such as `1/4` means, and everything else as it is."""
    found = _FRACTION.fullmatch(given) if isinstance(given, str) else None
    return int(found[1]) / int(found[2]) if found else given


def server_workers(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return how many processes the server was told to start that this one belongs to; 1 where nobody said.

    Args:
        command: the words with which the process was started; workers have those of their server.
        environment: its variables; servers read `WEB_CONCURRENCY`.
    """
    program = Path(command[0]) if command else Path()
    said: list[str] = []
    if SERVERS & {program.stem, program.parent.name}:
        said = _WORKERS.findall(" ".join([*command[1:], environment.get("GUNICORN_CMD_ARGS", "")]))
    told = said[0] if said else environment.get("WEB_CONCURRENCY", "")
    return max(1, int(told)) if told.isdecimal() else 1


def workspace_file(start: Path) -> Path | None:
    """Return the file that marks the workspace around *start*; None outside of any."""
    try:
        return find_workspace(folder=start).marker
    except Invalid as error:
        if error.code != "no_workspace":
            raise
        return None


def file_source(settings_cls: type[BaseSettings], file: Path) -> InitSettingsSource:
    """Return the source of settings in *file*, which marks a workspace: all of it, or a pyproject's own table.

    Raises:
        Invalid: `bad_toml`, when that is no table; `bad_settings`, when something in it means nothing.
    """
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    if file.name == "pyproject.toml":
        table = table["tool"]["coordinator"]
        if not isinstance(table, dict):
            raise Invalid(f"{file}: tool.coordinator is no table", code="bad_toml", hint="write [tool.coordinator]")
    check_alone(settings_cls, table, lambda _: str(file))
    return InitSettingsSource(settings_cls, table)


def origin(settings: BaseSettings, file: Path | None, table: str, entry: str) -> str:
    """Say which variable or file gave the *entry* of a *table* of *settings*; "" when none of them did.

    Args:
        settings: as they were loaded.
        file: that marks the workspace, where there is one.
        table: a setting that is a table, such as models.
        entry: the name of something in it.
    """
    kind = type(settings)
    if entry in Environment(kind)().get(table, {}):
        return f"{PREFIX}{table}".upper()
    if file is not None and entry in file_source(kind, file)().get(table, {}):
        return str(file)
    return ""
