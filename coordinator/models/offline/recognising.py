"""Rules that recognise the value of an argument: each yields candidates, the likeliest first, and invents none."""

import re

from coordinator.domain.value import value
from coordinator.models.offline.conversation import Conversation
from coordinator.models.offline.words import stem

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>\"')\]]+", re.I)
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I)
_PATH = re.compile(
    r"(?<![\w:/])(?:\.{0,2}/)?(?:[\w.-]+/)*[\w-]+\.[A-Za-z]\w{0,5}\b|(?<![\w:/])(?:\.{0,2}/)?(?:[\w.-]+/)+[\w.-]*"
)
_MONEY = re.compile(
    r"(?:[$€£]\s?(\d+(?:[.,]\d+)*)|\b(\d+(?:[.,]\d+)*)\s?(?:dollars?|euros?|pounds?|USD|EUR|GBP|€|\$|£))", re.I
)
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)
_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\.?,? (\d{{4}})\b", re.I)
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b", re.I)
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w-]|\.\d)")
_TOKEN = re.compile(r"[^\s,;:!?\"'“”()\[\]<>#]+")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
_COUNTED = re.compile(r"\b(?:last|first|top|latest|newest|up to|at most)\s+(\d+|[a-z]+)\b", re.I)
_NUMBER_WORDS = {
    w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
}
_ID_WORDS = frozenset(stem(word) for word in "id number no code ref reference key identifier".split())
_QUERY_WORDS = frozenset(stem(word) for word in "query question search look keyword phrase find term lookup".split())
_CODE_WORDS = frozenset(stem(word) for word in "sql regex regexp expression code script formula command".split())
_PATH_WORDS = frozenset(stem(word) for word in "path file filename folder directory".split())
_MONEY_WORDS = frozenset(stem(word) for word in "amount price cost money sum usd eur total fee budget".split())
_LIMIT_WORDS = frozenset(stem(word) for word in "limit count max maximum top many most".split())
_PROSE_WORDS = frozenset(
    stem(word)
    for word in "title body reason description message subject text note comment summary content request".split()
)
_PLACES = ((re.compile(r"origin|source|from|depart|start"), "from"), (re.compile(r"destin|target|arriv|\bto\b|recipient"), "to"),
           (re.compile(r"city|place|location|region|country|town"), "in|at|near|for|of"))  # fmt: skip
_CAPITALS = r"[A-Z][\w-]+(?: [A-Z][\w-]+)*"


@value
class Said:
    """What arguments may be taken from: the user's words, nearest first, the query to search with, and the conversation."""

    texts: tuple[str, ...]
    query: str
    conversation: Conversation
    searching: bool = False
    """Whether the tool looks for things by words, so that its one free text is the query."""
