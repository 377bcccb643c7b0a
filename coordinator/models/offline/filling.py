"""A typed answer: the output schema walked field by field, each filled by its role from what was read.

A field that nothing fills becomes null, its default, or for free text the words "not found in the sources"; what allows
none of these is a `CannotFillError` that names the field. A value is never invented.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from coordinator.models.offline import deciding, planning, quoting
from coordinator.models.offline.arguments import scalar
from coordinator.models.offline.evidence import Band, Reading
from coordinator.models.offline.quoting import Quote
from coordinator.models.offline.roles import Role, role, role_of_many
from coordinator.models.offline.schemas import UNSET, Shape, fits
from coordinator.models.offline.sheet import Sheet, code_of, counted, held, reasons, said, shortened, texts
from coordinator.models.offline.words import polarity, raw_stems, stem

NOT_FOUND = "not found in the sources"
MOST_STEPS = 12
_DEEPEST = 12

_CITES = frozenset({Role.QUOTE, Role.STATEMENT, Role.SOURCE})
_EVIDENTIAL = frozenset({*_CITES, Role.ANSWER, Role.GAP, Role.CONFIDENCE})
_TELLS = frozenset({Role.REASON, Role.GAP, Role.ANSWER, Role.STATEMENT})
_ABOUT_ANSWERING = "answer found source evidence support escalate human person complete resolve sufficient missing"
_ANSWERING = frozenset(map(stem, _ABOUT_ANSWERING.split()))


class CannotFillError(Exception):
    """No rule yields a valid value for the field at *path*."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def build(place: Shape, reading: Reading, members: tuple[planning.Member, ...], most: int) -> Any:
    """Return a value for the whole schema *place*, quoting at most *most* pieces.

    Raises:
        CannotFillError: a required field that no rule fills.
    """
    played = set(_roles(place, 0))
    answers = Role.ANSWER in played
    quotes = quoting.best(reading, min(most, quoting.SHOWN))
    context = () if answers else quoting.context(reading, quotes)[: max(0, most - len(quotes))]
    called = tuple(word for sub in place.properties if sub.options for word in deciding.called_by(sub, reading))
    sheet = Sheet(reading, quotes, context, quoting.gaps(reading), members, bool(played & _EVIDENTIAL), called)
    found = _fill(place, sheet, place.name, required=True)
    if not fits(found, place):
        raise CannotFillError(place.name, "the schema accepts none of the values that the sources hold")
    return found


def _roles(place: Shape, depth: int) -> Iterator[Role]:
    if depth < 4:
        for sub in place.properties:
            yield role(sub)
            yield from _roles(sub.item if sub.kind == "array" else sub, depth + 1)


def _fill(place: Shape, sheet: Sheet, path: str, *, required: bool) -> Any:
    """Return a value for *place*; UNSET when it may be left out."""
    if path.count(".") > _DEEPEST:
        raise CannotFillError(path, "the schema nests deeper than can be filled")
    found = _FILLERS.get(place.kind, _anything)(place, sheet, path)
    if found is not UNSET and fits(found, place):
        return found
    return _absent(place, path, required=required)


def _absent(place: Shape, path: str, *, required: bool) -> Any:
    if place.nullable:
        return None
    if place.default is not UNSET:
        return place.default
    if not required:
        return UNSET
    if place.kind == "string" and not place.schema.keys() & {"pattern", "format"} and fits(NOT_FOUND, place):
        return NOT_FOUND
    if place.kind == "array" and fits([], place):
        return []
    raise CannotFillError(path, f"no {place.kind} for it is in the request or the sources")


def _anything(place: Shape, sheet: Sheet, path: str) -> Any:
    return quoting.prose(sheet.reading, sheet.quotes, sheet.gaps) if place.kind == "any" else None


def _object(place: Shape, sheet: Sheet, path: str) -> Any:
    found = {}
    for sub in place.properties:
        item = _fill(sub, sheet, f"{path}.{sub.name}", required=sub.name in place.required)
        if item is not UNSET:
            found[sub.name] = item
    return found


def _union(place: Shape, sheet: Sheet, path: str) -> Any:
    failure: CannotFillError | None = None
    for branch in place.branches:
        try:
            return _fill(branch, sheet, path, required=True)
        except CannotFillError as error:
            failure = error
    raise failure or CannotFillError(path, "the schema allows nothing here")


def _array(place: Shape, sheet: Sheet, path: str) -> Any:
    item = place.item
    if item.kind == "object":
        return _objects(place, item, sheet, path)
    played = role(place)
    if played is Role.NONE:
        played = role(item)
    found = texts(played, sheet) if item.kind == "string" else []
    if not found:
        single = scalar(item, said(sheet))
        return UNSET if single is UNSET else [single]
    return found[: place.schema.get("maxItems")]


def _objects(place: Shape, item: Shape, sheet: Sheet, path: str) -> Any:
    roles = {role(sub): sub for sub in item.properties}
    if Role.MEMBER in roles and not roles.keys() & _CITES - {Role.SOURCE, Role.STATEMENT}:
        return _steps(place, item, sheet)
    if issued := _issues(place, item, sheet, path):
        return issued[: place.schema.get("maxItems")]
    if roles.keys() & _CITES:
        cited = [*sheet.quotes, *sheet.context][: place.schema.get("maxItems")]
        return [_cited(item, quote, sheet, f"{path}[{index}]") for index, quote in enumerate(cited)]
    try:
        return [_fill(item, sheet, f"{path}[0]", required=True)] if _holds(item, sheet) else []
    except CannotFillError:
        return []


def _issues(place: Shape, item: Shape, sheet: Sheet, path: str) -> list[dict[str, Any]]:
    """Return each gap as an object of a code and what it says, where *place* asks for reasons or for what is open."""
    if not {role(place), role_of_many(item)} & {Role.REASON, Role.GAP}:
        return []
    texts_of = [sub for sub in item.properties if sub.kind == "string" and role(sub) in _TELLS and not _is_code(sub)]
    codes = [sub for sub in item.properties if sub.kind == "string" and _is_code(sub)]
    told = texts_of[0].name if texts_of else ""
    found = []
    for index, gap in enumerate(sheet.gaps if told else ()):
        values = {**{sub.name: code_of(gap) for sub in codes}, told: gap}
        for sub in item.properties:
            if sub.name not in values and sub.name in item.required:
                values[sub.name] = _fill(sub, sheet, f"{path}[{index}].{sub.name}", required=True)
        found.append(values)
    return found


def _is_code(place: Shape) -> bool:
    return stem("code") in raw_stems(f"{place.name} {place.description}")


def _holds(item: Shape, sheet: Sheet) -> bool:
    """Say whether the sources hold a value for any field of *item*: an object of fillers alone says nothing."""
    return any(
        scalar(sub, said(sheet)) is not UNSET for sub in item.properties if sub.kind in ("string", "integer", "number")
    )


def _cited(item: Shape, quote: Quote, sheet: Sheet, path: str) -> dict[str, Any]:
    values = {
        Role.QUOTE: quote.words, Role.STATEMENT: quote.statement, Role.ANSWER: quote.statement,
        Role.SOURCE: quote.excerpt.source, Role.LINE: quote.line,
    }  # fmt: skip
    return _item(item, values, sheet, path)


def _item(item: Shape, values: Mapping[Role, Any], sheet: Sheet, path: str) -> dict[str, Any]:
    """Return one object of the shape *item*: *values* by the roles of its fields, the others from the sheet."""
    found = {}
    for sub in item.properties:
        one = values.get(role(sub), UNSET)
        if one is UNSET or not fits(one, sub):
            one = _fill(sub, sheet, f"{path}.{sub.name}", required=sub.name in item.required)
        if one is not UNSET:
            found[sub.name] = one
    return found


def _steps(place: Shape, item: Shape, sheet: Sheet) -> Any:
    roles = {role(sub): sub for sub in item.properties}
    options = roles[Role.MEMBER].options
    members = tuple(planning.Member(str(one.value), one.description) for one in options) or sheet.members
    asked = [finding.part for finding in sheet.reading.findings]
    most = min(MOST_STEPS, place.schema.get("maxItems", MOST_STEPS))
    steps = planning.plan(members, asked, sheet.asked, most)
    return [_step(item, step, place_of, sheet) for place_of, step in enumerate(steps)]


def _step(item: Shape, step: planning.Step, index: int, sheet: Sheet) -> dict[str, Any]:
    values = {
        Role.ID: f"s{index + 1}", Role.MEMBER: step.member, Role.GOAL: step.goal, Role.STATEMENT: step.goal,
        Role.REQUEST: step.goal, Role.NEEDS: [f"s{need + 1}" for need in step.needs], Role.TITLE: step.goal,
    }  # fmt: skip
    return _item(item, values, sheet, f"{item.name}[{index}]")


def _string(place: Shape, sheet: Sheet, path: str) -> Any:
    first = sheet.quotes[0] if sheet.quotes else None
    match role(place):
        case Role.ANSWER:
            return shortened(place, sheet)
        case Role.QUOTE:
            return first.words if first else UNSET
        case Role.STATEMENT:
            return first.statement if first else UNSET
        case Role.SOURCE:
            return first.excerpt.source if first else UNSET
        case Role.REASON:
            return " ".join(reasons(sheet))
        case Role.GAP:
            return " ".join(sheet.gaps) or UNSET
        case Role.TITLE | Role.REQUEST:
            return " ".join(sheet.asked.split())
    return held(place, sheet)


def _number(place: Shape, sheet: Sheet, path: str) -> Any:
    if role(place) is Role.CONFIDENCE and place.kind == "number":
        return round(sheet.reading.cover if sheet.reading.band else 0.0, 2)
    if role(place) is Role.LINE:
        return sheet.quotes[0].line if sheet.quotes else UNSET
    known = held(place, sheet)
    return known if known is not UNSET else counted(place, sheet)


def _boolean(place: Shape, sheet: Sheet, path: str) -> Any:
    known = held(place, sheet)
    about = f"{place.description} {place.name.replace('_', ' ')}"
    if known is not UNSET or _ANSWERING.isdisjoint(raw_stems(about)):
        return known
    good = sheet.reading.band is Band.FOUND
    sign = polarity(place.description) or polarity(place.name.replace("_", " "))
    return UNSET if not sign else good if sign > 0 else not good


def _choice(place: Shape, sheet: Sheet, path: str) -> Any:
    known = held(place, sheet)
    return known if known is not UNSET else deciding.decide(place, sheet.reading, evidential=sheet.evidential)


_FILLERS: Mapping[str, Any] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": _boolean,
    "choice": _choice,
    "union": _union,
}
