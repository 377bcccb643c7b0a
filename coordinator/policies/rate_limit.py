"""RateLimit: requests and tokens pass a dependency's gate, and those of user, agent, tenant, provider and everybody."""

from typing import TypeVar

from coordinator.domain import ports
from coordinator.domain.calls import Attempt, ModelCall
from coordinator.domain.errors import Fault
from coordinator.domain.fair_queue import Standing
from coordinator.domain.layer import Handler, MustWait, Turn
from coordinator.domain.model import ModelReply
from coordinator.domain.money import Usage
from coordinator.domain.outcomes import Outcome, Slot, consequence, outcome

A = TypeVar("A", bound=Attempt)
R = TypeVar("R")

# For a provider that turns us away without saying for how long.
PAUSE_S = 1.0


class RateLimit:
    """Waits for a place before an attempt, and gives it back, corrects it or keeps it by the outcome table.

    Model calls count by an estimate of their tokens, which the reply corrects; tool calls count as requests only.
    A dependency that throttles us pauses its gate for everybody, and what it says is left to us is not exceeded.

    Args:
        gates: the gates of the process.
        estimates: what model calls usually use.

    Raises:
        Refused: `gate_full` or `deadline_out_of_reach`, in passing, with `retry_after`.
    """

    __slots__ = ("_estimates", "_gates")

    def __init__(self, gates: ports.Gates, estimates: ports.Estimates) -> None:
        self._gates = gates
        self._estimates = estimates

    async def __call__(self, call: A, then: Handler[A, R]) -> R:
        gate = self._gates.around(call.scope, call.dependency)
        tokens = 0
        if isinstance(call, ModelCall):
            request = call.request
            tokens = self._estimates.expect(call.dependency, request.size, request.max_output_tokens)
        permit = gate.try_take(tokens) or await _wait(gate, tokens, call)
        assert permit is not None
        sent = then(call)
        while True:
            try:
                reply = await sent
                break
            except MustWait as short:
                permit.refund()
                turn = short.turn
            except BaseException as error:
                _account(gate, permit, error)
                raise
            permit, held = await _both(gate, tokens, call, turn)
            sent = turn.go_on(held)
        if isinstance(reply, ModelReply) and isinstance(call, ModelCall):
            usage, quota = reply.usage, reply.quota
            if quota is not None:  # before others may pass: this call is counted in what is left
                gate.remaining(quota.requests, quota.tokens, quota.reset_s)
            permit.correct(usage.input_tokens + usage.output_tokens)
            self._estimates.learn(call.dependency, call.request.size, usage)
        else:
            permit.keep()
        return reply


async def _wait(gate: ports.Gate, tokens: int, call: Attempt, along: ports.Along | None = None) -> ports.Permit | None:
    run = call.scope.run
    began = run.now()
    try:
        return await gate.take(tokens, call.deadline, _standing(call), along)
    finally:
        run.waited("gates", run.now() - began, call.scope.agent, call.step)


async def _both(gate: ports.Gate, tokens: int, call: Attempt, money: Turn) -> tuple[ports.Permit, ports.Reservation]:
    """Wait for money and for a place, without the one while the other is waited for, until both are there at once.

    Where both are short, what comes free of the one is gone when the other comes. So a call that has had its turn at
    both keeps the money from then on: a place comes with time alone, and nobody's place depends on that money.
    """
    had_turn = False
    while True:
        held: ports.Reservation | None = await money.wait()
        assert held is not None
        permit = gate.try_take(tokens)
        if permit is not None:
            return permit, held
        if not had_turn:
            held.release()
            held = None

        def along() -> float | None:
            nonlocal held
            held = held or money.at_once()
            return None if held is None else 0.0

        had_turn = True
        try:
            permit = await _wait(gate, tokens, call, along)
        except BaseException:
            if held is not None:  # kept, or taken in the moment in which it was cancelled
                held.release()
            raise
        if permit is not None and held is not None:
            return permit, held


def _standing(call: Attempt) -> Standing:
    run = call.scope.run
    return Standing(run.tenant.tenant, run.tenant.weight, run.order, call.attempt)


def _account(gate: ports.Gate, permit: ports.Permit, error: BaseException) -> None:
    if isinstance(error, Fault) and outcome(error) is Outcome.THROTTLED:  # before a place is given back, and on
        gate.pause(PAUSE_S if error.retry_after is None else error.retry_after)
    slot = consequence(error).gate
    if slot is Slot.REFUND:
        permit.refund()
    elif slot is Slot.CORRECT and isinstance(error, Fault) and (error.usage or not error.began):
        permit.correct(_tokens(error.usage) if error.usage else 0)
    else:
        permit.keep()


def _tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens
