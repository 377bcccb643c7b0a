"""What a tool does, as far as its name and description tell: whether it only reads, and which verbs order it."""

import re
from collections.abc import Sequence

from coordinator.domain.briefs import Brief
from coordinator.domain.effects import Effect
from coordinator.domain.model import ToolSpec
from coordinator.models.offline import words
from coordinator.models.offline.schemas import shape
from coordinator.models.offline.words import acts_alike, raw_stems, stem_set

_SENTENCES = {effect.sentence: effect for effect in Effect}
_ABOUT_BRIEF = frozenset(field.description for field in Brief.model_fields.values())


def effect_of(spec: ToolSpec) -> Effect | None:
    """Return the effect that the description of *spec* ends with, or None when it names none."""
    text = spec.description.rstrip()
    return next((effect for sentence, effect in _SENTENCES.items() if text.endswith(sentence)), None)


def is_member(spec: ToolSpec) -> bool:
    """Say whether *spec* hands a brief to a colleague: its arguments are described as a brief's fields are."""
    described = {sub.description for sub in shape(spec.schema, spec.schema).properties}
    effect = effect_of(spec)
    harmless = effect is None or not effect.needs_person
    return described >= _ABOUT_BRIEF and harmless


def reads_only(spec: ToolSpec) -> bool:
    """Say whether *spec* changes nothing: by its effect's sentence, else by its verb; in doubt it acts."""
    effect = effect_of(spec)
    if effect is not None:
        return effect is Effect.READ
    verbs = [*raw_stems(spec.name)[:1], *raw_stems(spec.description)[:1]]
    return any(verb in words.READS for verb in verbs) and not any(
        verb not in words.READS and acts_alike(verb) for verb in verbs
    )


def first_sentence(spec: ToolSpec) -> str:
    """Return the first sentence of the description, which says what the tool does."""
    return re.split(r"(?<=[.!?])\s", spec.description.strip(), maxsplit=1)[0]


def act_verbs(spec: ToolSpec) -> frozenset[str]:
    """Return the stems of the verbs that order *spec*: the act in its description, else in its name."""
    described, named = raw_stems(first_sentence(spec)), raw_stems(spec.name)
    for stems in (described[:3], named):
        for one in stems:
            if acts_alike(one):
                return acts_alike(one)
    return frozenset(described[:1] + named[:1])


def things(spec: ToolSpec) -> frozenset[str]:
    """Return the stems of what *spec* acts on, such as order or file."""
    return stem_set(f"{spec.name} {first_sentence(spec)}") - act_verbs(spec)


def acting(specs: Sequence[ToolSpec]) -> dict[str, frozenset[str]]:
    """Return the names of the tools that change something, each with the verbs that order it."""
    return {spec.name: act_verbs(spec) for spec in specs if not reads_only(spec)}
