"""Which tools to call next, with which arguments, and when nothing new can be learned.

Only the user's own words order an act; results and instructions give values and evidence, never orders.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import log
from typing import Any

import orjson

from coordinator.domain.briefs import Brief
from coordinator.domain.model import ToolSpec
from coordinator.domain.value import value
from coordinator.models.offline import planning, words
from coordinator.models.offline.arguments import Filled, fill
from coordinator.models.offline.asking import Part
from coordinator.models.offline.conversation import Conversation
from coordinator.models.offline.evidence import FOUND_FROM, Finding, Reading
from coordinator.models.offline.orders import Order, orders
from coordinator.models.offline.recognising import Said
from coordinator.models.offline.schemas import Shape, shape
from coordinator.models.offline.tooling import act_verbs, is_member, reads_only, things
from coordinator.models.offline.words import raw_stems, stem, stem_set

MOST_CALLS = 6
CLOSELY_ABOUT = 0.5
"""Relevance from which on a tool that needs no argument is called before anything else was tried."""
AT_ONCE = 4
"""Calls of one turn."""
WORTH_CALLING, ALWAYS_SEARCH = 0.2, 0.15
WEAK = 0.77
"""Coverage below which a search is asked again, with synonyms."""
MOST_SYNONYMS = 14
MOST_WORDS, LONGEST_WORD = 24, 60
"""Bounds of a search query, in words and in characters of one word."""

_SEARCHES = frozenset(stem(word) for word in "search find query look lookup grep retrieve ask discover".split())


@value
class Wish:
    """A tool call that the engine wants."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def canonical(self) -> tuple[str, bytes]:
        """Name and arguments in a form that is equal for equal calls."""
        return self.name, orjson.dumps(self.arguments, option=orjson.OPT_SORT_KEYS)


@value
class _Candidate:
    wish: Wish
    relevance: float
    searches: bool
    filled: bool
    """Whether words of the user or a result fill it; if not, it could be called at any time."""
    follows: bool
    """Whether an identifier from an earlier result fills it."""
    place: int


def choose(tools: Sequence[ToolSpec], reading: Reading) -> tuple[Wish, ...]:
    """Return the calls of the next turn: reads together, an act alone; nothing when nothing new can be learned."""
    conversation = reading.conversation
    done = {Wish(use.name, use.arguments).canonical for use in conversation.used}
    members = [spec for spec in tools if is_member(spec)]
    rest = [spec for spec in tools if spec not in members and not _dead(spec, conversation)]
    left = MOST_CALLS - conversation.turns
    if left > 0 and conversation.question.strip():
        reads = _reads([spec for spec in rest if reads_only(spec)], reading, done)
        if reads:
            return tuple(reads[: min(left, AT_ONCE)])
        if delegated := _delegations(members, reading):
            return delegated
        acts = (_act(spec, reading) for spec in rest if not reads_only(spec))
        for wish in acts:
            if wish and wish.canonical not in done:
                return (wish,)
    return ()


def _dead(spec: ToolSpec, conversation: Conversation) -> bool:
    """A tool that failed for good, or answered only in part, is not asked again in this conversation."""
    return any(
        use.name == spec.name and use.status in ("error", "mistaken", "rejected", "degraded") and not use.retryable
        for use in conversation.used
    )


def _reads(specs: list[ToolSpec], reading: Reading, done: set[tuple[str, bytes]]) -> list[Wish]:
    rarity = _rarity(specs)
    found = [
        one
        for place, spec in enumerate(specs)
        for one in _read(place, spec, reading, rarity)
        if one.wish.canonical not in done
    ]
    found.sort(key=lambda one: (-one.relevance, one.place))
    satisfied = bool(reading.findings) and all(finding.cover >= FOUND_FROM for finding in reading.findings)
    if reading.conversation.used and satisfied:
        return [one.wish for one in found if one.follows and one.relevance >= WORTH_CALLING]
    return [one.wish for one in _tier(found)]


def _tier(found: list[_Candidate]) -> list[_Candidate]:
    """Return the best candidates: filled from the user's words, or searches; else what needs nothing."""
    searching = [one for one in found if one.searches]
    strong = [one for one in found if one.filled and not one.searches and one.relevance >= WORTH_CALLING]
    close = [one for one in found if not one.filled and one.relevance >= CLOSELY_ABOUT] if not strong else []
    useful = [one for one in searching if one.relevance >= WORTH_CALLING] or searching
    if first := sorted([*strong, *close, *useful], key=lambda one: (-one.relevance, one.place)):
        return first
    return [one for one in found if not one.filled and one.relevance >= WORTH_CALLING]


def _read(place: int, spec: ToolSpec, reading: Reading, rarity: Mapping[str, float]) -> Iterator[_Candidate]:
    """Yield the calls of one reading tool: one for each identifier that the user names, or each part to search."""
    arguments = shape(spec.schema, spec.schema, spec.name)
    taken: frozenset[str] = frozenset()
    searching = bool(_SEARCHES & {*raw_stems(spec.description)[:2], *raw_stems(spec.name)})
    for query in _queries(spec, reading) or [""]:
        for _ in range(AT_ONCE):
            filled = fill(arguments, Said((reading.focus,), query, reading.conversation, searching), taken)
            if filled.missing or (filled.queried and not query):
                break
            yield _candidate(place, spec, reading.focus, filled, rarity)
            if filled.queried or not filled.tokens or not filled.strong:
                break
            taken |= filled.tokens
        if not (filled.queried or filled.missing):
            break


def _candidate(place: int, spec: ToolSpec, asked: str, filled: Filled, rarity: Mapping[str, float]) -> _Candidate:
    overlap = _overlap(spec, asked, rarity)
    certain = filled.strong and not (filled.by_result and overlap == 0)
    relevance = overlap + (0.25 if certain else 0.0)
    if filled.queried:
        relevance = max(relevance, ALWAYS_SEARCH)
    return _Candidate(
        Wish(spec.name, filled.arguments),
        relevance,
        filled.queried,
        filled.strong or filled.queried,
        filled.by_result,
        place,
    )


def _rarity(specs: Sequence[ToolSpec]) -> dict[str, float]:
    count: dict[str, int] = {}
    for spec in specs:
        for one in stem_set(f"{spec.name} {spec.description}"):
            count[one] = count.get(one, 0) + 1
    return {one: log(1 + (len(specs) + 1) / (holding + 0.5)) for one, holding in count.items()}


def _overlap(spec: ToolSpec, question: str, rarity: Mapping[str, float]) -> float:
    """Return how much of the question's words the tool speaks of, weighed by rarity among the tools."""
    described = stem_set(f"{spec.name} {spec.description}")
    asked = list(words.terms(question))
    weights = [term.factor * rarity.get(term.stems[-1], 1.0) for term in asked]
    share = sum(w * words.match(t, described, 0.5) for t, w in zip(asked, weights, strict=True)) / (sum(weights) or 1.0)
    own = stem_set(spec.name)
    return share + (0.3 * len(own & stem_set(question)) / len(own) if own else 0.0)


def _queries(spec: ToolSpec, reading: Reading) -> list[str]:
    """Return what to search for next: each part in its content words, then with synonyms where that was weak."""
    earlier = [use for use in reading.conversation.used if use.name == spec.name]
    if not earlier:
        return [query for finding in reading.findings if (query := _query(finding.part))]
    weak = [finding for finding in reading.findings if finding.cover < WEAK and _synonyms(finding)]
    return [f"{_query(finding.part)} {_synonyms(finding)}" for finding in weak]


def _query(part: Part) -> str:
    asked = [
        word for term in part.terms if term.factor > 0.2 or len(part.terms) == 1 for word in (term.word, *term.also)
    ]
    return " ".join([word for word in asked if len(word) <= LONGEST_WORD][:MOST_WORDS])


def _synonyms(finding: Finding) -> str:
    known = {one for term in finding.part.terms for one in term.stems}
    found = [word for term in finding.part.terms for word in words.synonym_words(term) if stem(word) not in known]
    return " ".join(list(dict.fromkeys(found))[:MOST_SYNONYMS])


def _act(spec: ToolSpec, reading: Reading) -> Wish | None:
    """Return the call of an acting tool when the user ordered it in so many words and every argument is known."""
    conversation = reading.conversation
    ordered = _order(spec, reading.focus)
    if ordered is None or any(use.name == spec.name for use in conversation.used):
        return None
    arguments = shape(spec.schema, spec.schema, spec.name)
    filled = fill(arguments, Said((ordered.sentence, reading.focus), "", conversation))
    if filled.missing or not (filled.strong or _names_object(spec, reading.focus)):
        return None
    return Wish(spec.name, filled.arguments)


def _order(spec: ToolSpec, question: str) -> Order | None:
    verbs = act_verbs(spec)
    return next((order for order in orders(question, things(spec)) if order.verb in verbs), None)


def _names_object(spec: ToolSpec, question: str) -> bool:
    return not (things(spec) - words.GENERIC).isdisjoint(stem_set(question))


def _delegations(specs: Sequence[ToolSpec], reading: Reading) -> tuple[Wish, ...]:
    """Return the next delegations of a manager: those of its plan whose needs are met, in parallel."""
    conversation = reading.conversation
    asked = tuple(finding.part for finding in reading.findings)
    members = [planning.Member(spec.name, spec.description) for spec in specs]
    steps = planning.plan(members, asked, conversation.question, MOST_CALLS) if members else ()
    called = {use.name for use in conversation.used}
    ready = [
        step for step in steps if step.member not in called and all(steps[need].member in called for need in step.needs)
    ]
    schemas = {spec.name: shape(spec.schema, spec.schema) for spec in specs}
    return tuple(_brief(schemas[step.member], step, conversation) for step in ready[:AT_ONCE])


def _brief(place: Shape, step: planning.Step, conversation: Conversation) -> Wish:
    by_field = {field.description: name for name, field in Brief.model_fields.items()}
    known: dict[str, Any] = {"request": conversation.question, "goal": step.goal, "materials": []}
    known["materials"] = [{"origin": use.name, "content": use.result} for use in conversation.used if use.gave]
    filled = {sub.name: known[by_field[sub.description]] for sub in place.properties if sub.description in by_field}
    return Wish(step.member, {name: item for name, item in filled.items() if item or name in place.required})
