"""A recorded run on a terminal: its head, its tree, who spent what, its issues and its end."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.drawing import draw
from coordinator.cli.figures import counted, duration, model_name, money, printable
from coordinator.cli.report import STYLES
from coordinator.telemetry.story import REFUSED, Spending, Story, reused, tokens
from coordinator.telemetry.tree import Node

_COUNTED = {"retry": "retried attempt", "fallback": "fallback", REFUSED: "refusal"}


def print_story(story: Story, console: Console) -> None:
    """Print *story*: wrapped to a terminal, in whole lines to anything else."""
    for number, part in enumerate(_parts(story, console)):
        if number:
            console.print()
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text) and not console.is_terminal)


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
    rest = "".join(f" · {printable(fact)}" for fact in facts if fact)
    return Text.assemble((story.tree.run_id, "bold"), (rest, "dim"))


def _name_figures(story: Story) -> None:
    """Put into the tree what a line can hold beside time and money."""
    for node in story.nodes():
        facts = node.facts
        if node.kind == "model" and "output_tokens" in facts:
            node.detail = " ".join(filter(None, (tokens(node), reused(node))))
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
    for one in story.by_target():
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


def _end(story: Story) -> Text:
    style = next((style for known, style in STYLES.items() if known == story.status), "bold red")
    tree, code = story.tree, story.root.code
    facts = [code] if code not in ("ok", "", story.status) else []
    facts += [duration(story.seconds), f"{money(story.cost)} of {money(tree.ceiling)}"]
    facts += [counted(story.count(kind), word) for kind, word in _COUNTED.items() if story.count(kind)]
    facts += [f"{duration(seconds)} waited for {cause}" for cause, seconds in story.waits.items()]
    return Text.assemble((printable(story.status), style), ("".join(f" · {fact}" for fact in facts), "dim"))
