"""Laws of the page of a run: it holds everything, needs nothing, believes no text, and stays light."""

import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from coordinator import Kind
from coordinator.telemetry.run_files import Record
from coordinator.telemetry.story import tell
from coordinator.telemetry.trace_page import page_of

VOID = {"meta"}


class Tags(HTMLParser):
    """Checks that tags nest, and collects them with their attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page(teller: Any, **about: Any) -> str:
    return page_of(tell(Record(Path("x.jsonl"), about, tuple(teller.events))))


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return tags


def test_the_page_shows_calls_issues_money_and_what_did_not_go_straight_on(told: Any) -> None:
    text = " ".join(parsed(page(told, name="one")).texts)
    for wanted in ("Run: one", "Flagged (tool_degraded)", "look_up", "openai:gpt-x", "attempt 2 after timeout",
                   "look_up#0 is down", "refused: a person must approve", "<b>half</b> an answer", "$0.0004", "4.2 s",
                   "verdict: revise", "900 → 40 tokens",
                   "charged $0.0001 for look_up#0 although no answer came"):  # fmt: skip
        assert wanted in text


USED = [
    ({"cached": 1500}, "2,100 (1,500 cached) → 40 tokens"),
    ({"cached": 1500, "cache_write": 300}, "2,100 (1,500 cached, 300 written) → 40 tokens"),
    ({"reasoning": 20}, "2,100 → 40 (20 reasoning) tokens"),
    ({"uncertain": True}, "at most 2,100 → 40 tokens"),
]


@pytest.mark.parametrize(("facts", "shown"), USED)
def test_the_page_shows_what_kinds_of_tokens_there_were_and_that_nobody_told_them(told: Any, facts: Any, shown: str):
    told.call("boss", "run/turn2", "openai:gpt-x", input_tokens=2100, **facts)
    assert shown in " ".join(parsed(page(told)).texts)


def test_no_text_becomes_markup_and_nothing_comes_from_outside(told: Any) -> None:
    evil = '"><script src="http://x">alert(1)</script><img onerror=x>'
    told.events[1] = _changed(told.events[1], state=evil, reason=evil)
    told.events[7] = _changed(told.events[7], **{"from": evil})
    tags = parsed(page(told, name=evil, scenario=evil))
    assert {tag for tag, _ in tags.seen} & {"script", "img", "iframe"} == set()
    for _, attributes in tags.seen:
        assert not {"src", "href", "onload", "onclick", "onerror"} & set(attributes)


def test_every_bar_lies_within_the_time_of_the_run(told: Any) -> None:
    for tag, attributes in parsed(page(told)).seen:
        if tag == "i":
            style = dict(part.split(":") for part in str(attributes["style"]).split(";"))
            left, width = (float(style[name].rstrip("%")) for name in ("left", "width"))
            assert 0 <= left <= 100
            assert left + width <= 100.02


def test_a_run_that_broke_off_says_so(told: Any) -> None:
    del told.events[9:]
    text = " ".join(parsed(page(told)).texts)
    assert "The record ends before the run" in text
    assert "unfinished" in text


def test_without_content_the_page_says_how_to_keep_it(told: Any) -> None:
    assert "coordinator run --content" in page(told)


def test_what_was_said_is_on_the_page(told: Any) -> None:
    said = [{"role": "task", "text": "Where is <my> order?\nPlease."}]
    told.events[0] = _changed(told.events[0], content=said)
    told.events[2] = _changed(told.events[2], content=[{"role": "user", "text": "look <it> up"}])
    text = page(told)
    assert "Where is &lt;my&gt; order?\nPlease." in text
    assert "look &lt;it&gt; up" in text
    assert "--content" not in text


def test_two_thousand_steps_are_light(told_long: Callable[..., Any]) -> None:
    long = told_long()
    began = time.process_time()
    text = page(long)
    assert time.process_time() - began < 3
    assert len(text) < 1_000_000
    parsed(text)


def test_two_thousand_steps_with_all_that_was_said_are_bounded(told_long: Callable[..., Any]) -> None:
    text = page(told_long(content=[{"role": "user", "text": "How long does it take? " * 900}]))
    assert len(text) < 2_500_000
    assert "more characters)" in text


def test_a_run_without_any_time_has_a_page(told: Any) -> None:
    del told.events[1:]
    told(Kind.RUN_ENDED, "boss", "run", 0.0, status="refused", code="admission_full", duration_s=0.0)
    parsed(page(told))


def _changed(event: Any, **data: Any) -> Any:
    return type(event)(
        event.run, event.seq, event.at, event.kind, event.tenant, event.agent, event.step, {**event.data, **data}
    )
