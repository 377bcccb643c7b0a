"""Orders in the user's own words: which act was asked for, explicitly and without a negation.

Nothing but the user's text is ever read here. In doubt there is no order: a question about an act, a condition,
reported speech, quoted text and a taken-back order are none.
"""

import re

from coordinator.domain.value import value
from coordinator.models.offline import words
from coordinator.models.offline.words import acts_alike, stem

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|`[^`]*`|(?<!\w)'[^']*'(?!\w)|^\s*>.*$", re.M)
_SENTENCE = re.compile(r"[^.!?;\n]+(?:\.(?=\S)[^.!?;\n]+)*[.!?;]*")
_NEGATED = re.compile(
    r"\b(?:not|never|no|nor|neither|without|cannot|avoid|refuse|against|instead|rather|dont|doesnt|wont|cant|nobody)\b|n['’]t\b",
    re.I,
)
_CONDITION = re.compile(r"\b(?:if|unless|in case|suppose|supposing|assuming|whether|provided)\b", re.I)
_LATER = re.compile(r"\b(?:when|whenever|once|after|until|before|as soon as)\b", re.I)
_REPORTED = re.compile(
    r"\b(?:said|says|say|told|tells|wrote|writes|asked|asks|suggest\w*|claims?|recommend\w*|reads|states?)\b", re.I
)
_TAKEN_BACK = re.compile(
    r"\b(?:never ?mind|scratch that|forget (?:it|that)|on second thoughts?|changed my mind"
    r"|(?:actually|wait|sorry|hold on),? (?:no|don['’]?t|do not))\b",
    re.I,
)
_SHORT_NO = re.compile(r"^\W*(?:no|don['’]?t|do not)(?:\W+\w+){0,2}\W*$", re.I)
_LEADING = "please|kindly|just|also|then|and|so|now|ok|okay|hi|hello|hey|dear|team|all|there|thanks|immediately|but"
_LEAD = rf"(?:(?:{_LEADING})\b[\s,:!]*)*"
_POLITE_QUESTION = re.compile(
    rf"^\W*{_LEAD}(?:can|could|would|will) you\s+(?:please |kindly |just |go ahead and )*(?P<verb>\w+)\s*(?P<rest>.*)",
    re.I | re.S,
)
_IMPERATIVE = re.compile(rf"^\W*{_LEAD}(?P<verb>\w+)\s*(?P<rest>.*)", re.I | re.S)
_WISH = re.compile(
    r"\b(?:(?:i|we)(?: would|['’]d)? (?:really |now |also )*(?:want|need|like|ask|wish)(?: you| for you)? to"
    r"|please|kindly|go ahead and)"
    r"\s+(?:please |kindly |just )*(?P<verb>\w+)\s*(?P<rest>.*)",
    re.I | re.S,
)
_QUESTION = re.compile(
    r"^\W*(?:\w+,\s*)?(?:how|what|when|where|who|which|why|can|could|do|does|did|is|are|was|were|will|would|should|may|am|has|have)\b",
    re.I,
)
_CLAUSE = re.compile(r",\s*(?:and |then |so )*|:\s+|\s+(?:and then|and|then)\s+", re.I)
_OBJECT = re.compile(
    r"^\W*(?:my|the|this|that|these|those|it|them|a|an|all|any|every|both|our|your|his|her|their|me|us|him|another|one|two|to|for|"
    r"everything|number|no)\b|^\W*$",
    re.I,
)
_NAMED = re.compile(r"^\W*(?:\S*\d\S*|\S+@\S+|[A-Z]\w+|\S+/\S+|\S+\.\w+)")
_ASKED_FOR = re.compile(r"\b(?:please|kindly)\W*$", re.I)
# "Please, order 42 is late": what follows the word is what a sentence is about, not what is to be acted on.
_STATES = re.compile(
    r"^(?!\W*that\b)\W*(?:[\w#-]+\W+){0,3}?(?:is|are|was|were|has|have|had|does|did|will|can|seems?|arrived|came|got)\b|^\W*of\b",
    re.I,
)
# Verbs that are as often nouns: "Order 1042 is late" orders nothing.
_NOUNISH = frozenset(
    stem(word)
    for word in """
    order message text email mail file book charge bill post report issue request share start stop reset return transfer
    refund update change set mark purchase schedule reserve upload launch trigger block ban drop deposit release run
    move close open
    """.split()
)


@value
class Order:
    """An act that the user ordered: the verb's stem and the sentence that says so."""

    verb: str
    sentence: str


def orders(text: str, things: frozenset[str]) -> tuple[Order, ...]:
    """Return every act that *text* orders, in order; *things* are stems that an ordered verb may have as object."""
    sentences = [
        match.group().strip() for match in _SENTENCE.finditer(_QUOTED.sub(" “” ", text)) if match.group().strip()
    ]
    found = [order for sentence in sentences for order in _in_sentence(sentence, things)]
    if any(_TAKEN_BACK.search(sentence) or _SHORT_NO.match(sentence) for sentence in sentences):
        return ()
    refused = frozenset().union(*(_negated_verbs(sentence) for sentence in sentences))
    return tuple(order for order in found if acts_alike(order.verb).isdisjoint(refused) and order.verb not in refused)


def _in_sentence(sentence: str, things: frozenset[str]) -> list[Order]:
    if _CONDITION.search(sentence) or _REPORTED.search(sentence):
        return []
    if sentence.endswith("?") or _QUESTION.match(sentence):
        matches = [_POLITE_QUESTION.match(sentence)]
        tail = matches[0].group("rest") if matches[0] else ""
        matches += [_IMPERATIVE.match(clause) for clause in _CLAUSE.split(tail)[1:]]
    else:
        matches = [_WISH.search(sentence), *_clauses(sentence)]
    return [
        Order(stem(match.group("verb")), sentence)
        for match in matches
        if match and (_asked_for(match) or _has_object(match, things)) and not _held_back(sentence, match)
    ]  # fmt: skip


def _clauses(sentence: str) -> list[re.Match[str] | None]:
    """Return the imperatives of *sentence*; after "and", a clause orders only when the one before it did."""
    found: list[re.Match[str] | None] = []
    start, instructing = 0, True
    for cut in [*_CLAUSE.finditer(sentence), None]:
        clause = sentence[start : cut.start() if cut else len(sentence)]
        match = _IMPERATIVE.match(clause) if instructing else None
        wished = _WISH.search(clause)
        found += [match] if match else []
        verb = stem(match.group("verb")) if match else ""
        led = verb in words.READS or verb in words.ASKING or bool(acts_alike(verb)) or bool(wished)
        if cut:
            instructing = led or "," in cut.group() or ":" in cut.group()
            start = cut.end()
    return found


def _asked_for(match: re.Match[str]) -> bool:
    """Say whether a polite word makes the verb an order, whatever it is an order to act on."""
    rest = match.group("rest")
    polite = match.re in (_POLITE_QUESTION, _WISH) or _ASKED_FOR.search(match.string[: match.start("verb")])
    return bool(polite and rest.strip(" .!?")) and not _STATES.match(rest)


def _has_object(match: re.Match[str], things: frozenset[str]) -> bool:
    rest = match.group("rest")
    if _OBJECT.match(rest):
        return bool(rest.strip(" .!?")) or stem(match.group("verb")) not in _NOUNISH
    following = re.match(r"\W*(\w+)", rest)
    known = following is not None and stem(following.group(1)) in things
    if stem(match.group("verb")) in _NOUNISH:
        # "refund order 5" and "block season card K-12" are orders, "order 5 is late" and "refund policy" are not
        words_on = re.match(r"(?:\W*\w+){1,3}", rest)
        about = words_on is not None and not things.isdisjoint(words.stem_set(words_on.group()))
        named = about and re.search(r"\w\W+\S*\d", rest) is not None and not _STATES.match(rest)
        return named or re.match(r"\W*\S+@\S+", rest) is not None
    return known or bool(_NAMED.match(rest))


def _held_back(sentence: str, match: re.Match[str]) -> bool:
    """Say whether something before the verb turns the order around or puts it off."""
    at = sentence.find(match.group("verb") + match.string[match.end("verb") : match.end()])
    before = sentence[: max(0, at)]
    return bool(_NEGATED.search(before) or _LATER.search(before))


def _negated_verbs(sentence: str) -> frozenset[str]:
    match = _NEGATED.search(sentence)
    if match is None:
        return frozenset()
    return frozenset(one for one in words.raw_stems(sentence[match.end() :]) if acts_alike(one))
