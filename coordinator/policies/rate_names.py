"""The names of rates: what each means, and whether the team has it. A limit on a misspelt name would limit nothing."""

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from coordinator.domain.errors import Invalid
from coordinator.domain.limits import EVERYBODY, SCOPES, GateLimits
from coordinator.domain.team import Team

# A provider that this version does not know may be named; what is this near to a word of ours is a slip of the pen.
SLIP = 0.8


def check_rates(rates: Mapping[str, GateLimits], team: Team) -> None:
    """Refuse rates that would limit nothing.

    Args:
        rates: by `user:…`, `agent:…`, `tenant:…`, `provider:…`, `global`, `provider:model`, `provider:*`, tool or
            `tool#tier`.
        team: whose agents and tools may be named.

    Raises:
        Invalid: `bad_settings`, with the nearest name.
    """
    for name, limits in rates.items():
        kind, colon, which = name.partition(":")
        if colon:
            _check_scope(name, kind, which, team)
        elif name != EVERYBODY:
            _check_tool(name, limits, team)


def _check_scope(name: str, kind: str, which: str, team: Team) -> None:
    if not which:
        raise _wrong(name, "names nobody", f"write {kind}:* for each, or {kind}:NAME")
    if kind == "agent" and which != "*" and which not in team.agents:
        raise _wrong(name, f"names the agent {which!r}, which the team does not have", _nearest(which, team.agents))
    near = get_close_matches(kind, SCOPES, n=1, cutoff=SLIP)
    if near and kind not in SCOPES:
        raise _wrong(name, f"begins with {kind!r}", f"write {near[0]}:{which}")


def _check_tool(name: str, limits: GateLimits, team: Team) -> None:
    known, _, tier = name.partition("#")
    tool = team.tools.get(known)
    if tool is None:
        nearest = _nearest(known, [*team.tools, EVERYBODY])
        raise _wrong(name, f"names the tool {known!r}, which the team does not have", nearest)
    if tier and not (tier.isdecimal() and int(tier) < len(tool.tiers)):
        raise _wrong(name, f"names a tier that {known} does not have", f"its tiers are 0 to {len(tool.tiers) - 1}")
    if limits.requests == math.inf:
        raise _wrong(name, "limits the tokens of a tool, which uses none", "limit its requests")


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return f"the nearest: {', '.join(get_close_matches(name, names, cutoff=0.4) or names[:5]) or 'there is none'}"


def _wrong(name: str, what: str, hint: str) -> Invalid:
    return Invalid(f"setting rates.{name} {what}", code="bad_settings", hint=hint)
