"""Rights: which tools and members an agent may call; names that it may not are answered with those that it may."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

from coordinator.domain.calls import DelegationCall, ToolCall
from coordinator.domain.errors import Invalid, Refused
from coordinator.domain.layer import Handler
from coordinator.domain.result import Issue

C = TypeVar("C", DelegationCall, ToolCall)
R = TypeVar("R")

# Names are short, so that even one common word makes two of them similar enough to be worth naming.
SIMILAR = 0.4
MOST_NAMES = 5


class Rights:
    """Lets a call pass whose tool or member exists and is among the agent's rights.

    Raises:
        Invalid: `unknown_tool` or `unknown_member`, with the nearest allowed names in `details["nearest"]`.
        Refused: `needs_approval` for a tool whose effect a person must approve.
    """

    __slots__ = ()

    async def __call__(self, call: C, then: Handler[C, R]) -> R:
        if isinstance(call, ToolCall):
            self._check_tool(call)
        elif call.member is None or call.name not in call.scope.rights.members:
            raise _unknown("member", call.name, call.scope.agent, call.scope.rights.members)
        return await then(call)

    @staticmethod
    def _check_tool(call: ToolCall) -> None:
        if call.tool is None or call.name not in call.scope.rights.tools:
            raise _unknown("tool", call.name, call.scope.agent, call.scope.rights.tools)
        if call.effect.needs_person:
            refusal = Refused(
                f"tool {call.name} has the effect {call.effect.value}, which a person must approve, and no approval "
                "policy is configured",
                code="needs_approval", hint="leave this step to a person",
            )  # fmt: skip
            issue = Issue(code=refusal.code, message=refusal.message, part=call.name)
            call.scope.run.note(issue, call.scope.agent, call.step)
            raise refusal


def _unknown(what: str, name: str, agent: str, allowed: Iterable[str]) -> Invalid:
    names = sorted(allowed)
    nearest = get_close_matches(name, names, n=MOST_NAMES, cutoff=SIMILAR) or names[:MOST_NAMES]
    hint = f"the nearest it may use: {', '.join(nearest)}" if nearest else f"it may use no {what} at all"
    return Invalid(
        f"agent {agent} may use no {what} named {name!r}",
        code=f"unknown_{what}", hint=hint, details={"nearest": nearest},
    )  # fmt: skip
