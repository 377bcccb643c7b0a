"""How a run ended, on standard output: the reply, its citations, what is missing, and one line of facts."""

import json

from rich.console import Console
from rich.text import Text

from coordinator.cli.drawing import WIDEST
from coordinator.cli.figures import counted, duration, model_name, money, printable
from coordinator.domain.citing import Citation
from coordinator.domain.money import micros
from coordinator.domain.result import RunResult, Status

STYLES = {Status.COMPLETED: "bold green", Status.FLAGGED: "bold yellow", Status.ESCALATED: "bold yellow"}


def tell(result: RunResult, console: Console) -> None:
    """Print *result* for a person: wrapped to a terminal, in whole lines to anything else."""
    for number, part in enumerate(_parts(result)):
        if number or console.is_terminal:
            _print(console, Text())
        _print(console, part)


def as_json(result: RunResult) -> str:
    """Return *result* as one JSON object, in ASCII, so that no encoding of a terminal can break it."""
    return json.dumps(result.model_dump(mode="json"))


def _parts(result: RunResult) -> list[Text]:
    parts = [Text(printable(result.text.strip()))] if result.text.strip() else []
    if result.citations:
        parts.append(Text("\n").join(_citation(number, one) for number, one in enumerate(result.citations, start=1)))
    # What the reply itself says, such as why it goes to a person, need not be read twice where its cause is told.
    untold = [issue for issue in result.issues if issue.message.rstrip(".") not in result.text] or result.issues
    issues = [f"! {issue.code}: {printable(issue.message)}" for issue in untold]
    if issues:
        parts.append(Text("\n".join(issues), "yellow"))
    return [*parts, _facts(result)]


def _citation(number: int, citation: Citation) -> Text:
    line = "" if citation.line is None else f":{citation.line}"
    return Text(f"[{number}] {printable(citation.source)}{line}", "dim")


def _facts(result: RunResult) -> Text:
    status = Text(result.status.value, STYLES.get(result.status, "bold red"))
    facts = [
        counted(result.turns, "turn"),
        counted(result.steps, "step"),
        duration(result.duration_s),
        f"{money(micros(result.cost_usd))} of {money(micros(result.ceiling_usd))}",
        model_name(result.model) if result.model else "no model",
        result.run_id,
    ]
    return status + Text("".join(f" · {fact}" for fact in facts), "dim")


def _print(console: Console, text: Text) -> None:
    # A file gets each paragraph as one line: whoever reads it decides where to break.
    width = min(console.width, WIDEST) if console.is_terminal else None
    console.print(text, width=width, soft_wrap=width is None, highlight=False)
