"""What is quoted, and how it reads: the best pieces of the sources, the gaps, and the text for people made of them."""

import re
from collections.abc import Iterator, Sequence

from coordinator.domain.value import value
from coordinator.models.offline.evidence import Band, Finding, Reading
from coordinator.models.offline.passages import Excerpt, Piece
from coordinator.models.offline.words import match, stem_set

SHOWN = 5
"""Pieces that a reply shows in all."""
CONTEXT_WORDS = 100
CONTEXT_FROM = 2
"""How many of the best passages may add context, and how many words each."""
CLOSE = 0.55
"""A piece is shown only when it scores at least this share of the best one."""
IN_PASSING = 1 / 3
"""Share of a piece's own words that must be words of the part, where nothing else says that it is about the part."""
NO_ACCIDENT = 3
"""Words of a part that stand together in a piece only when it is about the part."""

_ASKED = re.compile(r" \(asked: (\".*\")\)\.$")


@value
class Quote:
    """A verbatim slice of one excerpt."""

    excerpt: Excerpt
    start: int
    end: int
    plain: str
    statement: str
    band: Band
    part: int

    @property
    def words(self) -> str:
        """The words of the source, exactly."""
        return self.excerpt.text[self.start : self.end]

    @property
    def line(self) -> int | None:
        """The line of the source at which the quote begins, where the passage says at which it begins itself."""
        first = self.excerpt.line
        return None if first is None else first + self.excerpt.text.count("\n", 0, self.start)


def best(reading: Reading, most: int = SHOWN) -> tuple[Quote, ...]:
    """Return at most *most* quotes, best first: the strongest pieces of each part, neighbours joined, none twice."""
    spoken = [finding for finding in reading.findings if finding.band]
    each = max(2, most // max(1, len(spoken)))
    found: list[Quote] = []
    said: set[str] = set()
    for part, finding in enumerate(reading.findings):
        taken: list[tuple[float, Piece]] = []
        for score, piece in finding.ranked:
            known = piece.plain.lower()
            if len(taken) == each or score < CLOSE * finding.ranked[0][0]:
                break
            if known and known not in said and (not taken or _belongs(piece, taken[0][1], finding)):
                said.add(known)
                taken.append((score, piece))
        found += _joined([piece for _, piece in taken], finding, part)
    return tuple(found[:most])


def _belongs(piece: Piece, first: Piece, finding: Finding) -> bool:
    """Say whether *piece* is about the part, or only uses its words in passing.

    It is about the part when it stands in the source of the best piece, says a word of the part that the best lacks,
    stands under a heading that has one, says three of them, or consists of them to a third.
    """
    full = [term for term in finding.part.terms if term.factor == 1.0]
    held = [term for term in full if match(term, piece.stems)]
    heading = stem_set(piece.headings)
    return (
        piece.excerpt.source == first.excerpt.source
        or any(not match(term, first.stems) for term in held)
        or any(match(term, heading, 0.0) for term in full)
        or len(held) >= NO_ACCIDENT
        or len(held) >= IN_PASSING * len(piece.stems)
    )


def _joined(taken: list[Piece], finding: Finding, part: int) -> list[Quote]:
    """Join pieces that follow one another in their source, so that they read as they were written."""
    quotes: list[Quote] = []
    used: set[int] = set()
    for index, piece in enumerate(taken):
        if index in used:
            continue
        run = [piece]
        for other, following in enumerate(taken):
            if other > index and other not in used and _adjoins(run, following):
                used.add(other)
                run.append(following)
        run += _introduced(max(run, key=lambda one: one.start), finding)
        run.sort(key=lambda one: one.start)
        quotes.append(_quote(run, finding, part))
    return quotes


def _introduced(last: Piece, finding: Finding) -> list[Piece]:
    """Return the two pieces that *last* announces with a colon: "There are two ways:" says nothing without them."""
    if not last.quote.rstrip().endswith(":") or last.code:
        return []
    after = (last.place + 1, last.place + 2)
    return [one for _, one in finding.ranked if one.excerpt is last.excerpt and one.place in after and not one.code]


def _adjoins(run: list[Piece], other: Piece) -> bool:
    same = other.excerpt is run[0].excerpt and not other.code
    return same and any(
        abs(one.place - other.place) == 1 and not one.code and one.headings == other.headings for one in run
    )


def _quote(run: Sequence[Piece], finding: Finding, part: int) -> Quote:
    first, last = run[0], run[-1]
    start, end = min(one.start for one in run), max(one.end for one in run)
    text = " ".join(one.plain for one in run)
    heading = first.headings.split(" / ")[-1]
    stems = frozenset().union(*(one.stems for one in run))
    missed = [term for term in finding.part.terms if not match(term, stems, 0.0)]
    helps = bool(heading) and any(match(term, stem_set(heading), 0.0) for term in missed)
    statement = f"{heading}: {text}" if helps else text
    return Quote(last.excerpt, start, end, text, statement, finding.band, part)


def context(reading: Reading, quotes: Sequence[Quote]) -> tuple[Quote, ...]:
    """Return what else the best passages say, up to a hundred words each: it may hold what the best pieces missed."""
    best = list(dict.fromkeys(quote.excerpt for quote in quotes))[:CONTEXT_FROM]
    return tuple(one for excerpt in best for one in _rest(reading, excerpt, quotes))


def _rest(reading: Reading, excerpt: Excerpt, quotes: Sequence[Quote]) -> list[Quote]:
    """Return the pieces of *excerpt* that are not quoted yet: first what follows its best quote, then what precedes."""
    shown = [quote for quote in quotes if quote.excerpt is excerpt]
    owner, room, found = shown[0], CONTEXT_WORDS, []
    mine = [piece for _, piece in reading.findings[owner.part].ranked if piece.excerpt is excerpt]
    for piece in sorted(mine, key=lambda one: (one.start < owner.start, abs(one.start - owner.start))):
        length = len(piece.quote.split())
        if piece.plain and length <= room and not any(q.start <= piece.start and piece.end <= q.end for q in shown):
            room -= length
            told = f"Context: {piece.plain}"
            found.append(Quote(excerpt, piece.start, piece.end, piece.plain, told, owner.band, owner.part))
    return sorted(found, key=lambda quote: quote.start)


def gaps(reading: Reading) -> tuple[str, ...]:
    """Return one sentence for everything that was not found or could not be looked up; empty when all was found."""
    conversation = reading.conversation
    found = [*conversation.troubles, *(f"Not done: {' '.join(one.split())}" for one in reading.undone)]
    if any(finding.band is not Band.FOUND for finding in reading.findings):
        found += conversation.absences
    several = len(reading.findings) > 1
    if not reading.findings:
        found.append("The request asks nothing that can be looked up.")
    for finding in reading.findings:
        if finding.band is not Band.FOUND:
            found.append(_gap(finding, several, looked=conversation.looked))
    return tuple(_once([*conversation.reported, *found]))


def _once(told: Sequence[str]) -> Iterator[str]:
    """Yield each gap once: what is missing for several parts, or was reported already, is named with all its parts."""
    asked: dict[frozenset[str], list[str]] = {}
    first: dict[frozenset[str], str] = {}
    for gap in told:
        parts = _ASKED.findall(gap)
        missing = _ASKED.sub(".", gap)
        words = stem_set(missing)
        first.setdefault(words, missing)
        asked.setdefault(words, []).extend(parts)
    for words, missing in first.items():
        about = "; ".join(dict.fromkeys(asked[words]))
        yield f"{missing.removesuffix('.')} (asked: {about})." if about else missing


def _gap(finding: Finding, several: bool, *, looked: bool) -> str:
    asked = re.sub(r"^\W*(?:and|but|also|so)\s+", "", " ".join(finding.part.text.split()), flags=re.I)
    if not looked:
        return f"Nothing was looked up for: {asked}"
    about = f' (asked: "{asked}")' if several else ""
    if finding.missing:
        return f"Not found in the sources: {', '.join(finding.missing)}{about}."
    if finding.band is Band.POSSIBLY and finding.unmeasured:
        return f"Only possibly answered: no such amount stands beside the words asked for{about}."
    if finding.band is Band.POSSIBLY and finding.reworded:
        return f"Only possibly answered: the sources say it in other words than {', '.join(finding.reworded)}{about}."
    if finding.band is Band.POSSIBLY:
        return f"Only possibly answered: the words asked for do not stand together in the sources{about}."
    asked_for = ", ".join(term.word for term in finding.part.terms)
    return f"Not found in the sources: {asked_for}, together in one place{about}."


def prose(reading: Reading, quotes: Sequence[Quote], missing: Sequence[str]) -> str:
    """Return the reply for people: quotes numbered by their place in *quotes*, counted from 1, then what is missing."""
    paragraphs = []
    for band, lead in (
        (Band.FOUND, "According to the sources:"),
        (Band.POSSIBLY, "Possibly related, from the sources:"),
    ):
        said = [f"{_ended(quote.plain)} [{number}]" for number, quote in enumerate(quotes, 1) if quote.band is band]
        paragraphs += [" ".join([lead, *said])] if said else []
    if not quotes:
        looked = reading.conversation.looked
        paragraphs.append(
            "The sources do not answer this." if looked else "This could not be answered: no source was read."
        )
    return "\n\n".join([*paragraphs, " ".join(missing)]).strip()


def listed(quotes: Sequence[Quote]) -> str:
    """Return the sources of *quotes* as numbered lines, for a reply that has no field for citations."""
    lines = (f"[{n}] {q.excerpt.source}" + (f", line {q.line}" if q.line else "") for n, q in enumerate(quotes, 1))
    return "\n".join(lines)


def _ended(text: str) -> str:
    cut = text.rstrip()
    return cut if cut.endswith((".", "!", "?", "…", '"', "”")) else cut.rstrip(":;,") + "."
