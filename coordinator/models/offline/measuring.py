"""Questions for an amount: which kind of amount is asked for, and whether a text holds one beside the thing."""

import re
from enum import StrEnum
from functools import lru_cache

from coordinator.models.offline.words import stem, stem_set

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve twenty thirty fifty hundred thousand"
    " million dozen half both once twice no unlimited"
)
_NUMBER = rf"(?:\d\S*|{_NUMBERS.replace(' ', '|')})"
_MANY = re.compile(r"\bhow many\s+(?P<thing>[^?.,;]+)", re.I)
_MUCH = re.compile(r"\bhow much\b", re.I)
_EXTENT = re.compile(r"\bhow (?:long|often|far|big|large|soon|fast|old|high|heavy)\b", re.I)
_VERB = re.compile(
    r"\b(?:do|does|did|is|are|was|were|can|could|may|must|will|would|should|has|have|had|per|in|on|at|of|for|to)\b",
    re.I,
)
_PRICED = re.compile(
    r"\bhow much\s+(?:is|are|was|were|will|would)\b"
    r"|\b(?:cost|costs|price|prices|pay|pays|paid|charge|charges|charged|fee|fees)\b",
    re.I,
)
_PRICE = re.compile(
    r"\bwhat (?:do|does|did|will|would)\b[^?.]*\bcost\b|\bwhat (?:is|are) the (?:price|cost|fee)s?\b", re.I
)
_MONEY = re.compile(
    r"[€$£¥]|\b(?:euros?|dollars?|pounds?|francs?|cents?|eur|usd|gbp|free|half|nothing|costs?|pric(?:es?|ed)"
    r"|fees?|charge[ds]?|amounts?)\b",
    re.I,
)
_AMOUNT = re.compile(
    rf"\b{_NUMBER}\b|[€$£¥%]|\b(?:every|daily|weekly|monthly|yearly|hourly|always|never|immediately|forever|until"
    r"|seconds?|minutes?|hours?|days?|weeks?|months?|years?|limits?|maximum|minimum)\b",
    re.I,
)
_BEFORE = 3
"""Words between which a number stands before what it counts."""


class Kind(StrEnum):
    """What kind of amount a question asks for."""

    NONE = ""
    COUNT = "count"
    MONEY = "money"
    EXTENT = "extent"


@lru_cache(maxsize=1 << 10)
def kind(question: str) -> Kind:
    """Return the kind of amount that *question* asks for, NONE when it asks for none."""
    if _counted(question):
        return Kind.COUNT
    if _PRICE.search(question) or (_MUCH.search(question) and _PRICED.search(question)):
        return Kind.MONEY
    return Kind.EXTENT if _MUCH.search(question) or _EXTENT.search(question) else Kind.NONE


def holds(wanted: Kind, question: str, text: str) -> bool:
    """Say whether *text* holds an amount of the kind that *question* asks for."""
    match wanted:
        case Kind.COUNT:
            return _counts(_counted(question), text)
        case Kind.MONEY:
            return bool(_MONEY.search(text))
    return bool(_AMOUNT.search(text))


@lru_cache(maxsize=1 << 10)
def _counted(question: str) -> frozenset[str]:
    """Return the stems of what *question* wants counted; none when it asks for something else."""
    match = _MANY.search(question)
    return stem_set(_VERB.split(match["thing"])[0]) if match else frozenset()


def _counts(counted: frozenset[str], text: str) -> bool:
    """Say whether a number stands shortly before one of *counted*, or directly behind it, as in "zones: 12"."""
    tokens = re.findall(r"[\w.,]*\w:?", text)
    numbers = [bool(re.fullmatch(_NUMBER, token, re.I)) for token in tokens]
    for place, token in enumerate(tokens):
        if stem(token.rstrip(":")) in counted:
            told = token.endswith(":") or tokens[place + 1 : place + 2] in (["is"], ["are"], ["was"], ["were"])
            behind = place + (1 if token.endswith(":") else 2)
            if any(numbers[max(0, place - _BEFORE) : place]) or (told and any(numbers[behind : behind + 1])):
                return True  # "customer 7" is one of them, not how many there are
    return False
