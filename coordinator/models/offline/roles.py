"""What a field of an output schema is for: told by its description first and by its name second."""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from coordinator.models.offline.schemas import Shape
from coordinator.models.offline.words import raw_stems, stem


class Role(StrEnum):
    """The parts a field can play in an answer."""

    QUOTE = "quote"
    STATEMENT = "statement"
    SOURCE = "source"
    LINE = "line"
    ANSWER = "answer"
    REASON = "reason"
    GAP = "gap"
    CONFIDENCE = "confidence"
    MEMBER = "member"
    GOAL = "goal"
    NEEDS = "needs"
    ID = "id"
    TITLE = "title"
    REQUEST = "request"
    TOPIC = "topic"
    RISK = "risk"
    NONE = ""


# Words that speak for a role, by how loudly they do; a word counts less the later it stands.
_SPEAKS: dict[Role, dict[float, str]] = {
    Role.QUOTE: {4: "verbatim", 3: "quote quoted quotation literal excerpt", 2: "exact"},
    Role.STATEMENT: {
        3: "statement claim finding bullet assertion",
        2.5: "fact",
        2: "says say plain sentence learned point established",
    },
    Role.SOURCE: {3: "source locator", 2.5: "citation", 2: "cited document file path url origin where reference"},
    Role.LINE: {3: "line page", 1: "row"},
    Role.ANSWER: {3: "reply answer summary response letter summarise summarize", 2: "text draft message body prose"},
    Role.REASON: {
        3.5: "why",
        3: "reason because justification rationale explanation objection",
        2.5: "wrong",
        2: "explain fault",
    },
    Role.GAP: {3: "gap missing unanswered lacking unresolved", 2: "open lack unknown", 1.5: "not", 1: "nothing"},
    Role.CONFIDENCE: {3: "confidence certainty", 2.5: "sure certain", 2: "well likelihood"},
    Role.MEMBER: {3: "member colleague assignee teammate", 2.5: "who agent whom", 2: "responsible"},
    Role.GOAL: {3: "goal brief instruction assignment objective", 2: "task", 1.5: "do"},
    Role.NEEDS: {3: "needs need depends dependency dependencies prerequisite", 2: "after requires", 1.5: "ids"},
    Role.ID: {3: "id identifier", 2: "key unique"},
    Role.TITLE: {3: "title subject headline heading"},
    Role.REQUEST: {2.5: "request question", 2: "asked"},
    Role.TOPIC: {3: "category topic kind department", 2: "type area label concerns class", 1.5: "about"},
    Role.RISK: {3: "risk severity danger urgency urgent priority"},
}
_STEMS = {
    role: {stem(word): loud for loud, spoken in table.items() for word in spoken.split()}
    for role, table in _SPEAKS.items()
}
# Which roles a value of each kind can play.
_POSSIBLE: dict[str, tuple[Role, ...]] = {
    "string": (
        Role.QUOTE,
        Role.STATEMENT,
        Role.SOURCE,
        Role.ANSWER,
        Role.REASON,
        Role.GAP,
        Role.GOAL,
        Role.ID,
        Role.MEMBER,
        Role.TITLE,
        Role.REQUEST,
    ),
    "integer": (Role.LINE, Role.CONFIDENCE),
    "number": (Role.CONFIDENCE,),
    "choice": (Role.CONFIDENCE, Role.MEMBER, Role.TOPIC, Role.RISK),
    "array": (Role.QUOTE, Role.STATEMENT, Role.SOURCE, Role.REASON, Role.GAP, Role.NEEDS, Role.ANSWER),
}
_LOUD_ENOUGH = 1.5
# Turns of phrase that decide: "What the sources do not answer" is about what is missing, not about sources.
_DECISIVE: tuple[tuple[Role, float, re.Pattern[str]], ...] = (
    (Role.REASON, 8.0, re.compile(r"^\W*(?:the )?(?:why|reasons?)\b", re.I)),
    (Role.QUOTE, 7.0, re.compile(r"\bverbatim\b|\bword for word\b|\bexact words\b", re.I)),
    (
        Role.GAP,
        6.0,
        re.compile(
            r"\b(?:not|cannot|nothing|never|nowhere|missing|lacking)\b|n['’]t\b"
            r"|\b(?:left|leaves?|remains?|still|stays?) open\b"
            r"|\bun(?:answered|supported|resolved|covered|known|clear|met)\b",
            re.I,
        ),
    ),
)
# "The words, not changed" says how, not what.
_UNCHANGED = re.compile(
    r"\b(?:not|never)\s+(?:\w+\s+)?(?:changed|altered|shortened|edited|paraphrased|invented|rephrased|modified)\b", re.I
)


def role(place: Shape) -> Role:
    """Return the role of *place*, or NONE when neither description nor name tells one."""
    return _role(place.kind, place.description, place.name)


def role_of_many(item: Shape) -> Role:
    """Return the role of a list of objects by what the description of one says of it."""
    return _role("array", item.description, "")


@lru_cache(maxsize=1 << 12)
def _role(kind: str, description: str, name: str) -> Role:
    possible = _POSSIBLE.get(kind, ())
    for text in (description, name):
        stems = raw_stems(text)
        scores = [(_loudness(one, stems) + _decided(one, text), -order, one) for order, one in enumerate(possible)]
        loudest = max(scores, default=(0.0, 0, Role.NONE))
        if loudest[0] >= _LOUD_ENOUGH:
            return loudest[2]
    return Role.NONE


def _loudness(one: Role, stems: Sequence[str]) -> float:
    spoken = _STEMS[one]
    return sum(spoken.get(word, 0.0) / (1 + 0.25 * place) for place, word in enumerate(dict.fromkeys(stems)))


def _decided(one: Role, text: str) -> float:
    return sum(loud for named, loud, pattern in _DECISIVE if named is one and pattern.search(_UNCHANGED.sub(" ", text)))
