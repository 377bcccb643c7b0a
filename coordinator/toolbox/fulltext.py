"""Words of text and of queries, for SQLite's FTS5: identifiers in parts, and user text that is never syntax."""

import re
from collections.abc import Iterator

TOKENIZER = "porter unicode61"

# Words gathered in memory before FTS5 writes them out; with 16 MB instead of its own 1 MB an index is built in half
# the time.
GATHER = "INSERT INTO words (words, rank) VALUES ('hashsize', 16777216);"

# Beyond this many words a query says nothing more, and FTS5 limits how long an expression may be.
MAX_TERMS = 64

_WORD = re.compile(r"\w+")
# Finding capitals inside of words first, and looking around only there, is three times as fast as matching every word.
_INNER_CAPITAL = re.compile(r"[A-Za-z0-9](?=[A-Z])")
_BEFORE = re.compile(r"(?:[A-Z]?[a-z0-9]+|[A-Z]+)\Z")
_AFTER = re.compile(r"[A-Z][a-z0-9]+|[A-Z]+")
_LONGEST_PART = 40

# English function words and courtesies: in a small collection they are rare enough to outweigh what was asked.
_STOP_WORDS = """
    a about after again all also am an and any are as at be because been before being but by can could did do does
    doing done for from get got had has have having he hello her here hers hi him his how i if in into is it its just
    let me might more most must my no nor not of off on one or our ours out over own please s she should so some such t
    tell than thank thanks that the their theirs them then there these they this those through to too under until up us
    very was we were what when where which while who whom whose why will with would you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


def parts(text: str) -> str:
    """Return the parts of the camelCase words of *text*, once each; snake_case is split by the tokenizer itself."""
    found: dict[str, None] = {}
    for capital in _INNER_CAPITAL.finditer(text):
        middle = capital.end()
        if capital[0].isupper() and not text[middle + 1 : middle + 2].islower():
            continue  # inside of an acronym
        before = _BEFORE.search(text, max(0, middle - _LONGEST_PART), middle)
        after = _AFTER.match(text, middle)
        if before and after:
            found[before[0]] = found[after[0]] = None
    return " ".join(found)


def indexed(text: str) -> str:
    """Return *text* as it goes into an index: as it is, and the parts of its identifiers."""
    extra = parts(text)
    return f"{text}\n{extra}" if extra else text


def expression(query: str) -> str:
    """Return an FTS5 expression that matches any content word of *query*; empty when it has no word at all.

    Every term is quoted, so that no character or operator of the query is ever taken as syntax.
    """
    terms = list(dict.fromkeys(_terms(query)))
    telling = [term for term in terms if term.lower() not in STOP_WORDS]
    return " OR ".join(f'"{term}"' for term in (telling or terms)[:MAX_TERMS])


def _terms(query: str) -> Iterator[str]:
    for word in _WORD.findall(query):
        yield word  # a snake_case word becomes a phrase of its parts
        if "_" in word:
            yield from filter(None, word.split("_"))
        yield from parts(word).split()
