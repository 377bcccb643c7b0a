"""Pages need nothing from outside, show every text as it is, and stay small."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from coordinator.telemetry.charts import Line, bar_chart, line_chart, span, strip_chart
from coordinator.telemetry.page import Page, Tile

EVIL = '<script>alert("1")</script>&amp;'


def whole():
    page = Page(EVIL, EVIL)
    page.banner(EVIL, "bad")
    page.tiles([Tile(EVIL, EVIL, EVIL)])
    page.section(EVIL, EVIL)
    page.table([EVIL, EVIL], [[EVIL, EVIL]])
    page.picture(line_chart(EVIL, [Line(EVIL, [1.0, None, 2.0])], 1.0, lambda _: EVIL, 3.0))
    page.picture(strip_chart(EVIL, {EVIL: [0, 1, 2]}, 1.0, [EVIL, EVIL, EVIL]))
    page.picture(bar_chart(EVIL, {EVIL: 1.0}, lambda _: EVIL))
    return str(page)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_no_text_becomes_markup():
    tags = Tags()
    tags.feed(whole())
    assert "script" not in {tag for tag, _ in tags.seen}


def test_a_page_asks_for_nothing_from_outside():
    tags = Tags()
    tags.feed(whole())
    assert not [attrs for _, attrs in tags.seen if {"src", "href", "onload", "onclick"} & set(attrs)]
    assert "http" not in whole()
    assert "url(" not in whole()


def test_a_page_is_readable_in_light_and_dark():
    assert "prefers-color-scheme:dark" in whole()


@pytest.mark.parametrize("values", [[], [None], [0.0], [0.0, 0.0], [1.0], [None, 1.0, None], [1e-9, 1e9], [5.0] * 240])
def test_every_series_is_a_well_formed_picture(values):
    drawn = line_chart("a chart", [Line("one", values, filled=True), Line("two", values)], 2.0, span, 7.0)
    picture = ElementTree.fromstring(drawn[drawn.index("<svg") :])
    for shape in picture.iter():
        for name in ("x", "y", "width", "height", "cx", "cy"):
            assert "nan" not in shape.get(name, "")


def test_gaps_are_left_open():
    drawn = line_chart("a chart", [Line("one", [1.0, 2.0, None, 3.0, 4.0])], 1.0)
    assert drawn.count("<polyline") == 2


def test_strips_and_bars_are_well_formed():
    drawn = strip_chart("states", {"crm": [0, 0, 2, 1, 0]}, 1.0, ["closed", "half open", "open"])
    picture = ElementTree.fromstring(drawn[drawn.index("<svg") :])
    assert len(list(picture.iter("rect"))) == 4
    ElementTree.fromstring(bar_chart("bars", {"one": 0.5, "two": 0.0}))


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (5e-5, "50 µs"), (0.25, "250 ms"), (90, "90 s"), (900, "15 min"), (9000, "2.5 h")]
)
def test_times_have_the_unit_that_fits(seconds, said):
    assert span(seconds) == said
