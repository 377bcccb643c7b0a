"""Whether a sentence says what its sources say: by its words alone, so the same draft is always judged the same."""

import re
from collections.abc import Iterable
from functools import lru_cache

SUPPORTED = 0.6
"""Share of a sentence's content words that must stand in its sources; paraphrase lives in the rest."""
BEGINNING = 5
"""Letters by which two words are the same: arrive, arrives, arrived."""

_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_FUNCTION = frozenset(
    """
    the and for are was were has had have not you your yours our ours his her its their they them she him who whom what
    when where which why how that this these those with without from into onto upon over under than then there here will
    would can could shall should may might must been being did does doing done but nor only also just very too some any
    all each every both few more most other another such same own out off about above below between through during
    before after again once while because until against per via yes let get gets got one
    """.split()
)
# Words that speak of the answer itself, not of the matter.
_ABOUT_THE_ANSWER = frozenset(
    """
    according source sources found find finds related possibly context answer answers answered request asked asks asking
    says said say look looked nothing could partly words stand together place document documents information
    """.split()
)
# A sentence that says what is missing cannot be grounded in what was found.
_MISSING = re.compile(
    r"\b(?:not (?:found|answered|known|in the sources)|nothing (?:was|there|is)|no (?:source|information|answer)"
    r"|only (?:possibly|partly)|(?:could|can|did|do|does|was|were|is|are)(?: ?not|n['’]t)|unknown|missing)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def content_words(text: str) -> frozenset[str]:
    """Return the beginnings of the words of *text* that carry a meaning, and its numbers."""
    low = (match.lower() for match in _WORD.findall(text))
    return frozenset(one if one[0].isdigit() else one[:BEGINNING] for one in low if _carries(one))


def grounded(sentence: str, sources: Iterable[str], known: Iterable[str]) -> bool:
    """Say whether *sentence* is grounded: at least `SUPPORTED` of its content words stand in *sources*.

    Words count as equal when they begin with the same five letters; numbers must be equal. Function words, and words
    that speak of the answer itself ("According to the sources"), do not count. A sentence that says what is missing
    may also take its words from *known*: the request, and what those who looked reported.

    Args:
        sentence: one sentence of a draft, without its marks.
        sources: the texts that it may rest on.
        known: what a sentence about something missing may repeat.
    """
    said = content_words(sentence)
    texts = [*sources, *known] if _MISSING.search(sentence) else sources
    held = frozenset().union(*map(content_words, texts))
    return len(said & held) >= SUPPORTED * len(said)


def flat(text: str) -> str:
    """Return *text* in lower case, with single spaces."""
    return " ".join(text.split()).lower()


def _carries(word: str) -> bool:
    return word[0].isdigit() or (len(word) > 2 and word not in _FUNCTION and word not in _ABOUT_THE_ANSWER)
