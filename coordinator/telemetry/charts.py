"""Pictures of measurements as inline SVG: they take their colours from the page around them, and need no script."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from coordinator.domain.value import value

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 14, 26
ROW = 26
LABEL = 190
"""Pixels of the names beside strips."""

Format = Callable[[float], str]


@value
class Line:
    """One line of a chart: a value for each of its equal steps; None where nothing was measured.

    *filled* colours what lies below the line.
    """

    name: str
    values: Sequence[float | None]
    filled: bool = False


def plain(number: float) -> str:
    """Return *number* as people read it."""
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.3g}"


def span(seconds: float) -> str:
    """Return a stretch of time in the unit that fits, such as `250 ms`, `1.5 s`, `12 min` or `2.5 h`."""
    if not seconds:
        return "0 s"
    if seconds < 0.001:
        return f"{seconds * 1e6:.3g} µs"
    for limit, unit, size in ((1, "ms", 0.001), (120, "s", 1), (7200, "min", 60), (math.inf, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return "for ever"


def line_chart(
    title: str, series: Sequence[Line], step_s: float, form: Format = plain, ceiling: float | None = None
) -> str:
    """Return a chart of lines over time.

    Args:
        title: says what is seen, for those who do not see it.
        series: at most six lines of the same length.
        step_s: seconds between two values.
        form: writes values.
        ceiling: a value that is drawn as a dashed line.
    """
    known = [given for line in series for given in line.values if given is not None]
    top = _round_up(max([*known, ceiling or 0.0, 1e-12]))
    frame = _Frame(max((len(line.values) for line in series), default=1), top)
    parts = [*_grid(frame, step_s, form)]
    for number, line in enumerate(series):
        parts += _drawn(frame, line, number)
    if ceiling is not None:
        y = frame.y(ceiling)
        parts.append(f'<line class="ceiling" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts += _told(frame, series, step_s, form)
    names = [f'<span class="key k{number}">{escape(line.name)}</span>' for number, line in enumerate(series)]
    if ceiling is not None:
        names.append(f'<span class="key kc">ceiling {escape(form(ceiling))}</span>')
    return f'<div class="legend">{"".join(names)}</div>{_svg(title, HEIGHT, parts)}'


def strip_chart(title: str, rows: Mapping[str, Sequence[int]], step_s: float, states: Sequence[str]) -> str:
    """Return one strip for each of *rows*, coloured by the state in each step.

    Args:
        title: says what is seen.
        rows: numbers of states by name; 0 is the state that is hardly coloured.
        step_s: seconds of a step.
        states: names of the states, by their numbers; at most three.
    """
    height = TOP + ROW * len(rows) + BOTTOM
    steps = max((len(row) for row in rows.values()), default=1)
    wide = (WIDTH - LABEL - RIGHT) / max(1, steps)
    parts = []
    for number, (name, row) in enumerate(rows.items()):
        y = TOP + number * ROW
        parts.append(f'<text class="name" x="{LABEL - 10}" y="{y + 15}">{escape(_short(name))}</text>')
        for begin, end, state in _stretches(row):
            told = f"{name}: {states[state]}, {span(begin * step_s)} to {span(end * step_s)}"
            parts.append(
                f'<rect class="state{state}" x="{LABEL + begin * wide:.1f}" y="{y}" width="{(end - begin) * wide:.1f}" '
                f'height="{ROW - 6}"><title>{escape(told)}</title></rect>'
            )
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LABEL + share * (WIDTH - LABEL - RIGHT)
        parts.append(_time(x, height, share, span(share * steps * step_s)))
    legend = "".join(f'<span class="key ks{number}">{escape(name)}</span>' for number, name in enumerate(states))
    return f'<div class="legend">{legend}</div>{_svg(title, height, parts)}'


def bar_chart(title: str, bars: Mapping[str, float], form: Format = plain, most: float | None = None) -> str:
    """Return one horizontal bar for each of *bars*.

    Args:
        title: says what is seen.
        bars: values of at least zero, by name.
        form: writes values.
        most: the value of a whole bar; by default the largest.
    """
    whole = most or max([*bars.values(), 1e-12])
    parts = []
    room = WIDTH - LABEL - RIGHT - 90
    for number, (name, amount) in enumerate(bars.items()):
        y = 6 + number * ROW
        wide = max(1.0, min(1.0, amount / whole) * room)
        told = escape(f"{name}: {form(amount)}")
        size = f'y="{y}" height="{ROW - 6}"'
        parts += [
            f'<text class="name" x="{LABEL - 10}" y="{y + 15}">{escape(_short(name))}</text>',
            f'<rect class="rest" x="{LABEL}" {size} width="{room}"/>',
            f'<rect class="bar" x="{LABEL}" {size} width="{wide:.1f}"><title>{told}</title></rect>',
            f'<text class="figure" x="{LABEL + room + 8}" y="{y + 15}">{escape(form(amount))}</text>',
        ]
    return _svg(title, 12 + ROW * len(bars), parts)


class _Frame:
    """Where things lie in a chart of *steps* values up to *top*."""

    def __init__(self, steps: int, top: float) -> None:
        self.steps = steps
        self.top = top

    def x(self, place: float) -> float:
        return LEFT + place / max(1, self.steps) * (WIDTH - LEFT - RIGHT)

    def y(self, given: float) -> float:
        return HEIGHT - BOTTOM - given / self.top * (HEIGHT - TOP - BOTTOM)


def _grid(frame: _Frame, step_s: float, form: Format) -> Iterator[str]:
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = frame.y(share * frame.top)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="scale" x="{LEFT - 8}" y="{y + 4:.1f}">{escape(form(share * frame.top))}</text>'
        yield _time(frame.x(share * frame.steps), HEIGHT, share, span(share * frame.steps * step_s))


def _time(x: float, height: int, share: float, text: str) -> str:
    anchor = "start" if share == 0 else "end" if share == 1 else "middle"
    return f'<text class="time" text-anchor="{anchor}" x="{x:.1f}" y="{height - 8}">{escape(text)}</text>'


def _drawn(frame: _Frame, line: Line, number: int) -> Iterator[str]:
    for points in _unbroken(frame, line.values):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        if line.filled:
            floor = HEIGHT - BOTTOM
            area = f"{points[0][0]:.1f},{floor} {path} {points[-1][0]:.1f},{floor}"
            yield f'<polygon class="a{number}" points="{area}"/>'
        if len(points) == 1:
            yield f'<circle class="d{number}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2"/>'
        else:
            yield f'<polyline class="l{number}" points="{path}"/>'


def _unbroken(frame: _Frame, values: Sequence[float | None]) -> Iterator[list[tuple[float, float]]]:
    points: list[tuple[float, float]] = []
    for place, given in enumerate([*values, None]):
        if given is not None:
            points.append((frame.x(place + 0.5), frame.y(given)))
        elif points:
            yield points
            points = []


def _told(frame: _Frame, series: Sequence[Line], step_s: float, form: Format) -> Iterator[str]:
    """Yield what a pointer is told over each step."""
    wide = frame.x(1) - frame.x(0)
    for place in range(frame.steps):
        given = ((line.name, line.values[place]) for line in series if place < len(line.values))
        figures = [f"{name} {form(amount)}" for name, amount in given if amount is not None]
        text = escape(f"{span(place * step_s)}: {', '.join(figures) or 'nothing'}")
        yield (
            f'<rect class="hover" x="{frame.x(place):.1f}" y="{TOP}" width="{wide:.2f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"><title>{text}</title></rect>'
        )


def _stretches(row: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where each stretch of one state begins and ends."""
    begin = 0
    for place in range(1, len(row) + 1):
        if place == len(row) or row[place] != row[begin]:
            yield begin, place, row[begin]
            begin = place


def _round_up(number: float) -> float:
    """Return the next number that people would put at the top of a scale."""
    size = 10.0 ** math.floor(math.log10(number))
    return next(step * size for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * size >= number * (1 - 1e-9))


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"…{name[-27:]}"


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
