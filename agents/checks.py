"""What code can check of a draft before any model is asked."""

import re
from collections.abc import Iterable, Iterator, Sequence

from agents.reports import Draft
from coordinator import Citation, Passage

LONGEST = 4000
"""Characters of a draft."""

# Words that promise what nobody here can promise, or that speak about the machine instead of the matter.
BANNED = ("as an ai", "language model", "we guarantee", "i guarantee", "legally binding", "we admit")

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
MARK = re.compile(r"\[(\d+)\]")
MUST_MENTION = re.compile(r"\b(?:order|parcel|invoice)s?\s+(?:number\s+|no\.?\s*)?#?(\d{3,})", re.IGNORECASE)


def problems(draft: Draft, request: str, passages: Sequence[Passage]) -> list[str]:
    """Return everything that is wrong with *draft*, one sentence each; none when it may be judged.

    Args:
        draft: what the writer wrote.
        request: the user's own words.
        passages: what the run's tools really retrieved; a citation of anything else is invented.
    """
    return [
        *_length(draft),
        *_banned(draft),
        *_citations(draft, passages),
        *_marks(draft),
        *_numbers(draft, request, passages),
        *_must_mention(draft, request),
    ]


def _length(draft: Draft) -> Iterator[str]:
    if not draft.text.strip():
        yield "the draft is empty"
    if len(draft.text) > LONGEST:
        yield f"the draft has {len(draft.text)} characters; at most {LONGEST} are allowed"


def _banned(draft: Draft) -> Iterator[str]:
    text = draft.text.lower()
    yield from (f"the draft says {phrase!r}" for phrase in BANNED if phrase in text)


def _citations(draft: Draft, passages: Sequence[Passage]) -> Iterator[str]:
    if not draft.citations:
        yield "the draft cites nothing"
    for citation in draft.citations:
        yield from _one(citation, [passage for passage in passages if passage.source == citation.source])


def _one(citation: Citation, retrieved: list[Passage]) -> Iterator[str]:
    if not retrieved:
        yield f"the citation of {citation.source!r} is invented: no tool retrieved it"
    elif citation.quote and not any(_flat(citation.quote) in _flat(passage.text) for passage in retrieved):
        yield f"the quote {citation.quote[:60]!r} does not stand in {citation.source}"


def _marks(draft: Draft) -> Iterator[str]:
    marks = {int(mark) for mark in MARK.findall(draft.text)}
    if draft.citations and not marks:
        yield "no statement of the draft is marked with its citation"
    for mark in sorted(marks):
        if not 1 <= mark <= len(draft.citations):
            yield f"the draft refers to [{mark}], and there is no such citation"


def _numbers(draft: Draft, request: str, passages: Sequence[Passage]) -> Iterator[str]:
    """Every number that the draft states must stand in the request or in what was retrieved."""
    known = set(_all_numbers([request, *(f"{passage.source} {passage.text}" for passage in passages)]))
    for number in dict.fromkeys(_all_numbers([MARK.sub(" ", draft.text)])):
        if number not in known:
            yield f"the number {number} stands in no source"


def _must_mention(draft: Draft, request: str) -> Iterator[str]:
    for number in dict.fromkeys(MUST_MENTION.findall(request)):
        if number not in draft.text:
            yield f"the request asks about {number}, and the draft does not mention it"


def _all_numbers(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from NUMBER.findall(text)


def _flat(text: str) -> str:
    return " ".join(text.split()).lower()
