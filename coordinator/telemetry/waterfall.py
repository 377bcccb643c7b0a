"""A run over time, row by row: the tree of its calls with a bar for each. It folds by itself and needs no script."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from coordinator.domain.money import dollars
from coordinator.telemetry.charts import span
from coordinator.telemetry.story import Story, reused, tokens
from coordinator.telemetry.tree import Node

UNFOLDED = 400
"""Rows up to which everything is open at first; a longer run opens the manager alone."""
DEEPEST = 14
ROOM, LONGEST, SHORTEST = 1_000_000, 12_000, 200
"""Letters of all that was said, and the most and least that are shown of one text."""

LETTERS = {"agent": "a", "state": "s", "model": "m", "tool": "t", "note": "w"}
"""The class of a row by its kind of node; short, because a run may have thousands."""


class Waterfall:
    """Draws a story.

    Args:
        story: what to draw.
    """

    def __init__(self, story: Story) -> None:
        nodes = list(story.nodes())
        self._story = story
        # The clock of the stamps is not that which measures calls: one may end a little after the run.
        self._whole = max([1e-6, *(node.began + story.tree.span(node) for node in nodes)])
        self._all_open = len(nodes) <= UNFOLDED
        said = sum(len(node.said) for node in nodes)
        self._letters = max(SHORTEST, min(LONGEST, ROOM // max(1, said)))

    def __str__(self) -> str:
        return f'<div class="fall">{self._axis()}{"".join(self._rows(self._story.root, 0))}</div>'

    def _axis(self) -> str:
        shares = ((share, escape(span(share * self._whole))) for share in (0, 0.25, 0.5, 0.75))
        marks = "".join(f'<u style="left:{share * 100:g}%">{time}</u>' for share, time in shares)
        return f'<div class="r axis"><span></span><span class="k">{marks}</span></div>'

    def _rows(self, node: Node, depth: int) -> Iterator[str]:
        kind = f"r {LETTERS[node.kind]} d{min(depth, DEEPEST)}"
        row, said = self._row(node), node.said if depth else []  # what the run was asked stands above
        if not node.children and not said:
            yield f'<div class="{kind}">{row}</div>'
            return
        calls = node.kind in ("model", "tool")
        opened = " open" if depth == 0 or (self._all_open and not (calls and said)) else ""
        yield f'<details{opened}><summary class="{kind}">{row}</summary>'
        if said:
            words = self._said(said)
            yield words if calls else f"<details><summary class=q>brief and report</summary>{words}</details>"
        for child in node.children:
            yield from self._rows(child, depth + 1)
        yield "</details>"

    def _row(self, node: Node) -> str:
        name = f'<span class="n">{escape(_name(node))}{_detail(node)}</span>'
        if node.kind == "note":
            return name
        seconds, spent = self._story.tree.span(node), node.spent
        figures = f"<span>{escape(span(seconds))}</span><span>{dollars(spent) if spent else ''}</span>"
        return f'{name}<span class="k">{self._bar(node, seconds)}</span>{figures}'

    def _bar(self, node: Node, seconds: float) -> str:
        left, wide = 100 * node.began / self._whole, 100 * seconds / self._whole
        tone = ' class="bad"' if node.failed and node.code != "degraded" and node.kind != "agent" else ""
        told = escape(f"{node.step or node.name}, from {span(node.began)}", quote=True)
        retries = "".join(
            f'<b style="left:{100 * child.began / self._whole:.2f}%"></b>'
            for child in node.children
            if child.kind == "note" and child.name.startswith("attempt ")
        )
        return f'<i{tone} style="left:{left:.2f}%;width:{wide:.2f}%" title="{told}"></i>{retries}'

    def _said(self, said: Sequence[Mapping[str, str]]) -> str:
        parts = "".join(f"<dt>{escape(one['role'])}</dt><dd>{escape(self._cut(one['text']))}</dd>" for one in said)
        return f"<dl>{parts}</dl>"

    def _cut(self, text: str) -> str:
        more = len(text) - self._letters
        return text if more <= 0 else f"{text[: self._letters]} … ({more:,} more characters)"


def _name(node: Node) -> str:
    provider, _, model = node.name.partition(":")
    return provider if node.kind == "model" and provider == model else node.name


def _detail(node: Node) -> str:
    """Return what a row tells beside name, time and money."""
    facts, parts = node.facts, [node.detail] if node.detail else []
    if "output_tokens" in facts:
        parts.append(tokens(node))
        parts += filter(None, [reused(node)])
    elif node.kind == "tool" and facts.get("passages"):
        parts.append(f"{facts['passages']} passage{'s' * (facts['passages'] != 1)}")
    if node.attempts > 1:
        parts.append(f"attempt {node.attempts}")
    mild = "" if node.code != "degraded" and node.facts.get("status") != "flagged" else " class=mild"
    code = f" <em{mild}>{escape(node.code)}</em>" if node.failed else ""
    return f"{code} <small>{escape(' · '.join(parts))}</small>" if parts else code


STYLE = """
main{max-width:1080px}
.fall{font-size:13px;overflow-x:auto}
.fall details,.fall>.r{min-width:640px}
.r{display:grid;grid-template-columns:minmax(0,38%) 1fr 64px 72px;gap:10px;align-items:center;line-height:22px;
font-variant-numeric:tabular-nums}
.r>span:nth-child(n+3){text-align:right;color:var(--soft)}
.r:hover{background:var(--page)}
summary.r{cursor:pointer;list-style:none}
summary.r::-webkit-details-marker{display:none}
.n{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.n::before{content:"";display:inline-block;width:14px;color:var(--soft)}
summary>.n::before{content:"▸"}
details[open]>summary>.n::before{content:"▾"}
.n small{color:var(--soft);font-size:12px}
.n em{color:var(--bad);font-style:normal}.n em.mild{color:var(--warn)}
.q{cursor:pointer;margin-left:42px;color:var(--soft);font-size:12px}
.a>.n{font-weight:600}.a>.n small{font-weight:400}.s>.n{color:var(--soft)}
.w{grid-template-columns:1fr}.w>.n{color:var(--warn);white-space:normal}
.k{position:relative;height:22px;border-left:1px solid var(--line);border-right:1px solid var(--line);overflow:hidden;
background:linear-gradient(var(--line),var(--line)) 25%/1px 100% no-repeat,
linear-gradient(var(--line),var(--line)) 50%/1px 100% no-repeat,
linear-gradient(var(--line),var(--line)) 75%/1px 100% no-repeat}
.k i{position:absolute;top:6px;bottom:6px;min-width:2px;border-radius:2px;background:var(--c0)}
.t .k i{background:var(--c2)}
.a .k i{background:var(--soft);opacity:.55;top:9px;bottom:9px}
.s .k i{background:var(--soft);opacity:.5;top:10px;bottom:10px}
.k i.bad{background:var(--bad);opacity:1}
.k b{position:absolute;top:3px;bottom:3px;width:2px;background:var(--c4)}
.axis .k{height:16px;border:0;background:none;color:var(--soft);font-size:11px;overflow:visible}
.axis u{position:absolute;text-decoration:none;line-height:14px}
.axis:hover{background:none}
.fall dl{margin:2px 0 8px 28px;padding:8px 12px;background:var(--page);border-radius:6px;max-height:420px;overflow:auto}
.fall dt{color:var(--soft);font-size:12px}
.fall dd{margin:0 0 8px;white-space:pre-wrap;overflow-wrap:anywhere;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace}
.km::before{background:var(--c0)}.kt::before{background:var(--c2)}.kb::before{background:var(--bad)}
.kr::before{background:var(--c4)}.ka::before{background:var(--soft)}
""" + "".join(f".d{depth}>.n{{padding-left:{14 * depth}px}}\n" for depth in range(1, DEEPEST + 1))
LEGEND = (
    '<div class="legend"><span class="key ka">agent</span><span class="key km">model call</span>'
    '<span class="key kt">tool call</span><span class="key kr">retry</span><span class="key kb">failed</span></div>'
)
