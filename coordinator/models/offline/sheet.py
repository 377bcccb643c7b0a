"""What one typed answer is filled from: the reading, its quotes and gaps, and the values that these hold."""

import re
from typing import Any

from coordinator.domain.value import value
from coordinator.models.offline import planning, quoting, words
from coordinator.models.offline.arguments import scalar
from coordinator.models.offline.evidence import Reading
from coordinator.models.offline.quoting import Quote
from coordinator.models.offline.recognising import Said
from coordinator.models.offline.roles import Role
from coordinator.models.offline.schemas import UNSET, Shape, fits
from coordinator.models.offline.words import stem


@value
class Sheet:
    """What the fields of one answer are filled from."""

    reading: Reading
    quotes: tuple[Quote, ...]
    context: tuple[Quote, ...]
    gaps: tuple[str, ...]
    members: tuple[planning.Member, ...]
    evidential: bool
    called: tuple[str, ...]
    """Words of the request that call for an unfavourable choice before anything was looked up."""

    @property
    def asked(self) -> str:
        """The user's own words, as far as they are to be answered here."""
        return self.reading.focus


def texts(played: Role, sheet: Sheet) -> list[str]:
    """Return the items of a list of texts that plays the role *played*; none for a role that has none."""
    match played:
        case Role.GAP:
            return list(sheet.gaps)
        case Role.REASON:
            return reasons(sheet)
        case Role.STATEMENT | Role.ANSWER:
            return [quote.statement for quote in sheet.quotes]
        case Role.QUOTE:
            return [quote.words for quote in sheet.quotes]
        case Role.SOURCE:
            return list(dict.fromkeys(quote.excerpt.source for quote in sheet.quotes))
    return []


def reasons(sheet: Sheet) -> list[str]:
    """Return why the evidence, or before any evidence the request, is judged as it is."""
    if not sheet.evidential and not sheet.reading.conversation.looked:
        if sheet.called:
            return [f"The request speaks of: {', '.join(sheet.called)}."]
        return ["Nothing has been looked up yet, and nothing in the request calls for another choice."]
    return list(sheet.gaps) or ["The sources speak about every part of the request."]


def code_of(gap: str) -> str:
    """Return the stable word for what kind of gap *gap* tells of."""
    if gap.startswith("Not done"):
        return "not_done"
    return "could_not_look" if gap.startswith(("Could ", "Nothing was looked up")) else "not_found"


def shortened(place: Shape, sheet: Sheet) -> Any:
    """Return the reply with as many quotes as the schema has room for."""
    for most in range(len(sheet.quotes), -1, -1):
        text = quoting.prose(sheet.reading, sheet.quotes[:most], sheet.gaps)
        if fits(text, place):
            return text
    return UNSET


def said(sheet: Sheet) -> Said:
    """Return what single values may be taken from: the quotes, then the request."""
    texts = (*(quote.plain for quote in sheet.quotes), sheet.asked)
    return Said(texts, "", sheet.reading.conversation)


def held(place: Shape, sheet: Sheet) -> Any:
    """Return the value that a record holds under the name of *place*, or that its words hold; else UNSET."""
    for _, key, item in sheet.reading.conversation.leaves():
        if key == place.name and item is not None and fits(item, place):
            return item
    for quote in sheet.quotes:
        for key, item in sorted(quote.excerpt.record.items()):
            if key == place.name and fits(item, place):
                return item
    return scalar(place, said(sheet)) if place.kind == "string" else UNSET


def counted(place: Shape, sheet: Sheet) -> Any:
    """Return the one number that stands directly before the field's own word in the best quote; two are no answer."""
    own = words.stem_set(f"{place.name} {place.description}") - words.GENERIC
    found = set()
    for quote in sheet.quotes[:1]:
        for number, *following in re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)\s+([a-z]+)(?:\s([a-z]+))?", quote.plain):
            if not own.isdisjoint(map(stem, following)):
                found.add(float(number) if "." in number else int(number))
    return found.pop() if len(found) == 1 else UNSET
