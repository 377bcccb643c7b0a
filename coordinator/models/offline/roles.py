"""What a field of an output schema is for: told by its description first and by its name second."""

import re
from enum import StrEnum

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


# Words that speak for a role, and how loudly; a word counts less the later it stands.
_SPEAKS: dict[Role, dict[str, float]] = {
    Role.QUOTE: {"quote": 3, "quoted": 3, "quotation": 3, "verbatim": 4, "literal": 3, "exact": 2, "excerpt": 3},
    Role.STATEMENT: {
        "statement": 3, "claim": 3, "says": 2, "say": 2, "plain": 2, "fact": 2.5, "sentence": 2, "finding": 3, "learned": 2,
        "bullet": 3, "point": 2, "established": 2, "assertion": 3,
    },
    Role.SOURCE: {"source": 3, "cited": 2, "document": 2, "file": 2, "path": 2, "url": 2, "locator": 3, "origin": 2, "where": 2, "reference": 2,
                  "citation": 2.5},
    Role.LINE: {"line": 3, "page": 3, "row": 1},
    Role.ANSWER: {"reply": 3, "answer": 3, "text": 2, "draft": 2, "summary": 3, "response": 3, "letter": 3, "message": 2, "body": 2, "prose": 2,
                  "summarise": 3, "summarize": 3},
    Role.REASON: {"reason": 3, "why": 3.5, "because": 3, "justification": 3, "rationale": 3, "explanation": 3, "explain": 2, "objection": 3, "wrong": 2.5, "fault": 2},
    Role.GAP: {"gap": 3, "missing": 3, "open": 2, "unanswered": 3, "lacking": 3, "lack": 2, "unknown": 2, "not": 1.5, "unresolved": 3, "nothing": 1},
    Role.CONFIDENCE: {"confidence": 3, "sure": 2.5, "certain": 2.5, "certainty": 3, "well": 2, "likelihood": 2},
    Role.MEMBER: {"member": 3, "who": 2.5, "colleague": 3, "agent": 2.5, "assignee": 3, "responsible": 2, "teammate": 3, "whom": 2.5},
    Role.GOAL: {"goal": 3, "brief": 3, "task": 2, "instruction": 3, "assignment": 3, "objective": 3, "do": 1.5},
    Role.NEEDS: {"needs": 3, "need": 3, "depends": 3, "dependency": 3, "dependencies": 3, "prerequisite": 3, "after": 2, "requires": 2, "ids": 1.5},
    Role.ID: {"id": 3, "identifier": 3, "key": 2, "unique": 2},
    Role.TITLE: {"title": 3, "subject": 3, "headline": 3, "heading": 3},
    Role.REQUEST: {"request": 2.5, "question": 2.5, "asked": 2},
    Role.TOPIC: {"category": 3, "topic": 3, "kind": 3, "department": 3, "type": 2, "area": 2, "label": 2, "concerns": 2, "class": 2, "about": 1.5},
    Role.RISK: {"risk": 3, "severity": 3, "danger": 3, "urgency": 3, "urgent": 3, "priority": 3},
}  # fmt: skip
_STEMS = {role: {stem(word): loud for word, loud in spoken.items()} for role, spoken in _SPEAKS.items()}
# Which roles a value of each kind can play.
_POSSIBLE: dict[str, tuple[Role, ...]] = {
    "string": (Role.QUOTE, Role.STATEMENT, Role.SOURCE, Role.ANSWER, Role.REASON, Role.GAP, Role.GOAL, Role.ID, Role.MEMBER, Role.TITLE, Role.REQUEST),
    "integer": (Role.LINE, Role.CONFIDENCE),
    "number": (Role.CONFIDENCE,),
    "choice": (Role.CONFIDENCE, Role.MEMBER, Role.TOPIC, Role.RISK),
    "array": (Role.QUOTE, Role.STATEMENT, Role.SOURCE, Role.REASON, Role.GAP, Role.NEEDS, Role.ANSWER),
}  # fmt: skip
_LOUD_ENOUGH = 1.5
# Turns of phrase that decide, however loudly the rest speaks: "What the sources do not answer" is about what is missing.
_DECISIVE: tuple[tuple[Role, float, re.Pattern[str]], ...] = (
    (Role.REASON, 8.0, re.compile(r"^\W*(?:the )?(?:why|reasons?)\b", re.I)),
    (Role.QUOTE, 7.0, re.compile(r"\bverbatim\b|\bword for word\b|\bexact words\b", re.I)),
    (
        Role.GAP,
        6.0,
        re.compile(
            r"\b(?:not|cannot|nothing|never|nowhere|missing|lacking)\b|n['’]t\b|\b(?:left|leaves?|remains?|still|stays?) open\b"
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
    possible = _POSSIBLE.get(place.kind, ())
    for text in (place.description, place.name):
        stems = raw_stems(text)
        scores = [(_loudness(one, stems) + _decided(one, text), -order, one) for order, one in enumerate(possible)]
        loudest = max(scores, default=(0.0, 0, Role.NONE))
        if loudest[0] >= _LOUD_ENOUGH:
            return loudest[2]
    return Role.NONE


def _loudness(one: Role, stems: list[str]) -> float:
    spoken = _STEMS[one]
    return sum(spoken.get(word, 0.0) / (1 + 0.25 * place) for place, word in enumerate(dict.fromkeys(stems)))


def _decided(one: Role, text: str) -> float:
    return sum(loud for named, loud, pattern in _DECISIVE if named is one and pattern.search(_UNCHANGED.sub(" ", text)))
