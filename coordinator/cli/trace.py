"""`coordinator trace`: what a run did, from the file that it left behind."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.drawing import draw
from coordinator.cli.figures import counted, duration, model_name, money, printable
from coordinator.cli.report import STYLES
from coordinator.cli.screen import screen
from coordinator.domain.errors import Invalid
from coordinator.telemetry import run_files
from coordinator.telemetry.run_files import LAST, Record
from coordinator.telemetry.story import REFUSED, Spending, Story, tell
from coordinator.telemetry.trace_page import page_of
from coordinator.telemetry.tree import Node
from coordinator.workspace import find_workspace

_COUNTED = {"retry": "retried attempt", "fallback": "fallback", REFUSED: "refusal"}


def trace(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Its id, the beginning of it, last, or a file of events.")
    ] = LAST,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with a timeline to FILE instead.")
    ] = None,
) -> None:
    """Print the tree of a run with time, money, retries and refusals.

    Runs are those that `coordinator run` has recorded in .coordinator/runs of the workspace.
    """
    story = tell(_record(run))
    if html is not None:
        html.write_text(page_of(story), encoding="utf-8")
        print(f"{story.tree.run_id}: {story.headline()}; the page is in {html}")
        return
    console = screen()
    for number, part in enumerate(_parts(story, console)):
        if number:
            console.print()
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text) and not console.is_terminal)


def _record(asked: str) -> Record:
    path = Path(asked)
    if path.is_file() or path.suffix == run_files.SUFFIX or os.sep in asked:
        return run_files.read(path)
    try:
        root = find_workspace().root
    except Invalid as error:
        hint = "stand in a workspace, or name the file that `coordinator run --events FILE` has written"
        raise Invalid(error.message, code=error.code, hint=hint) from None
    return run_files.read(run_files.find(root / run_files.FOLDER, asked))


def _parts(story: Story, console: Console) -> Iterator[RenderableType]:
    """Yield what is printed, part by part."""
    yield _head(story)
    warnings = [Text(f"! {told}", "yellow") for told in story.shortcomings()]
    if warnings:
        yield Text("\n").join(warnings)
    _name_figures(story)
    yield draw(story.tree, console, live=False)
    yield _bill(story)
    issues = [f"! {issue.code}: {printable(issue.message)}" for issue, _ in story.issues]
    if issues:
        yield Text("\n".join(issues), "yellow")
    yield _end(story)


def _head(story: Story) -> Text:
    about, began = story.record.about, datetime.fromtimestamp(story.started, UTC).astimezone()
    facts = [str(about.get("name", "")), story.tree.tenant, began.strftime("%Y-%m-%d %H:%M:%S")]
    others = story.record.others
    facts += [f"the last of {others + 1} runs in {story.record.path}"] if others else []
    return Text(story.tree.run_id, "bold") + Text("".join(f" · {printable(fact)}" for fact in facts if fact), "dim")


def _name_figures(story: Story) -> None:
    """Put into the tree what a line can hold beside time and money."""
    for node in story.nodes():
        facts = node.facts
        if node.kind == "model" and "output_tokens" in facts:
            node.detail = f"{facts['input_tokens']:,} → {facts['output_tokens']:,} tokens"
        elif node.kind == "tool" and facts.get("passages"):
            node.detail = counted(facts["passages"], "passage")


def _bill(story: Story) -> Table:
    """Return who spent what: agents, then models and tools."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    for _ in range(4):
        grid.add_column(justify="right", no_wrap=True)
    grid.add_row(*(Text(title, "dim") for title in ("", "calls", "tokens in", "out", "cost")))
    for one in story.spending(_agent):
        grid.add_row(*_row(one))
    grid.add_row()
    for one in story.spending(_target):
        grid.add_row(*_row(one))
    return grid


def _row(one: Spending) -> Iterator[Text]:
    yield Text(printable(model_name(one.name)))
    yield Text(f"{one.calls:,}")
    yield Text(f"{one.input_tokens:,}" if one.input_tokens else "")
    yield Text(f"{one.output_tokens:,}" if one.output_tokens else "")
    yield Text(money(one.cost) if one.cost else "", "dim")


def _agent(node: Node) -> str:
    return node.agent


def _target(node: Node) -> str:
    return node.name


def _end(story: Story) -> Text:
    style = next((style for known, style in STYLES.items() if known == story.status), "bold red")
    status = Text(printable(story.status), style)
    tree, code = story.tree, story.root.code
    facts = [code] if code not in ("ok", "", story.status) else []
    facts += [duration(story.seconds), f"{money(story.cost)} of {money(tree.ceiling)}"]
    facts += [counted(story.count(kind), word) for kind, word in _COUNTED.items() if story.count(kind)]
    facts += [f"{duration(seconds)} waited for {cause}" for cause, seconds in story.waits.items()]
    return status + Text("".join(f" · {fact}" for fact in facts), "dim")
