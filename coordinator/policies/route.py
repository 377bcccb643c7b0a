"""Route: which model answers a request, and which is asked next when it cannot."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from coordinator.domain.calls import ModelCall
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Refused
from coordinator.domain.events import Kind
from coordinator.domain.layer import Handler
from coordinator.domain.model import ModelReply, Target
from coordinator.domain.outcomes import follows
from coordinator.domain.result import Issue


class Route:
    """Addresses a request to the targets of its model class, in order; the next is tried as the outcome table allows.

    Args:
        routes: targets by model class ("small", "large") or model name ("offline").

    Raises:
        Invalid: `unknown_model`.
        CoordinatorError: that of the last target that was tried.
    """

    __slots__ = ("_routes",)

    def __init__(self, routes: Mapping[str, Sequence[Target]]) -> None:
        self._routes = {name: tuple((target, str(target)) for target in targets) for name, targets in routes.items()}

    async def __call__(self, call: ModelCall, then: Handler[ModelCall, ModelReply]) -> ModelReply:
        targets = self._routes.get(call.request.model)
        if not targets:
            raise self._unknown(call.request.model)
        if len(targets) == 1:
            try:
                return await then(call.to(*targets[0]))
            except (Fault, Refused) as error:
                _note(call, targets[0][1], error)
                raise
        last = len(targets) - 1
        for place, (target, dependency) in enumerate(targets):
            try:
                return await then(call.to(target, dependency))
            except CoordinatorError as error:
                remaining = call.deadline - call.scope.run.now()
                if place == last or not follows(error, call.effect, keyed=call.keyed, remaining=remaining):
                    _note(call, dependency, error)
                    raise
                _tell(call, dependency, targets[place + 1][1], error)
        raise self._unknown(call.request.model)

    def _unknown(self, name: str) -> Invalid:
        known = sorted(self._routes)
        nearest = get_close_matches(name, known, cutoff=0.4) or known[:5]
        return Invalid(
            f"there is no model named {name!r}", code="unknown_model",
            hint=f"known models: {', '.join(nearest) or 'none'}", details={"nearest": nearest},
        )  # fmt: skip


def _note(call: ModelCall, dependency: str, error: CoordinatorError) -> None:
    """Keep in the result what a person can repair, once: agents may find a way around it, and tell of that instead.

    Of a call that a breaker stopped it is what had failed before.
    """
    cause = error if isinstance(error, Fault) else error.__cause__
    run = call.scope.run
    if not isinstance(cause, Fault) or not cause.hint:
        return
    if not any(issue.code == cause.code and issue.part == dependency for issue in run.issues):
        run.note(Issue(code=cause.code, message=str(cause), part=dependency), call.scope.agent, call.step)


def _tell(call: ModelCall, before: str, after: str, error: CoordinatorError) -> None:
    data = {"from": before, "to": after, "code": error.code}
    call.scope.run.emit(Kind.FALLBACK, call.scope.agent, call.step, data)
