"""Who does what: members by the stage of the work at which they help, and the steps of a plan over them."""

import re
from collections.abc import Sequence
from enum import IntEnum

from coordinator.domain.value import value
from coordinator.models.offline import words
from coordinator.models.offline.asking import Part
from coordinator.models.offline.orders import orders
from coordinator.models.offline.words import acts_alike, match, raw_stems, stem_set

_DENIED = re.compile(r"\b(?:never|not|no|nothing|without|cannot|doesn't|does not|don't|do not)\b[^.;,:]*", re.I)
_GOALS = {
    0: "Find what the sources say about: {}",
    1: "Do what the request orders: {}",
    2: "Write the reply to the request from what was found: {}",
    3: "Check the draft against what was found: {}",
}


class Stage(IntEnum):
    """When in the work a member helps."""

    GATHER = 0
    ACT = 1
    PRODUCE = 2
    CHECK = 3


@value
class Member:
    """Someone to whom work can be handed."""

    name: str
    description: str


@value
class Step:
    """One delegation; *needs* are the places of earlier steps."""

    member: str
    stage: Stage
    goal: str
    needs: tuple[int, ...]


def stage(member: Member) -> Stage | None:
    """Return when *member* helps, from its description first and its name second; None when neither says."""
    for text in (_DENIED.sub(" ", member.description), member.name):
        stems = raw_stems(text)
        scores = {
            Stage.GATHER: _weight(stems, words.GATHERS),
            Stage.PRODUCE: _weight(stems, words.PRODUCES),
            Stage.CHECK: _weight(stems, words.CHECKS),
        }
        best = max(scores, key=lambda one: (scores[one], -one))
        if scores[best] > 0:
            return best
        if any(acts_alike(one) for one in stems[:3]):
            return Stage.ACT
    return None


def _weight(stems: Sequence[str], lexicon: frozenset[str]) -> float:
    """Count the words of *lexicon*, the first verb most: "Checks a draft" checks, it does not draft."""
    return sum((3.0 if place < 2 else 1.0) for place, one in enumerate(stems) if one in lexicon)


def plan(members: Sequence[Member], asked: Sequence[Part], request: str, most: int) -> tuple[Step, ...]:
    """Return at most *most* steps: gather every part, act if ordered, then produce, then check."""
    staged: dict[Stage, list[Member]] = {one: [] for one in Stage}
    for member in members:
        staged[stage(member) or Stage.GATHER].append(member)
    acting = [member for member in staged[Stage.ACT] if _ordered(member, request)]
    later = [(Stage.ACT, member) for member in acting[:1]]
    later += [(one, _closest(staged[one], asked)) for one in (Stage.PRODUCE, Stage.CHECK) if staged[one]]
    room = max(1, most - len(later))
    given = _gathering(staged[Stage.GATHER], asked, request)
    if len(given) > room:  # too many parts for one step each: whoever gathers gets the whole request
        given = [(member, request.strip()) for member in dict.fromkeys(member for member, _ in given)][:room]
    steps = [Step(member.name, Stage.GATHER, _GOALS[0].format(goal), ()) for member, goal in given]
    for one, member in later[: max(0, most - len(steps))]:
        steps.append(Step(member.name, one, _GOALS[one].format(request.strip()), tuple(range(len(steps)))))
    return tuple(steps)


def _gathering(members: list[Member], asked: Sequence[Part], request: str) -> list[tuple[Member, str]]:
    """Give each part to the member whose description fits best; a part that fits nobody is looked up by all."""
    if not asked:
        return [(member, request.strip()) for member in members[:1]]
    given = []
    for part in asked:
        fitting = [(member, _overlap(member, part)) for member in members]
        best = max((score for _, score in fitting), default=0.0)
        chosen = [member for member, score in fitting if score == best]
        given += [(member, part.text) for member in (chosen[:1] if best else chosen)]
    return given


def _overlap(member: Member, part: Part) -> float:
    stems = stem_set(_DENIED.sub(" ", member.description)) | stem_set(member.name)
    return sum(term.factor * match(term, stems, 0.5) for term in part.terms)


def _closest(members: list[Member], asked: Sequence[Part]) -> Member:
    return max(members, key=lambda member: (sum(_overlap(member, part) for part in asked), -members.index(member)))


def _ordered(member: Member, request: str) -> bool:
    able = frozenset().union(*(acts_alike(one) for one in raw_stems(_DENIED.sub(" ", member.description))))
    return any(order.verb in able for order in orders(request, stem_set(member.description)))


def members_of(texts: Sequence[str]) -> tuple[Member, ...]:
    """Return the members that *texts* list, a line for each, such as `- analyst: gathers evidence`."""
    found = [
        match.groups()
        for text in texts
        for match in re.finditer(r"^\s*[-*] [`*]*([\w-]+)[`*]*\s*[:–—-]\s+(\S.*)$", text, re.M)
    ]
    return tuple(Member(name, about) for name, about in found)
