"""What a user orders the desk to do: read from the user's own words, in code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# An order stands at the beginning of a clause, behind a polite word, a wish, or "can you"; "can I" asks, and "do not"
# forbids.
_LEAD = (
    r"(?:(?:^|[.!?;:,–—-]\s*|(?P<joined>\b(?:and|then|so|but)\s+))"
    r"(?:(?:hi|hello|hey|there|team|ok|okay|now|just|also|then|dear \w+)[\s,!]+)*"
    r"|\b(?:please|kindly)\s+"
    r"|\b(?:i|we)(?:['’]d| would)? (?:now |really |just )?(?:want|need|like|wish|ask)(?: you| for you)? to\s+"
    r"|\b(?:can|could|would|will) you\s+)"
    r"(?:(?:please|kindly|just|now|immediately|also|at once)\s+)*"
)
_VERBS = (
    r"cancel"
    r"|(?:change|update|correct|edit)\b"
    r"(?= [^.!?]*\b(?:address|name|e-?mail|phone|order|size|colou?r|date|delivery|details|password))"
    r"|(?:re)?send\b(?= [^.!?]*\b(?:e-?mail|letter|copy|invoice|receipt|replacement|label|parcel|again|another|new))"
    r"|(?:e-?mail|call|phone|contact) (?:me|us)"
    r"|(?:replace|exchange|swap|redirect|reroute|delete|remove|close|deactivate|unsubscribe)"
    r"|(?:refund|reimburse|block|suspend|pause|reserve|book|postpone|reschedule)\b"
    r"(?= (?:me|us|my|our|the|this|that|it|all|an?|orders?|#?\w*-?\d)\b(?! (?:policy|is|was|are|has)\b))"
    r"|(?:add|apply)\b(?= [^.!?]*\b(?:item|order|voucher|code|discount))"
)  # fmt: skip
_ORDERED = re.compile(rf"{_LEAD}(?P<verb>{_VERBS})\b", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|^\s*>.*$", re.MULTILINE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_NAMED = re.compile(
    r"\b(?:orders?|cancel)\s+(?:numbers?\s+|nos?\.?\s*)?#?\d{4,}(?:\s*(?:,|&|\band\b)+\s*#?\d{4,})*(?![\w-])",
    re.IGNORECASE,
)
# What is said with a condition, with a choice or with an exception is no order that code may carry out.
_DOUBT = re.compile(
    r"\b(?:if|unless|in case|until|whether|except|or|instead|rather|maybe|perhaps)\b"
    r"|\bnot (?:order |number )?#?\d|\b(?:said|told|wrote)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\bnever ?mind\b|\bscratch that\b|\bforget (?:it|that)\b|\bchanged my mind\b|\bon second thoughts?\b"
    r"|\b(?:wait|sorry|actually|hold on),? (?:no|do not|don['’]?t)\b|\b(?:do not|don['’]?t|never) cancel\b",
    re.IGNORECASE,
)
_GREETING = re.compile(r"\W*(?:hi|hello|hey|dear|thanks|thank you|please|kind|best|regards|there|team|all|[\W])+", re.I)

_QUESTION = re.compile(r"\b(?:how|what|when|where|which|who|why)\b[^?]*\?", re.IGNORECASE)

_ASKED = re.compile(
    r"\b(?:how|what|when|where|which|who|why|(?:can|could|should|may|do|did|will|would|must) (?:i|we|they))\b",
    re.IGNORECASE,
)

CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Act:
    """One act that the user ordered.

    *verb* is the user's own; *numbers* are the orders that the sentence names; *certain* says that it was ordered
    without a condition, a choice, an exception or a second thought.
    """

    verb: str
    sentence: str
    numbers: tuple[str, ...]
    certain: bool

    @property
    def cancels(self) -> bool:
        """Whether code may carry it out: a cancellation, certain, of orders that are named."""
        return self.verb == CANCEL and self.certain and bool(self.numbers)


@lru_cache(maxsize=256)  # people ask again in the same words, and simulated ones do nothing else
def acts(request: str) -> tuple[Act, ...]:
    """Return what *request* orders, in its order; a question, a prohibition and quoted text order nothing."""
    spoken = _QUOTED.sub(" ", request)
    certain = not _TAKEN_BACK.search(spoken)
    return tuple(act for sentence in _sentences(spoken) for act in _in(sentence, certain))


def asks_more(request: str) -> bool:
    """Say whether *request* says more than what it orders."""
    sentences = _sentences(_QUOTED.sub(" ", request))
    rest = (sentence for sentence in sentences if not _ORDERED.search(sentence))
    return any(map(_QUESTION.search, sentences)) or not all(map(_GREETING.fullmatch, rest))


def _in(sentence: str, certain: bool) -> Iterator[Act]:
    numbers = tuple(dict.fromkeys(number for named in _NAMED.findall(sentence) for number in re.findall(r"\d+", named)))
    sure, seen, led = certain and not _DOUBT.search(sentence), set[str](), False
    for match in _ORDERED.finditer(sentence):
        verb, asked = match["verb"].lower(), _ASKED.search(sentence, 0, match.start("verb"))
        if verb in seen or (asked and match["joined"]):
            continue  # "how do I pay and cancel" asks
        seen.add(verb)
        led = not asked and (led or not match["joined"])  # after "and", a clause orders only when one before it did
        yield Act(verb, sentence, numbers, sure and led)


def _sentences(text: str) -> list[str]:
    return [match.group().strip() for match in _SENTENCE.finditer(text) if match.group().strip(" .!?")]
