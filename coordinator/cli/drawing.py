"""The tree of a run, drawn for a terminal."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from coordinator.cli.figures import counted, duration, model_name, money, printable
from coordinator.telemetry.tree import Node, RunTree

WIDEST = 100
"""Columns; on a wider terminal the figures would stand too far from their lines."""
STYLES = {"agent": "bold", "state": "cyan", "model": "", "tool": "", "note": "yellow"}
BRANCH, LAST, DOWN, NOTHING = "├─ ", "└─ ", "│  ", "   "
PLAIN = str.maketrans("├└│─", "|`|-")
SPINNER, PLAIN_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
TURNS_A_SECOND = 10


def draw(tree: RunTree, console: Console, *, live: bool) -> RenderableType:
    """Return *tree* as it is now; while *live*, only what fits on the screen, and a line that says how far it is."""
    if tree.root is None:
        return Text()
    rows = list(_rows(tree.root))
    hidden = max(0, len(rows) - (console.height - 3)) if live else 0
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    if hidden:
        grid.add_row(Text(f"… {counted(hidden, 'line')} above", "dim"))
    plain = console.options.ascii_only
    for guides, node in rows[hidden:]:
        grid.add_row(
            _label(guides.translate(PLAIN) if plain else guides, node),
            _time(tree, node),
            Text(money(node.spent) if node.spent else "", "dim"),
        )
    drawn = Constrain(grid, WIDEST)
    return Group(drawn, _status(tree, plain=plain)) if live else drawn


def _rows(node: Node, before: str = "", guides: str = "") -> Iterator[tuple[str, Node]]:
    yield guides, node
    for index, child in enumerate(node.children):
        last = index + 1 == len(node.children)
        yield from _rows(child, before + (NOTHING if last else DOWN), before + (LAST if last else BRANCH))


def _label(guides: str, node: Node) -> Text:
    label = Text(guides, "dim")
    name = model_name(node.name) if node.kind == "model" else node.name
    label.append(printable(name), STYLES[node.kind])
    if node.attempts > 1:
        label.append(f" · attempt {node.attempts}", "yellow")
    if node.failed:
        label.append(f" {node.code}", "yellow" if node.code == "degraded" else "red")
    if node.detail:
        label.append(f" {printable(node.detail)}", "dim")
    return label


def _time(tree: RunTree, node: Node) -> Text:
    if node.kind == "note":
        return Text()
    return Text(duration(tree.span(node)), "dim" if node.ended is not None else "cyan")


def _money(node: Node) -> Text:
    spent = node.spent
    return Text(money(spent) if spent else "", "dim")


def _status(tree: RunTree, *, plain: bool) -> Text:
    """One line under a tree that still grows: time, money against the ceiling, steps, what is down."""
    frames = PLAIN_SPINNER if plain else SPINNER
    turning = frames[int(tree.seconds * TURNS_A_SECOND) % len(frames)]
    parts = [
        f"{turning} {duration(tree.seconds)}",
        f"{money(tree.cost)} of {money(tree.ceiling)}",
        counted(tree.steps, "step"),
    ]
    down = [name for name, state in tree.breakers.items() if state != "closed"]
    parts += [f"down: {', '.join(down)}"] if down else []
    return Text(" · ".join(parts) if not plain else " | ".join(parts), "cyan", no_wrap=True, overflow="ellipsis")
