"""Choices: which value of an enumeration the evidence, or before any evidence the request itself, calls for."""

import re
from collections.abc import Sequence
from typing import Any

from coordinator.models.offline import words
from coordinator.models.offline.evidence import Band, Reading
from coordinator.models.offline.roles import Role, role
from coordinator.models.offline.schemas import UNSET, Option, Shape
from coordinator.models.offline.words import halfway, match, polarity, raw_stems, stem, stem_set, terms

_OTHER = frozenset(
    stem(word) for word in "other others general unknown none misc miscellaneous unclear unspecified".split()
)
_JUDGES = frozenset(stem(word) for word in "accept approve draft supported evidence grounded verdict quotes".split())
_UNAVAILABLE = frozenset(stem(word) for word in "unavailable failed outage unreachable error down blocked".split())
_MISSING = frozenset(stem(word) for word in "missing gap lacks incomplete part partial partly open".split())
# From this distance between best and worst on, options are a judgement even when none of them is praised.
_WIDE = 2.0
_ITEM = re.compile(r"[,;:.()]|\bor\b|\band\b")
_WHOLE = re.compile(r"\b(?:every|each|all|whole|any)\b(?: \w+){0,2}", re.I)
_DENIED = re.compile(r"\b(?:not|no|nothing|never|neither|without|except|unless)\b[^,;:.]*", re.I)


def decide(place: Shape, reading: Reading, *, evidential: bool) -> Any:
    """Return the option of *place* that fits, or UNSET when nothing tells them apart.

    Args:
        place: the choice.
        reading: what is asked and what the sources say.
        evidential: whether the answer that the choice belongs to reports evidence.
    """
    options = place.options
    if len(options) == 1:
        return options[0].value
    played = role(place)
    scored = _ranked(options)
    spread = _are_judgements(scored, played)
    if played is Role.TOPIC or not spread:
        return topical(place, reading.conversation.question)
    if played is Role.RISK:
        scored.reverse()
    if not (evidential or reading.conversation.looked or reading.conversation.used or _judges(scored[0])):
        return triage(scored, reading.conversation.question)
    return _by_band(scored, reading, whole=not reading.conversation.troubles or played is Role.CONFIDENCE)


def _sign(option: Option) -> float:
    """Return the polarity of what an option means, nudged by its own word when the meaning leaves it open."""
    described, named = polarity(option.description), polarity(str(option.value).replace("_", " "))
    return described + 0.01 * named if option.description else named


def _are_judgements(scored: Sequence[Option], played: Role) -> bool:
    """Say whether options, best first, are degrees of good and bad rather than topics."""
    best, worst = _sign(scored[0]), _sign(scored[-1])
    if best > 0 > worst or best - worst >= _WIDE or (best > worst and played in (Role.CONFIDENCE, Role.RISK)):
        return True
    other = not _OTHER.isdisjoint(raw_stems(str(scored[-1].value)))
    return best - worst >= 1 and bool(_DENIED.search(scored[-1].description)) and not other


def _ranked(options: Sequence[Option]) -> list[Option]:
    """Return *options* from the most favourable to the least; equals keep their order."""
    return sorted(options, key=lambda one: -_sign(one))


def called_by(place: Shape, reading: Reading) -> tuple[str, ...]:
    """Return the words of the request that call for another than the most favourable option of *place*."""
    scored = _ranked(place.options)
    called = calls_for(scored, reading.conversation.question)
    return called[1] if called else ()


def _judges(option: Option) -> bool:
    return not _JUDGES.isdisjoint(raw_stems(f"{option.value} {option.description}"))


def _by_band(scored: Sequence[Option], reading: Reading, *, whole: bool) -> Any:
    """Pick from best to worst; without a middle, half an answer is none. *whole*: all could be looked up."""
    if reading.band is Band.FOUND and whole:
        return scored[0].value
    if reading.band is Band.NOTHING:
        return _worst(scored, reading)
    if _names_missing(scored[0]):
        return scored[0].value
    low, high = _sign(scored[-1]), _sign(scored[0])
    between = [
        one
        for one in scored[1:-1]
        if min(low, high) < _sign(one) < max(low, high) or halfway(f"{one.value} {one.description}")
    ]
    return between[0].value if between else scored[-1].value


def _worst(scored: Sequence[Option], reading: Reading) -> Any:
    if reading.conversation.troubles:
        for option in scored[1:]:
            if not _UNAVAILABLE.isdisjoint(raw_stems(f"{option.value} {option.description}")):
                return option.value
    return scored[-1].value


def _names_missing(option: Option) -> bool:
    """Say whether *option* welcomes an answer that leaves something out; "every part" does not."""
    return not _MISSING.isdisjoint(raw_stems(_WHOLE.sub(" ", _DENIED.sub(" ", option.description))))


def triage(scored: Sequence[Option], question: str) -> Any:
    """Choose before anything was looked up: the option that lets work proceed, unless the request calls for another.

    *scored* begins with the most favourable option. Another one is called for when the request speaks of one of the
    cases that its description lists, and the favourable one does not list the same.
    """
    called = calls_for(scored, question)
    return called[0].value if called else scored[0].value


def calls_for(scored: Sequence[Option], question: str) -> tuple[Option, tuple[str, ...]] | None:
    """Return the unfavourable option that *question* calls for and the words by which it does."""
    asked = tuple(terms(question))
    welcome = stem_set(f"{scored[0].description} {scored[0].value}")
    for option in reversed(scored[1:]):
        for case in _ITEM.split(_DENIED.sub(" ", option.description)):
            if hits := _speaks_of(case, question, welcome):
                return option, tuple(term.word for term in asked if not stem_set(term.word).isdisjoint(hits))
    return None


def _speaks_of(case: str, question: str, welcome: frozenset[str]) -> frozenset[str]:
    """Return the stems of *question* that speak of *case*, when they make up at least half of it."""
    own = [term for term in terms(case) if term.factor == 1.0]
    specific = [term for term in own if term.stems[-1] not in words.PERSONS and term.stems[-1] not in welcome]
    stems = stem_set(question)
    held = [term for term in own if match(term, stems)]
    special = [term for term in specific if match(term, stems)]
    if not special or len(held) * 2 < len(own):
        return frozenset()
    return frozenset().union(*(({one} | words.synonyms(one)) & stems for term in held for one in term.stems))


def topical(place: Shape, question: str) -> Any:
    """Return the option whose words the request shares most; else the default, null, the one for all else, or UNSET."""
    stems = stem_set(question)
    scored = []
    for index, option in enumerate(place.options):
        own = list(terms(f"{str(option.value).replace('_', ' ')} {_DENIED.sub(' ', option.description)}"))
        scored.append((sum(term.factor * match(term, stems, 0.6) for term in own), -index, option.value))
    score, _, found = max(scored, key=lambda one: one[:2], default=(0.0, 0, UNSET))
    if score >= 0.6:
        return found
    if place.default is not UNSET:
        return place.default
    if place.nullable:
        return None
    return next((one.value for one in place.options if not _OTHER.isdisjoint(raw_stems(str(one.value)))), UNSET)
