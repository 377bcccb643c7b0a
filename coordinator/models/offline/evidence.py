"""What the sources say about the question: parts, coverage, bands, ranked pieces, and the words that are missing.

A part of the question is *found* when the rare words of it stand together in one passage, *possibly* answered when some
of them do, and otherwise *nothing* was found. `cover` weighs a word by its rarity among the passages at hand; a word
in none of them weighs most, which is what keeps the engine from answering what it has no source for.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from math import log

from coordinator.domain.value import value
from coordinator.models.offline import words
from coordinator.models.offline.conversation import Conversation
from coordinator.models.offline.orders import orders
from coordinator.models.offline.passages import Excerpt, Piece, pieces
from coordinator.models.offline.words import Term, acts_alike, match, stem, stem_set, terms

FOUND_FROM, POSSIBLY_FROM = 0.55, 0.35
_BELOW_FOUND = 0.54
NEAR_WORDS, SCATTERED = 30, 0.8
"""Words within which two pieces stand together, and what coverage within a longer piece is worth."""
JUDGED = 3
"""How many of the best passages of each result may decide the band."""

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


class Band(IntEnum):
    """How much the sources say."""

    NOTHING = 0
    POSSIBLY = 1
    FOUND = 2


@value
class Part:
    """One thing that is asked."""

    text: str
    terms: tuple[Term, ...]
    quantity: bool = False
    how_to: bool = False


@value
class Finding:
    """What the sources say about one part."""

    part: Part
    band: Band
    cover: float
    missing: tuple[str, ...]
    ranked: tuple[tuple[float, Piece], ...]


@value
class Reading:
    """Everything the engine knows when it answers."""

    conversation: Conversation
    findings: tuple[Finding, ...]
    focus: str
    """The user's own words, as far as they are this member's to answer."""

    @property
    def band(self) -> Band:
        """The band of the whole: found when every part is and nobody reported a gap, nothing when no part is."""
        bands = [finding.band for finding in self.findings] or [Band.NOTHING]
        if max(bands) is Band.NOTHING:
            return Band.NOTHING
        whole = min(bands) is Band.FOUND and not self.conversation.reported
        return Band.FOUND if whole else Band.POSSIBLY

    @property
    def cover(self) -> float:
        """The mean coverage of the parts, from 0 to 1."""
        return sum(finding.cover for finding in self.findings) / max(1, len(self.findings))


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
    kept = (term if place in near else Term(term.word, term.stems, 0.1) for place, term in enumerate(told))
    return Part(text, tuple(kept))


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _matters(term: Term) -> bool:
    return term.factor > 0.3 and term.stems[-1] not in words.MOMENTS


def _lighter(term: Term) -> Term:
    factor = 0.1 if term.stems[-1] in words.MOMENTS else term.factor
    return Term(term.word, term.stems, factor)


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
        return Term(term.word, term.stems, term.factor * 0.5)
    factor = 0.3 if quantity and term.stems[-1] in words.MEASURES else 1.0
    return Term(term.word, term.stems, term.factor * factor)


def _kinds(text: str) -> tuple[bool, bool]:
    return bool(_QUANTITY.search(text)), bool(_HOW_TO.search(text))


def study(conversation: Conversation) -> Reading:
    """Read the evidence of *conversation* against each part of its question."""
    library = Library(conversation.excerpts)
    asked = parts(conversation.question)
    directed = _directed(asked, conversation.goal)
    focus = conversation.question if directed == asked else " ".join(part.text for part in directed)
    return Reading(conversation, tuple(_finding(library, part, conversation) for part in directed), focus)


def _finding(library: "Library", part: Part, conversation: Conversation) -> Finding:
    finding = library.finding(part, conversation.judged)
    if conversation.done.isdisjoint(one for term in part.terms for one in term.stems):
        return finding
    deeds = tuple((2.0, piece) for shelf in library.shelves for piece in shelf if piece.excerpt.deed)
    return Finding(part, Band.FOUND, 1.0, (), deeds + finding.ranked)  # what was ordered has been done


def _directed(asked: tuple[Part, ...], goal: str) -> tuple[Part, ...]:
    """Keep the parts that *goal* names word by word, when it names some: the others are a colleague's."""
    named = tuple(part for part in asked if len(asked) > 1 and part.text in goal)
    return named or asked


class Library:
    """The excerpts at hand, in pieces, with how many hold each word."""

    def __init__(self, excerpts: Sequence[Excerpt]) -> None:
        self.shelves: list[list[Piece]] = [pieces(one) for one in excerpts]
        self.holds = [
            frozenset().union(*(piece.stems for piece in shelf), words.stem_set(one.context), *_heads(shelf))
            for one, shelf in zip(excerpts, self.shelves, strict=True)
        ]

    def finding(self, part: Part, second_hand: bool) -> Finding:
        """Return what the excerpts say about *part*; *second_hand* when colleagues already judged some of them."""
        weights = [self._weight(term) for term in part.terms]
        ranked = self._ranked(part, weights)
        covered = self._confidence(part, weights)
        missing = tuple(
            term.word for term in part.terms if _matters(term) and not any(match(term, held) for held in self.holds)
        )
        band = Band.FOUND if covered >= FOUND_FROM else Band.POSSIBLY if covered >= POSSIBLY_FROM else Band.NOTHING
        if band is Band.FOUND and any(term.factor == 1.0 and term.word in missing for term in part.terms):
            band = Band.POSSIBLY  # a rare word of the request is in no source: no quote can answer all of it
        if second_hand and band is Band.POSSIBLY:
            band = Band.FOUND  # what a colleague quotes has lost its surroundings; the colleague's own gaps still count
        return Finding(part, band, covered, missing, tuple(ranked) if band else ())

    def _weight(self, term: Term) -> float:
        count = len(self.holds)
        holding = sum(1 for held in self.holds if match(term, held, 0.0) >= 1.0)
        return term.factor * log(1 + (count + 1) / (holding + 0.5))

    def _confidence(self, part: Part, weights: list[float]) -> float:
        """Return the best coverage by words that stand together, in the first passages of a result.

        It stays below *found* in a passage that lacks the rarest words of the part, however well it covers the others.
        """
        best = 0.0
        for shelf, held in zip(self.shelves, self.holds, strict=True):
            most = 1.0 if all(match(term, held) for term in _rarest(part, weights)) else _BELOW_FOUND
            for piece, following in zip(shelf, [*shelf[1:], None][: len(shelf)], strict=True):
                if piece.excerpt.rank >= JUDGED:
                    break
                stems, share = _together(piece, following)
                covered = 0.7 * _cover(part, weights, stems, 0.8) + 0.3 * _cover(part, weights, stems, 0.0)
                best = max(best, min(most, share * covered))
        return best

    def _ranked(self, part: Part, weights: list[float]) -> list[tuple[float, Piece]]:
        scored = []
        for index, shelf in enumerate(self.shelves):
            before: frozenset[str] = frozenset()
            for piece in shelf:
                scored.append((self._score(part, weights, piece, before), index, piece))
                before = piece.stems
        scored.sort(key=lambda one: (-one[0], one[2].excerpt.rank, one[1], one[2].place))
        return [(score, piece) for score, _, piece in scored]

    def _score(self, part: Part, weights: list[float], piece: Piece, before: frozenset[str]) -> float:
        heading = _heading(piece)
        score = _cover(part, weights, piece.stems, 0.5)
        score += 0.3 * _cover(part, weights, piece.stems | before | heading, 0.5)
        score += 0.25 * _cover(part, weights, heading, 0.5)
        score += 0.3 / (1 + piece.excerpt.rank)
        if part.quantity and any(map(str.isdigit, piece.quote)):
            score += 0.15
        return score + (0.1 if part.how_to and piece.code else 0.0)


def _rarest(part: Part, weights: list[float]) -> list[Term]:
    """Return the terms of full importance that the fewest passages hold."""
    full = [(weight, term) for weight, term in zip(weights, part.terms, strict=True) if term.factor == 1.0]
    top = max((weight for weight, _ in full), default=0.0)
    return [term for weight, term in full if weight == top]


def _together(piece: Piece, following: Piece | None) -> tuple[frozenset[str], float]:
    """Return the stems that stand together with *piece*, and how much of their coverage counts."""
    length = len(piece.quote.split())
    near = following is not None and length + len(following.quote.split()) <= NEAR_WORDS
    stems = piece.stems | _heading(piece) | (following.stems if following and near else frozenset())
    return stems, 1.0 if length <= NEAR_WORDS else SCATTERED


def _heads(shelf: list[Piece]) -> list[frozenset[str]]:
    return [words.stem_set(heads) for heads in {piece.headings for piece in shelf}]


def _heading(piece: Piece) -> frozenset[str]:
    return words.stem_set(f"{piece.headings} {piece.excerpt.context}")


def _cover(part: Part, weights: list[float], stems: frozenset[str], near: float) -> float:
    whole = sum(weights)
    if not whole:
        return 0.0
    return sum(weight * match(term, stems, near) for term, weight in zip(part.terms, weights, strict=True)) / whole
