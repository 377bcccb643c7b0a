"""A question into its parts: what it asks, with the words that an answer must hold and how much each matters."""

import re
from collections.abc import Sequence

from coordinator.domain.value import value
from coordinator.models.offline import words
from coordinator.models.offline.orders import orders
from coordinator.models.offline.words import Term, acts_alike, stem, stem_set, terms

LIGHT = 0.4
"""Importance below which a word need not stand in an answer."""

_SENTENCE = re.compile(
    r"(?<=[.!?;])\s+|\n+|\s*[,;]?\s+(?=\b(?:and|but|also)\s+(?:how|what|when|where|who|which|why|can|does|is|are|do)\b)",
    re.I,
)
_INTERROGATIVE = re.compile(
    r"\W*(?:(?:and|but|also|so|or)\s+)?(?:how|what|when|where|who|whom|whose|which|why|can|could|do|does|did|is|are|was|were|will|would|should|may|has|have|am)\b",
    re.I,
)
_QUANTITY = re.compile(
    r"\bhow (?:many|much|long|often|far|big|large|soon|fast)\b|\bwhen\b|\bwhat (?:time|number|day)\b", re.I
)
# "How long" asks for a time: "long" is no more a topic than "when".
_MEASURE = re.compile(r"\bhow (?:many|much|long|often|far|big|large|soon|fast)\b", re.I)
# An address says where to, not what about.
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[a-z][a-z0-9+.-]*://\S+", re.I)
_HOW_TO = re.compile(r"\bhow (?:do|can|could|should|would|to|is|are|does)\b|\bexample\b|\bcode\b", re.I)
_POLITE = re.compile(
    r"^\W*(?:(?:hi|hello|hey|dear|please|thanks|thank you|kindly)\b[\s,!.]*)*"
    r"(?:(?:can|could|would|will) you (?:please )?|i (?:want|need|would like|'d like) (?:you )?to )?",
    re.I,
)


@value
class Part:
    """One thing that is asked."""

    text: str
    terms: tuple[Term, ...]
    quantity: bool = False
    how_to: bool = False

    @property
    def asks(self) -> bool:
        """Whether it asks what is so, not how to do something, and is no instruction."""
        return not self.how_to and not _instructs(self.text)


def parts(question: str) -> tuple[Part, ...]:
    """Split *question* into what it asks.

    Statements around a question explain it and are not asked themselves, unless they name one thing by its number: then
    what the sources say about that thing belongs to the answer.
    """
    sentences = [text.strip() for text in _SENTENCE.split(question) if text and text.strip()]
    asked = [text for text in sentences if _asks(text)]
    told = [text for text in sentences if text not in asked]
    if not asked:
        return tuple(part for text in told if (part := _part(text)).terms)
    found = [part for text in asked if (part := _part(text)).terms]
    if not found:
        text = " ".join(sentences)
        terms_told = tuple(map(_lighter, terms(" ".join(told))))
        return (Part(text, terms_told, *_kinds(text)),) if terms_told else ()
    return (*(_named(text) for text in told if _has_digit(text)), *found)


def _named(text: str) -> Part:
    """Return the part for a statement that names a thing by its number: the story around it counts little."""
    told = list(terms(text))
    numbers = [place for place, term in enumerate(told) if _has_digit(term.word)]
    near = {place for number in numbers for place in (number - 1, number)}
    kept = (term if place in near else term.weighed(0.1) for place, term in enumerate(told))
    return Part(text, tuple(kept))


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def matters(term: Term) -> bool:
    """Say whether *term* is worth naming when no source holds it."""
    return term.factor > 0.3 and term.stems[-1] not in words.MOMENTS


def _lighter(term: Term) -> Term:
    factor = 0.1 if term.stems[-1] in words.MOMENTS else term.factor
    return term.weighed(factor)


def _asks(text: str) -> bool:
    """Say whether *text* wants something: an answer, a text about something, or an act."""
    if text.endswith("?") or _INTERROGATIVE.match(text) or _instructs(text):
        return True
    return any(acts_alike(order.verb) for order in orders(text, stem_set(text)))


def _instructs(text: str) -> bool:
    first = re.match(r"\w+", _POLITE.sub("", text))
    return first is not None and stem(first.group()) in words.ASKING


def _part(text: str) -> Part:
    stripped = _POLITE.sub("", text)
    found = list(terms(_MEASURE.sub(" ", _ADDRESS.sub(" ", stripped))))
    if _instructs(text):
        found = [term for term in found if term.stems[-1] not in words.ASKING | words.FORM]
    quantity, how_to = _kinds(text)
    weighed = tuple(_measured(term, quantity) for term in found)
    return Part(text, weighed, quantity, how_to)


def _measured(term: Term, quantity: bool) -> Term:
    if term.stems[-1] in words.MOMENTS:
        return term.weighed(term.factor * 0.5)
    factor = 0.3 if quantity and term.stems[-1] in words.MEASURES else 1.0
    return term.weighed(term.factor * factor)


def _kinds(text: str) -> tuple[bool, bool]:
    return bool(_QUANTITY.search(text)), bool(_HOW_TO.search(text))


def telling(part: Part) -> list[Term]:
    """Return the words of *part* that an answer must hold: the full ones, or with only one of them nearly all."""
    full = [term for term in part.terms if term.factor == 1.0]
    return full if len(full) > 1 else [term for term in part.terms if term.factor >= LIGHT] or list(part.terms)


def vague(full: Sequence[Term]) -> bool:
    """Say whether one plain word is all that a question asks about: any sentence may hold it by accident."""
    return len(full) == 1 and len(full[0].stems) == 1 and full[0].word.isalpha() and full[0].word[1:].islower()


def directed(asked: tuple[Part, ...], goal: str) -> tuple[Part, ...]:
    """Keep the parts that *goal* names word by word, when it names some: the others are a colleague's."""
    named = tuple(part for part in asked if len(asked) > 1 and part.text in goal)
    return named or asked
