"""What came out of a run against what a scenario expects."""

import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coordinator.domain.citing import Citation
from coordinator.domain.events import Event, Kind
from coordinator.domain.result import RunResult
from coordinator.scenario.file import Count, Expectation

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq, "=": operator.eq,
    "": operator.eq,
}  # fmt: skip


class Tally:
    """An observer that counts events, and calls of tools and briefs for members, whatever comes of them."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.tools: Counter[str] = Counter()
        self.delegations: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        self.events[event.kind] += 1
        if event.kind is Kind.TOOL_STARTED:
            self.tools[event.data["tool"]] += 1
        elif event.kind is Kind.DELEGATION_STARTED:
            self.delegations[event.data["member"]] += 1


def judge(expect: Expectation, result: RunResult, tally: Tally) -> list[str]:
    """Return what came out otherwise than *expect* wants it, one line each with what was expected and what came."""
    return [
        *_ending(expect, result),
        *_words(expect, result),
        *_sources(expect, result),
        *_counts("tools", expect.tools, tally.tools),
        *_counts("delegations", expect.delegations, tally.delegations),
        *_counts("events", expect.events, tally.events),
        *_cost(expect, result),
    ]


def cited(wanted: str, citation: Citation) -> bool:
    """Whether *citation* is of *wanted*: its source, the part of it before the first slash, or its file name."""
    source = citation.source
    return wanted in (source, source.partition("/")[0], source.rpartition("/")[2])


def _ending(expect: Expectation, result: RunResult) -> Iterator[str]:
    why = f" ({result.reason.code}: {_short(result.reason.message)})" if result.reason else ""
    if expect.status is not None and expect.status is not result.status:
        yield f"status: expected {expect.status}, came {result.status}{why}"
    if expect.code is not None and expect.code != result.code:
        yield f"code: expected {expect.code}, came {result.code}"
    codes = [issue.code for issue in result.issues]
    for code in expect.issues:
        if code not in codes:
            yield f"issues: expected {code}, came {', '.join(codes) or 'none'}"


def _words(expect: Expectation, result: RunResult) -> Iterator[str]:
    said = _flat(result.text)
    for words in expect.mentions:
        if _flat(words) not in said:
            yield f"mentions: expected {words!r}, came {_short(result.text) or 'an empty reply'}"
    for words in expect.not_mentions:
        if _flat(words) in said:
            at = said.index(_flat(words))
            yield f"not_mentions: expected no {words!r}, came …{said[max(0, at - 30) : at + len(words) + 30]}…"


def _sources(expect: Expectation, result: RunResult) -> Iterator[str]:
    sources = dict.fromkeys(citation.source for citation in result.citations)
    for wanted in expect.cites:
        if not any(cited(wanted, citation) for citation in result.citations):
            yield f"cites: expected {wanted}, came {', '.join(sources) or 'no citation'}"


def _counts(what: str, expected: Mapping[Any, Count], came: Mapping[str, int]) -> Iterator[str]:
    for name, count in expected.items():
        sign, number = _comparison(count)
        if not COMPARISONS[sign](came.get(name, 0), number):
            yield f"{what}: expected {name} {sign or '='} {number}, came {came.get(name, 0)}"


def _cost(expect: Expectation, result: RunResult) -> Iterator[str]:
    if expect.max_cost_usd is not None and result.cost_usd > expect.max_cost_usd:
        yield f"max_cost_usd: expected at most ${expect.max_cost_usd:.4f}, came ${result.cost_usd:.4f}"


def _comparison(count: Count) -> tuple[str, int]:
    sign, number = re.findall(r"([<>=]*)\s*(\d+)", str(count))[0]
    return sign, int(number)


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else f"{flat[:119]}…"
