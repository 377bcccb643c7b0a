"""What code can check of a draft before any model is asked."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from agents.grounding import content_words, flat, grounded
from agents.reports import Draft
from coordinator import Citation, Passage

LONGEST = 4000
"""Characters of a draft."""
QUOTED = 2
"""Content words of a quote; fewer could stand anywhere."""

# Words that promise what nobody here can promise, or that speak about the machine instead of the matter.
BANNED = ("as an ai", "language model", "we guarantee", "i guarantee", "legally binding", "we admit")

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?!\[\d)|(?<=\])\s+(?!\[\d)|\n+")
MARK = re.compile(r"\[(\d+)\]")
_NUMBERED = r"#?\d{3,}"
MUST_MENTION = re.compile(
    rf"\b(?:order|parcel|invoice)s?\s+(?:numbers?\s+|nos?\.?\s*)?{_NUMBERED}(?:\s*(?:,|&|\band\b|\bor\b)+\s*{_NUMBERED})*",
    re.IGNORECASE,
)


def problems(draft: Draft, request: str, passages: Sequence[Passage], gaps: Sequence[str] = ()) -> list[str]:
    """Return everything that is wrong with *draft*, one sentence each; none when it may be judged.

    Args:
        draft: what the writer wrote.
        request: the user's own words.
        passages: what the run's tools really retrieved; a citation of anything else is invented.
        gaps: what those who looked say is missing; a draft may repeat it.
    """
    return [
        *_length(draft),
        *_banned(draft),
        *_citations(draft, passages),
        *_marks(draft),
        *_numbers(draft, request, passages),
        *_must_mention(draft, request),
        *_grounded(draft, request, passages, gaps),
    ]


def statements(draft: Draft) -> list[str]:
    """Return the sentences of *draft* that state something, without their marks."""
    return [said for said, _ in _sentences(draft) if content_words(said)]


def unsupported(draft: Draft, request: str, passages: Sequence[Passage], gaps: Sequence[str] = ()) -> list[str]:
    """Return the statements of *draft* that no source supports, in what they say or in a number; as for `problems`."""
    wrong, numbers = set(_ungrounded(draft, request, passages, gaps)), set(_unknown_numbers(draft, request, passages))
    return [said for said in statements(draft) if said in wrong or numbers & set(NUMBER.findall(said))]


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
    quote, at = citation.quote, [passage for passage in retrieved if _holds_line(passage, citation.line)]
    if not retrieved:
        yield f"the citation of {citation.source!r} is invented: no tool retrieved it"
    elif not at:
        yield f"no tool retrieved line {citation.line} of {citation.source}"
    elif len(content_words(quote)) < QUOTED:
        yield f"the citation of {citation.source} quotes {quote!r}, which says nothing"
    elif not any(flat(quote) in flat(passage.text) for passage in at):
        yield f"the quote {quote[:60]!r} does not stand in {citation.source}"


def _holds_line(passage: Passage, line: int | None) -> bool:
    """Say whether *line* is one of the passage's own; no line is named by every citation that names none."""
    if line is None:
        return True
    return passage.line is not None and passage.line <= line <= passage.line + passage.text.rstrip("\n").count("\n")


def _marks(draft: Draft) -> Iterator[str]:
    marks = {int(mark) for mark in MARK.findall(draft.text)}
    if draft.citations and not marks:
        yield "no statement of the draft is marked with its citation"
    for mark in sorted(marks):
        if not 1 <= mark <= len(draft.citations):
            yield f"the draft refers to [{mark}], and there is no such citation"


def _numbers(draft: Draft, request: str, passages: Sequence[Passage]) -> Iterator[str]:
    """Every number that the draft states must stand in the request or in what was retrieved."""
    yield from (f"the number {number} stands in no source" for number in _unknown_numbers(draft, request, passages))


def _unknown_numbers(draft: Draft, request: str, passages: Sequence[Passage]) -> list[str]:
    known = set(_all_numbers([request, *(f"{passage.source} {passage.text}" for passage in passages)]))
    return [number for number in dict.fromkeys(_all_numbers([MARK.sub(" ", draft.text)])) if number not in known]


def _must_mention(draft: Draft, request: str) -> Iterator[str]:
    asked = (number for listed in MUST_MENTION.finditer(request) for number in re.findall(r"\d{3,}", listed[0]))
    said = set(NUMBER.findall(draft.text))
    for number in dict.fromkeys(asked):
        if number not in said:
            yield f"the request asks about {number}, and the draft does not mention it"


def _grounded(draft: Draft, request: str, passages: Sequence[Passage], gaps: Sequence[str]) -> Iterator[str]:
    """Every sentence must be grounded in what it cites; one without a mark, in anything that the draft cites."""
    wrong = _ungrounded(draft, request, passages, gaps)
    yield from (f"no cited source says {said[:80]!r}" for said in wrong)


def _ungrounded(draft: Draft, request: str, passages: Sequence[Passage], gaps: Sequence[str]) -> Iterator[str]:
    cited = [
        [one for one in passages if one.source == citation.source and _holds_line(one, citation.line)]
        for citation in draft.citations
    ]
    for said, marks in _sentences(draft):
        marked = [one for mark in marks if 1 <= mark <= len(cited) for one in cited[mark - 1]]
        support = marked or [one for held in cited for one in held]
        if not grounded(said, map(_told, support), [request, *gaps]):
            yield said


def _sentences(draft: Draft) -> Iterator[tuple[str, list[int]]]:
    """Yield each sentence without its marks, and its marks."""
    for sentence in SENTENCE_END.split(draft.text):
        yield MARK.sub(" ", sentence).strip(), [int(mark) for mark in MARK.findall(sentence)]


def _told(passage: Passage) -> str:
    """Return all that a passage says: its text, its heading, the fields of a record."""
    return " ".join(map(str, passage.model_dump(mode="json").values()))


def _all_numbers(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from _numbers_of(text)


@lru_cache(maxsize=1 << 12)
def _numbers_of(text: str) -> tuple[str, ...]:
    return tuple(NUMBER.findall(text))  # the same passages are found again and again
