"""From a scenario file to a Scenario: everything that can be wrong in it is found before anything starts."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from coordinator.domain.errors import Invalid
from coordinator.domain.events import Observer
from coordinator.domain.result import RunResult
from coordinator.domain.team import Team
from coordinator.domain.value import value
from coordinator.models.scripted import ScriptedReply
from coordinator.scenario.checking import check_names, find_world
from coordinator.scenario.complaints import complaint
from coordinator.scenario.document import Document, read_document
from coordinator.scenario.file import ScenarioFile
from coordinator.scenario.inputs import Inputs
from coordinator.scenario.running import Scenario
from coordinator.settings import Settings, load_settings
from coordinator.workspace import Workspace, find_workspace, load_team


@value
class Overrides:
    """What the user says in place of the file.

    *task* and *tenant* are taken literally; *model* replaces that of every agent; *inputs* replaces declared inputs,
    and their paths are relative to *folder*.
    """

    task: str | None = None
    tenant: str | None = None
    model: str | None = None
    inputs: Mapping[str, str | Path] = field(default_factory=dict)
    folder: Path = Path()
    content: bool = False
    """Whether events carry what is said, although the settings may not ask for it."""


async def run_scenario(
    path: str | Path,
    *,
    task: str | None = None,
    tenant: str | None = None,
    model: str | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    observers: Sequence[Observer] = (),
) -> RunResult:
    """Run the scenario at *path* once; its expectations are not judged.

    Args:
        path: the scenario file, relative to the current folder.
        task: replaces what is asked.
        tenant: replaces who pays.
        model: replaces the model of every agent.
        inputs: replaces declared inputs; paths are relative to the current folder.
        observers: are told every event.

    Raises:
        Invalid: something in the scenario is wrong, with file and line; nothing was started.
    """
    return await open_scenario(Path(path), Overrides(task, tenant, model, inputs or {})).run(observers)


def open_scenario(path: Path, overrides: Overrides | None = None) -> Scenario:
    """Read the scenario at *path*, load its team and check everything that it names.

    Raises:
        Invalid: what is wrong, with file and line.
    """
    asked = overrides or Overrides()
    document = read_document(path)
    inputs = Inputs(document, asked.inputs, asked.folder)
    file = _parse(document, inputs, asked)
    workspace = find_workspace(path)
    settings = _settings(document, file, workspace)
    team = _team(document, file, settings, workspace)
    if file.model is not None:
        settings = _with_model(file.model, settings, team)
    if asked.content:
        settings = settings.model_copy(update={"content": True})
    check_names(document, file, team, settings)
    places = settings.places()
    world = {**places, **find_world(document, file, inputs, places)}
    script = _script(document, file, asked)
    return Scenario(document, file, team, settings, world, script, model_given=asked.model is not None)


def _parse(document: Document, inputs: Inputs, asked: Overrides) -> ScenarioFile:
    values = inputs.fill(document.values)
    for name, given in (("task", asked.task), ("tenant", asked.tenant), ("model", asked.model)):
        if given is not None:
            values[name] = _literal(name, given)
    try:
        return ScenarioFile.model_validate(values)
    except ValidationError as error:
        raise complaint(document, error) from None


def _literal(name: str, given: object) -> str:
    hint = f"leave it out to keep the scenario's own {name}"
    if not isinstance(given, str):
        raise Invalid(f"the given {name} is no text: {given!r}", code="usage", hint=hint)
    if not given.strip():
        raise Invalid(f"the given {name} is empty", code="usage", hint=hint)
    try:
        given.encode()
    except UnicodeEncodeError:
        raise Invalid(f"the given {name} is not UTF-8 text", code="usage", hint="check its encoding") from None
    return given


def _settings(document: Document, file: ScenarioFile, workspace: Workspace) -> Settings:
    try:
        return load_settings(workspace.root, **file.settings)
    except Invalid as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError) and {str(one["loc"][0]) for one in cause.errors()} & set(file.settings):
            raise complaint(document, cause, under=("settings",)) from None
        raise


def _with_model(model: str, settings: Settings, team: Team) -> Settings:
    """Return *settings* in which every agent of *team* uses *model*, whatever class or model it names itself."""
    classes = [*settings.models, *(member.model for member in team.agents.values())]
    return settings.model_copy(update={"models": dict.fromkeys(classes, model)})


def _team(document: Document, file: ScenarioFile, settings: Settings, workspace: Workspace) -> Team:
    name = file.team or settings.team
    if name is None:
        raise document.wrong(
            ("team",), "no team is named", hint=f"add `team: module:attribute` here, or in {workspace.marker}"
        )
    try:
        return load_team(name, workspace)
    except Invalid as error:
        if file.team and error.code in ("bad_team_name", "no_such_team", "not_a_team"):
            raise document.wrong(("team",), error.message, hint=error.hint, code=error.code) from None
        raise


def _script(document: Document, file: ScenarioFile, asked: Overrides) -> Sequence[ScriptedReply]:
    scripted = (file.model or "").partition(":")[0] == "scripted"
    if file.script is None:
        if scripted:
            raise document.wrong(("model",), "the scripted model has no script", hint="add `script:` with its replies")
        return ()
    if not scripted and asked.model is None:
        raise document.wrong(("script",), "only the scripted model plays a script", hint="add `model: scripted`")
    return _replies(document, file.script) if isinstance(file.script, str) else file.script


def _replies(document: Document, name: str) -> Sequence[ScriptedReply]:
    try:
        replies = read_document(document.path.parent / name, kind=list)
    except Invalid as error:
        if error.code in ("missing_file", "unreadable_file"):
            raise document.wrong(("script",), error.message, hint=error.hint, code=error.code) from None
        raise
    try:
        return TypeAdapter(list[ScriptedReply]).validate_python(replies.values)
    except ValidationError as error:
        raise complaint(replies, error, shape=("script",)) from None
