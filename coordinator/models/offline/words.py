"""Text into stems: what counts as a word, which words carry a topic, and which mean nearly the same."""

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

import snowballstemmer

from coordinator.domain.value import value
from coordinator.models.offline import lexicon

_STEMMER = snowballstemmer.stemmer("english")
_WORD = re.compile(r"\w+(?:['’]\w+)?")
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_DECIMAL = re.compile(r"\d+(?:[.,:]\d+)+")
_COMPOUND = re.compile(r"\w+(?:-\w+)+")

EXACT, NEAR = 1.0, 0.8


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the English stem of one word, in lower case."""
    stemmed: str = _STEMMER.stemWord(word.lower())
    return stemmed


@lru_cache(maxsize=1 << 16)
def _parts(token: str) -> tuple[str, ...]:
    """Return the stems of one token: identifiers give their parts and the whole, stop words nothing."""
    token = re.split("['’]", token)[0]
    pieces = [piece for chunk in token.split("_") for piece in _HUMPS.findall(chunk)] if token.isascii() else [token]
    if len(pieces) > 1 and not token.isupper():
        return (*(stem(p) for p in pieces if not is_stop(p)), stem(token.replace("_", "")))
    return () if is_stop(token) else (stem(token),)


def is_stop(word: str) -> bool:
    """Say whether *word* carries no topic, as written or as a stem."""
    low = word.lower()
    return low in _STOP or stem(low) in _STOP


@lru_cache(maxsize=1 << 12)
def raw_stems(text: str) -> tuple[str, ...]:
    """Return the stems of every word of *text*, stop words included: for roles and verbs."""
    return tuple(stem(piece) for word in _WORD.findall(text) for piece in _HUMPS.findall(word) or [word])


@lru_cache(maxsize=1 << 12)
def stem_set(text: str) -> frozenset[str]:
    """Return the content stems of *text*: words, parts of identifiers, whole identifiers and decimal numbers."""
    found = {part for token in _WORD.findall(text) for part in _parts(token)}
    found.update(_DECIMAL.findall(text))
    found.update(_joined(word) for word in _COMPOUND.findall(text))
    return frozenset(found)


def _joined(compound: str) -> str:
    return stem(compound.replace("-", ""))


@value
class Term:
    """One content word of a question: as the user wrote it, its stems, and how much it matters."""

    word: str
    stems: tuple[str, ...]
    factor: float = 1.0
    also: tuple[str, ...] = ()
    """Words that say the same, where it is one half of a phrase: "off" makes "turn" mean "disable"."""

    def weighed(self, factor: float) -> "Term":
        """Return the same word, mattering *factor* in all."""
        return Term(self.word, self.stems, factor, self.also)


@lru_cache(maxsize=1 << 12)
def terms(text: str) -> tuple[Term, ...]:
    """Return the content words of *text* in order, each once."""
    return tuple(_terms(text))


def _terms(text: str) -> Iterator[Term]:
    seen: set[str] = set()
    reached = 0
    spans = list(_WORD.finditer(text))
    for place, match in enumerate(spans):
        if match.start() < reached:
            continue
        word, stems, reached = _token(text, match)
        also, particle = _phrase(stem(word), spans[place + 1 : place + 4])
        if also and (not stems or stems[-1] in _LIGHT):
            word, stems = f"{word} {particle}", (stem(also[0]),)
        if particle:
            seen.add(stem(particle))
        if stems and stems[-1] not in seen and not (len(word) == 1 and word.isalpha()):
            seen.add(stems[-1])
            yield Term(word, stems, _factor(stems), also)


def _token(text: str, match: re.Match[str]) -> tuple[str, tuple[str, ...], int]:
    """Return the word that begins where *match* does, its stems, and where it ends: numbers and compounds are one."""
    if decimal := _DECIMAL.match(text, match.start()):
        return decimal.group(), (decimal.group(),), decimal.end()
    if compound := _COMPOUND.match(text, match.start()):
        parts = compound.group().split("-")
        inner = () if any(map(is_stop, parts)) else tuple(map(stem, parts))
        return compound.group(), (*inner, _joined(compound.group())), compound.end()
    return match.group(), _parts(match.group()), match.end()


def _phrase(verb: str, following: list[re.Match[str]]) -> tuple[tuple[str, ...], str]:
    """Return what *verb* means together with one of the next words, and that word; nothing when they are no phrase."""
    known = _phrases().get(verb, {})
    for match in following if known else ():
        if meaning := known.get(match.group().lower()):
            return meaning, match.group().lower()
    return (), ""


def _factor(stems: tuple[str, ...]) -> float:
    return 0.4 if len(stems) == 1 and stems[0] in GENERIC else 1.0


def match(term: Term, stems: frozenset[str], near: float = NEAR) -> float:
    """Return how well *stems* hold *term*: 1 exactly, *near* by a synonym, 0 not at all; identifiers by their parts."""
    if term.stems[-1] in stems:
        return EXACT
    if near and term.also and any(stem(word) in stems for word in term.also):
        return near
    pieces = term.stems[:-1] or term.stems
    if len(pieces) == 1:
        return _credit(pieces[0], stems, near)
    return sum(_credit(piece, stems, near) for piece in pieces) / len(pieces)


def same_form(term: Term, text: str) -> bool:
    """Say whether *text* has *term* as what it names: who does something shares a stem with what they do, no more."""
    if len(term.stems) > 1 or not term.word.isalpha():
        return True
    one = term.stems[-1]
    doer = term.word.lower().startswith(f"{one}er")
    alike = [word.lower() for word in _WORD.findall(text) if one in _parts(word)]
    return not alike or any(word.startswith(f"{one}er") == doer for word in alike)


def _credit(piece: str, stems: frozenset[str], near: float) -> float:
    if piece in stems:
        return EXACT
    return near if near and not synonyms(piece).isdisjoint(stems) else 0.0


def synonyms(one: str) -> frozenset[str]:
    """Return the stems that mean nearly the same as the stem *one*, without itself."""
    return _synonyms().get(one, _NONE)


def synonym_words(term: Term) -> tuple[str, ...]:
    """Return whole words that mean nearly the same as *term*, in a fixed order."""
    return (*term.also, *(word for one in term.stems for word in _synonym_words().get(one, ())))


def acts_alike(one: str) -> frozenset[str]:
    """Return every acting verb, as a stem, that orders what the stem *one* does; empty when *one* is no such verb."""
    return _acts().get(one, _NONE)


@lru_cache(maxsize=1 << 10)
def polarity(text: str) -> float:
    """Return where *text* stands between bad (below 0) and good (above 0).

    A negation turns the next words around, and is bad when there is nothing to turn; middling words draw to the
    middle.
    """
    total, reach = 0.0, 0
    for token in re.findall(r"[\w'’]+|[,;:.()]", text.lower()):
        sign = _POLARITY.get(stem(token))
        if token in _NEGATIONS or token.endswith(("n't", "n’t")):
            total, reach = total - 1.0, 5
        elif not token[0].isalnum():
            reach = 0
        elif sign is not None and reach:
            total, reach = total + 1.0 - sign, 0  # the negation itself is taken back: it turned a word
        elif sign is not None:
            total += sign
        reach = max(0, reach - 1)
    return total * 0.4 if halfway(text) else total


def halfway(text: str) -> bool:
    """Say whether *text* speaks of something between yes and no, or of something still missing."""
    return not _MIDDLE.isdisjoint(raw_stems(text))


def _stemmed(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


def _groups(table: str) -> dict[str, frozenset[str]]:
    groups: dict[str, frozenset[str]] = {}
    for line in table.strip().splitlines():
        members = _stemmed(line)
        for member in members:
            groups[member] = groups.get(member, frozenset()) | members
    return groups


def _whole_words(table: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for line in table.strip().splitlines():
        for word in line.split():
            others = [other for other in line.split() if stem(other) != stem(word)]
            found.setdefault(stem(word), []).extend(others)
    return {one: tuple(dict.fromkeys(others)) for one, others in found.items()}


# Stemming the larger tables costs milliseconds: they are made when first asked for, not on import.
@cache
def _synonyms() -> dict[str, frozenset[str]]:
    return {one: _stemmed(" ".join(others)) - {one} for one, others in _synonym_words().items()}


@cache
def _synonym_words() -> dict[str, tuple[str, ...]]:
    found = _whole_words(lexicon.SYNONYMS)
    for line in lexicon.KINDS.strip().splitlines():
        kind, members = line.split(":")
        for word in members.split():
            found[stem(word)] = (*found.get(stem(word), ()), *kind.split())
    return found


@cache
def _phrases() -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in lexicon.PHRASES.strip().splitlines():
        phrase, meaning = line.split(":")
        *verbs, particle = phrase.split()
        for verb in verbs:
            found.setdefault(stem(verb), {})[particle] = tuple(meaning.split())
    return found


@cache
def _acts() -> dict[str, frozenset[str]]:
    return _groups(lexicon.ACTS)


def _signs(*groups: tuple[Iterable[str], float]) -> dict[str, float]:
    return {one: sign for stems, sign in groups for one in stems}


_NONE: frozenset[str] = frozenset()
_STOP = frozenset(lexicon.STOP.split())
_NEGATIONS = frozenset(lexicon.NEGATIONS.split())
_MIDDLE = _stemmed(lexicon.MIDDLE)
_POLARITY = _signs(
    (_stemmed(lexicon.POSITIVE), 1.0),
    (_stemmed(lexicon.NEGATIVE), -1.0),
    (_stemmed(lexicon.WORST), -2.0),
    (_MIDDLE, 0.0),
)
GENERIC = _stemmed(lexicon.GENERIC)
MEASURES = _stemmed(lexicon.MEASURES)
MOMENTS = _stemmed(lexicon.MOMENTS)
_LIGHT = GENERIC | MEASURES
ASKING = _stemmed(lexicon.ASKING)
FORM = _stemmed(lexicon.FORM)
READS = _stemmed(lexicon.READS)
GATHERS = _stemmed(lexicon.GATHERS)
PRODUCES = _stemmed(lexicon.PRODUCES)
CHECKS = _stemmed(lexicon.CHECKS)
PERSONS = _stemmed(lexicon.PERSONS)
