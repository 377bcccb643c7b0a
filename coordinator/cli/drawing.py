"""The tree of a run, drawn for a terminal."""

from collections.abc import Iterator
from textwrap import wrap

from rich.console import Console, Group, RenderableType
from rich.text import Text

from coordinator.cli.figures import counted, duration, model_name, money, printable
from coordinator.telemetry.tree import Node, RunTree

WIDEST = 100
"""Columns; on a wider terminal the figures would stand too far from their lines."""
SHORTEST = 20
"""Letters of a line of a note, however deep it hangs."""
STYLES = {"agent": "bold", "state": "cyan", "model": "", "tool": "", "note": "yellow"}
BRANCH, LAST, DOWN, NOTHING = "├─ ", "└─ ", "│  ", "   "
PLAIN = str.maketrans("├└│─", "|`|-")
SPINNER, PLAIN_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
TURNS_A_SECOND = 10


def draw(tree: RunTree, console: Console, *, live: bool) -> RenderableType:
    """Return *tree* as it is now; while *live*, only what fits on the screen, and a line that says how far it is."""
    if tree.root is None:
        return Text()
    plain, width = console.options.ascii_only, min(console.width, WIDEST)
    rows = list(_rows(tree.root))
    if not live:
        rows = [row for guides, node in rows for row in _folded(guides, node, width)]
    hidden = max(0, len(rows) - (console.height - 3)) if live else 0
    shown = [
        (_label(guides.translate(PLAIN) if plain else guides, node), _time(tree, node), _money(node))
        for guides, node in rows[hidden:]
    ]
    times, sums = (max(len(row[column]) for row in shown) for column in (1, 2))
    lines = [_line(row, times, sums, width) for row in shown]
    if hidden:
        lines.insert(0, Text(f"… {counted(hidden, 'line')} above", "dim"))
    return Group(*lines, _status(tree, plain=plain)) if live else Group(*lines)


def _line(row: tuple[Text, Text, Text], times: int, sums: int, width: int) -> Text:
    """Return one row, its figures below those of the others; a label without figures may have their room."""
    label, time, spent = row
    if not time and not spent:
        label.truncate(width, overflow="ellipsis")
        return label
    label.truncate(max(1, width - times - sums - 2), overflow="ellipsis", pad=True)
    for widest, figure in ((times, time), (sums, spent)):
        label.append(" " * (1 + widest - len(figure))).append(figure)
    label.rstrip()
    return label


def _rows(node: Node, before: str = "", guides: str = "") -> Iterator[tuple[str, Node]]:
    yield guides, node
    for index, child in enumerate(node.children):
        last = index + 1 == len(node.children)
        yield from _rows(child, before + (NOTHING if last else DOWN), before + (LAST if last else BRANCH))


def _folded(guides: str, node: Node, width: int) -> Iterator[tuple[str, Node]]:
    """Yield the rows of a node: a note has as many as it takes to be read."""
    if node.kind != "note":
        yield guides, node
        return
    below = guides[: -len(LAST)] + (NOTHING if guides.endswith(LAST) else DOWN)
    for number, piece in enumerate(wrap(printable(node.name), max(SHORTEST, width - len(guides)))):
        yield below if number else guides, Node("note", piece, node.began, node.ended)


def _label(guides: str, node: Node) -> Text:
    label = Text().append(guides, "dim")
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
