"""What the sources say about the question: parts, coverage, bands, ranked pieces, and the words that are missing.

A part of the question is *found* when its words stand together in one place, just as they were asked, *possibly*
answered when the rarer ones do, if only by a synonym, and otherwise *nothing* was found. `cover` weighs a word by its
rarity among the passages at hand; a word in none of them weighs most, which is what keeps the engine from answering
what it has no source for.
"""

from collections.abc import Sequence
from enum import IntEnum
from math import log

from coordinator.domain.value import value
from coordinator.models.offline import measuring, words
from coordinator.models.offline.asking import Part, directed, matters, parts, telling, vague
from coordinator.models.offline.conversation import Conversation
from coordinator.models.offline.measuring import Kind
from coordinator.models.offline.passages import Excerpt, Piece, pieces
from coordinator.models.offline.words import Term, match

FOUND_FROM, POSSIBLY_FROM = 0.55, 0.35
_BELOW_FOUND = 0.54
NEAR_WORDS, SCATTERED = 30, 0.8
"""Words within which two pieces stand together, and what coverage within a longer piece is worth."""
JUDGED = 3
"""How many of the best passages of each result may decide the band."""


class Band(IntEnum):
    """How much the sources say."""

    NOTHING = 0
    POSSIBLY = 1
    FOUND = 2


@value
class Finding:
    """What the sources say about one part."""

    part: Part
    band: Band
    cover: float
    missing: tuple[str, ...]
    """Words that no source holds, not even by a synonym."""
    reworded: tuple[str, ...]
    """Words that the sources hold only by a synonym."""
    ranked: tuple[tuple[float, Piece], ...]
    unmeasured: bool = False
    """Whether an amount was asked for and none stands beside the words."""


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
        whole = min(bands) is Band.FOUND and not (self.conversation.reported or self.undone)
        return Band.FOUND if whole else Band.POSSIBLY

    @property
    def undone(self) -> tuple[str, ...]:
        """The sentences that order an act of this member and that nothing has followed."""
        return tuple(dict.fromkeys(one for one in self.conversation.undone if one.strip(" .!?;") in self.focus))

    @property
    def cover(self) -> float:
        """The mean coverage of the parts, from 0 to 1."""
        return sum(finding.cover for finding in self.findings) / max(1, len(self.findings))


def study(conversation: Conversation) -> Reading:
    """Read the evidence of *conversation* against each part of its question."""
    library = Library(conversation.excerpts)
    asked = parts(conversation.question)
    mine = directed(asked, conversation.goal)
    focus = conversation.question if mine == asked else " ".join(part.text for part in mine)
    return Reading(conversation, tuple(_finding(library, part, conversation) for part in mine), focus)


def _finding(library: "Library", part: Part, conversation: Conversation) -> Finding:
    finding = library.finding(part, conversation.judged)
    if conversation.done.isdisjoint(one for term in part.terms for one in term.stems):
        return finding
    deeds = tuple((2.0, piece) for shelf in library.shelves for piece in shelf if piece.excerpt.deed)
    return Finding(part, Band.FOUND, 1.0, (), (), deeds + finding.ranked)  # what was ordered has been done


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
        full = [term for term in part.terms if term.factor == 1.0]
        if vague(full):  # what stands under the heading about it comes before what only uses the word
            ranked.sort(key=lambda one: not _names(one[1], full[0]))
        covered = self._confidence(part, weights)
        asked = [term for term in part.terms if matters(term)]
        missing = tuple(term.word for term in asked if not any(match(term, held) for held in self.holds))
        unsaid = (term.word for term in asked if not any(match(term, held, 0.0) for held in self.holds))
        reworded = tuple(word for word in unsaid if word not in missing)
        band = Band.FOUND if covered >= FOUND_FROM else Band.POSSIBLY if covered >= POSSIBLY_FROM else Band.NOTHING
        if second_hand and band is Band.POSSIBLY:
            band = Band.FOUND  # what a colleague quotes has lost its surroundings; the colleague's own gaps still count
        unmeasured = band is not Band.FOUND and measuring.kind(part.text) is not Kind.NONE
        return Finding(part, band, covered, missing, reworded, tuple(ranked) if band else (), unmeasured)

    def _weight(self, term: Term) -> float:
        count = len(self.holds)
        holding = sum(1 for held in self.holds if match(term, held, 0.0) >= 1.0)
        return term.factor * log(1 + (count + 1) / (holding + 0.5))

    def _confidence(self, part: Part, weights: list[float]) -> float:
        """Return the best coverage by words that stand together, in the first passages of a result.

        It stays below *found* where a word that was asked is not among them, however much of the part they cover: what
        is said in other words, or of something else in the same field, is only possibly an answer. So is what holds no
        amount where one was asked for, and what holds the one plain word of a question under no heading about it.
        """
        best = 0.0
        needed = telling(part)
        for shelf in self.shelves:
            for piece, following in zip(shelf, [*shelf[1:], None][: len(shelf)], strict=True):
                if piece.excerpt.rank >= JUDGED:
                    break
                stems, share = _together(piece, following)
                covered = share * (0.7 * _cover(part, weights, stems, 0.8) + 0.3 * _cover(part, weights, stems, 0.0))
                answers = share == 1.0 and all(match(term, stems, 0.0) >= words.EXACT for term in needed)
                answers = answers and _to_the_point(part, needed, piece, following)
                best = max(best, covered if answers else min(covered, _BELOW_FOUND))
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


def _to_the_point(part: Part, needed: Sequence[Term], piece: Piece, following: Piece | None) -> bool:
    """Say whether a piece that holds every needed word may answer: by an amount, a heading, or several words."""
    full = [term for term in needed if term.factor == 1.0]
    around = f"{piece.quote} {following.quote if following else ''} {piece.headings} {piece.excerpt.context}"
    if not full or not all(words.same_form(term, around) for term in full):
        return False
    kind = measuring.kind(part.text)
    if kind and not measuring.holds(kind, part.text, piece.quote):
        return False
    if kind in (Kind.MONEY, Kind.COUNT):
        return all(match(term, piece.stems | _heading(piece), 0.0) >= words.EXACT for term in full)
    if not vague(full) or piece.excerpt.deed:
        return True
    return _names(piece, full[0]) or (not kind and part.asks and _begins(piece, full[0]))


def _begins(piece: Piece, term: Term) -> bool:
    """Say whether *term* is the first word of *piece* that matters: then it is what the sentence is about."""
    first = next(iter(words.terms(piece.plain)), None)
    return first is not None and match(term, frozenset(first.stems), 0.0) >= words.EXACT


def _names(piece: Piece, term: Term) -> bool:
    """Say whether a heading over *piece* is about *term* and nothing else that matters."""
    heads = (words.stem_set(head) - words.GENERIC for head in (*piece.headings.split(" / "), piece.excerpt.context))
    return any(match(term, head, 0.0) >= words.EXACT and len(head) == len(term.stems) for head in heads)


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
