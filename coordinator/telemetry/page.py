"""The page builder: one self-contained HTML file, light and dark, without scripts and without anything from outside."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

from coordinator.domain.value import value

Tone = Literal["", "good", "bad", "warn"]


@value
class Tile:
    """One figure that a reader should see first."""

    label: str
    figure: str
    note: str = ""
    tone: Tone = ""


class Page:
    """A page that grows from top to bottom; all texts are escaped.

    Args:
        title: of the page and of the browser's tab.
        lead: what it is about, in a sentence.
        style: what its pictures need beside the style of every page.
    """

    def __init__(self, title: str, lead: str = "", style: str = "") -> None:
        self._title = title
        self._style = f"{STYLE}{style}"
        self._body = [f"<h1>{escape(title)}</h1>"]
        if lead:
            self._body.append(f'<p class="lead">{escape(lead)}</p>')

    def banner(self, text: str, tone: Tone = "") -> None:
        """Add a sentence that nobody should overlook."""
        self._body.append(f'<p class="banner {tone}">{escape(text)}</p>')

    def tiles(self, tiles: Iterable[Tile]) -> None:
        """Add figures side by side."""
        self._body.append(f'<div class="tiles">{"".join(map(_tile, tiles))}</div>')

    def section(self, heading: str, text: str = "") -> None:
        """Begin a part of the page."""
        self._body.append(f"<h2>{escape(heading)}</h2>")
        if text:
            self.text(text)

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._body.append(f"<p>{escape(text)}</p>")

    def picture(self, drawn: str) -> None:
        """Add what `telemetry.charts` or `telemetry.waterfall` has drawn."""
        self._body.append(f'<figure class="card">{drawn}</figure>')

    def quote(self, who: str, text: str) -> None:
        """Add what somebody said, as it was written."""
        said = f'<div class="label">{escape(who)}</div><div class="quote">{escape(text)}</div>'
        self._body.append(f'<div class="card">{said}</div>')

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool = False) -> None:
        """Add a table; its first column is text, the others are figures, or *words*."""
        titles = "".join(f"<th>{escape(title)}</th>" for title in head)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        table = f"<table{' class=words' if words else ''}><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
        self._body.append(f'<div class="card scroll">{table}</div>')

    def __str__(self) -> str:
        head = (
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>{escape(self._title)}</title>'
            f"<style>{self._style}</style>"
        )
        body = "\n".join(self._body)
        return (
            f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body><main>\n{body}\n</main></body>\n</html>\n'
        )


def _tile(tile: Tile) -> str:
    note = f'<div class="note">{escape(tile.note)}</div>' if tile.note else ""
    figure = f'<div class="figure {tile.tone}">{escape(tile.figure)}</div>'
    return f'<div class="card tile"><div class="label">{escape(tile.label)}</div>{figure}{note}</div>'


# Six colours that are told apart by people who see colours differently (Okabe and Ito, 2008), a shade lighter on dark.
STYLE = """
:root{--page:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5b6570;--line:#dfe3e8;--good:#0a7d52;--bad:#c0322b;--warn:#a86400;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#b58900;--c5:#56b4e9;--calm:#dbe7e1}
@media(prefers-color-scheme:dark){:root{--page:#14171b;--card:#1d2126;--ink:#e7eaee;--soft:#9aa4af;--line:#343a42;
--good:#4cc38a;--bad:#ff7a70;--warn:#f0b04a;--c0:#58aee6;--c1:#ff8f4a;--c2:#3ecf9f;--c3:#e3a0c5;--c4:#e3c04a;
--c5:#8fd0f5;--calm:#2b3a34}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:860px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 6px}
h2{font-size:18px;margin:36px 0 8px}
p{margin:0 0 10px;color:var(--soft)}
.lead{font-size:16px}
.banner{color:var(--ink);background:var(--card);border:1px solid var(--line);border-left:4px solid var(--c0);
padding:10px 14px;border-radius:6px;margin:14px 0}
.banner.good{border-left-color:var(--good)}.banner.bad{border-left-color:var(--bad)}
.banner.warn{border-left-color:var(--warn)}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px;margin:10px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(124px,1fr));gap:10px;margin:18px 0}
.tile{margin:0}
.label,.note{color:var(--soft);font-size:13px}
.tile .figure{font-size:22px;font-weight:600;font-variant-numeric:tabular-nums}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
th{color:var(--soft);font-weight:500}
tbody tr:last-child td{border-bottom:0}
th:first-child,td:first-child,.words th,.words td{text-align:left}
th:first-child,td:first-child{padding-left:0}
.words td{vertical-align:top}.words td:first-child{white-space:nowrap}
.quote{white-space:pre-wrap;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;font:11px system-ui,-apple-system,"Segoe UI",sans-serif}
svg text{fill:var(--soft)}
.scale,.name{text-anchor:end}
.name{fill:var(--ink)!important}
.grid{stroke:var(--line)}
.ceiling{stroke:var(--bad);stroke-dasharray:6 4;stroke-width:1.5}
.hover{fill:transparent}.hover:hover{fill:var(--soft);fill-opacity:.15}
.rest{fill:var(--line);fill-opacity:.5}.bar{fill:var(--c0)}
.state0{fill:var(--calm)}.state1{fill:var(--c4)}.state2{fill:var(--bad)}
.legend{font-size:13px;color:var(--soft);margin:0 0 6px}
.key{margin-right:16px}
.key::before{content:"";display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
.kc::before{background:var(--bad);height:3px;margin-bottom:3px}
.ks0::before{background:var(--calm)}.ks1::before{background:var(--c4)}.ks2::before{background:var(--bad)}
polyline{fill:none;stroke-width:1.8;stroke-linejoin:round}
polygon{fill-opacity:.16}
""" + "".join(
    f".k{n}::before{{background:var(--c{n})}}.l{n}{{stroke:var(--c{n})}}.a{n},.d{n}{{fill:var(--c{n})}}\n"
    for n in range(6)
)
