"""Simulated models: words from another model, at the pace, with the failures and the bills of a provider on a bad day.

What is random comes from injected chance, so that a simulation repeats exactly. Nothing here waits in real time.
"""

import asyncio
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.errors import Fault, Reached, Throttle
from coordinator.domain.model import Model, ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.domain.ports import Chance

Share = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)

Mishap = Literal[
    "throttled", "throttled_until", "server_error", "unreached", "cut", "stall", "wrong_usage", "overrun",
    "unknown_tool", "endless_loop", "huge_text",
]  # fmt: skip

HUGE = 40_000
"""Bytes of a huge text."""
BYTES_PER_TOKEN = 4
_LOOP = "loop-"


class LatencyLaw(BaseModel):
    """How long a model thinks: `least_s` and an exponential tail of mean `tail_s`, at most `most_s`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_s: float = Field(default=0.4, ge=0, allow_inf_nan=False, description="Seconds that every reply takes.")
    tail_s: float = Field(default=0.8, ge=0, allow_inf_nan=False, description="Mean of what comes on top, in seconds.")
    most_s: float = Field(default=30.0, ge=0, allow_inf_nan=False, description="No reply takes longer.")

    def draw(self, chance: Chance) -> float:
        """Return one latency, in seconds."""
        return min(self.most_s, self.least_s - self.tail_s * math.log1p(-chance()))


class MishapLaw(BaseModel):
    """What goes wrong, each as the share of calls to which it happens; together at most 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    throttled: float = Share
    """429 without Retry-After."""
    throttled_until: float = Share
    """429 with a Retry-After of up to `retry_after_s`."""
    server_error: float = Share
    """5xx; in half of them the provider bills what it read."""
    unreached: float = Share
    """The connection is refused."""
    cut: float = Share
    """The connection breaks while the reply is read."""
    stall: float = Share
    """No answer, ever: only a timeout ends it."""
    wrong_usage: float = Share
    """The bill is any amount up to the bound of the call."""
    overrun: float = Share
    """The bill is above the bound of the call."""
    unknown_tool: float = Share
    """The model wishes to call a tool that nobody offered."""
    endless_loop: float = Share
    """The model wishes the same call again and again, until somebody stops it."""
    huge_text: float = Share
    """The answer is 40 kB of text that fits no schema."""
    retry_after_s: float = Field(default=5.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.whole > 1:
            raise ValueError("the shares are more than 1 together")
        return self

    def draw(self, chance: Chance) -> Mishap | None:
        """Return what happens to one call; None: nothing does."""
        left = chance()
        if left >= self.whole:
            return None
        for name, share in self._shares():
            left -= share
            if left < 0:
                return name
        return None

    @cached_property
    def whole(self) -> float:
        """The share of calls to which anything happens."""
        return sum(share for _, share in self._shares())

    def _shares(self) -> tuple[tuple[Mishap, float], ...]:
        return (
            ("throttled", self.throttled), ("throttled_until", self.throttled_until),
            ("server_error", self.server_error), ("unreached", self.unreached), ("cut", self.cut),
            ("stall", self.stall), ("wrong_usage", self.wrong_usage), ("overrun", self.overrun),
            ("unknown_tool", self.unknown_tool), ("endless_loop", self.endless_loop), ("huge_text", self.huge_text),
        )  # fmt: skip


CALM = MishapLaw()
BAD_DAY = MishapLaw(
    throttled=0.01, throttled_until=0.01, server_error=0.015, unreached=0.01, cut=0.005, stall=0.003,
    wrong_usage=0.02, overrun=0.0004, unknown_tool=0.005, endless_loop=0.003, huge_text=0.005,
)  # fmt: skip
"""A provider as nobody wants it: about one call in twelve meets with something."""


class Outage(BaseModel):
    """A while in which a provider is down: half of the calls cannot connect, the others are answered 500."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begins_s: float = Field(ge=0, allow_inf_nan=False, description="Loop time at which it begins.")
    lasts_s: float = Field(ge=0, allow_inf_nan=False, description="Seconds until the provider is up again.")


class SimulatedModel:
    """Answers with the words of *words*, after a drawn latency, unless a drawn mishap comes in between.

    Args:
        words: who knows the answers; called without any latency, and never for a call that fails.
        chance: the injected randomness.
        latency: how long an answer takes.
        mishaps: what goes wrong, and how often.
        outages: when everything does.

    Raises:
        Fault: what the drawn mishap is.
    """

    __slots__ = ("_chance", "_latency", "_mishaps", "_outages", "_quiet", "_words")

    def __init__(
        self,
        words: Model,
        chance: Chance,
        latency: LatencyLaw | None = None,
        mishaps: MishapLaw = CALM,
        outages: Sequence[Outage] = (),
    ) -> None:
        self._words = words
        self._chance = chance
        self._latency = latency or LatencyLaw()
        self._mishaps = mishaps
        self._outages = [(outage.begins_s, outage.begins_s + outage.lasts_s) for outage in outages]
        self._quiet = mishaps == CALM

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        mishap = self._mishap()
        if mishap == "stall":
            await asyncio.get_running_loop().create_future()
        if mishap in ("throttled", "throttled_until", "unreached"):  # a provider turns away at once
            await asyncio.sleep(0.05 * self._chance())
            raise self._failure(mishap, request)
        await asyncio.sleep(self._latency.draw(self._chance))
        if mishap in ("server_error", "cut"):
            raise self._failure(mishap, request)
        if self._quiet:
            return await self._words(model, request)
        return _odd(mishap, model, request) or self._spoiled(mishap, request, await self._words(model, request))

    def _mishap(self) -> Mishap | None:
        if self._outages:
            now = asyncio.get_running_loop().time()
            for begins, ends in self._outages:
                if begins <= now < ends:
                    return "unreached" if self._chance() < 0.5 else "server_error"
        return None if self._quiet else self._mishaps.draw(self._chance)

    def _failure(self, mishap: Mishap, request: ModelRequest) -> Fault:
        match mishap:
            case "throttled" | "throttled_until":
                after = self._chance() * self._mishaps.retry_after_s if mishap == "throttled_until" else None
                return Fault(
                    "the simulated provider asks to be called later (429)", reached=Reached.YES, code="throttled",
                    turned_away=Throttle.THROTTLED, retry_after=after,
                )  # fmt: skip
            case "unreached":
                return Fault("the simulated provider cannot be connected", reached=Reached.NO, code="unreached")
            case "cut":
                return Fault(
                    "the simulated provider's reply broke off", reached=Reached.MAYBE, code="cut_off"
                )  # fmt: skip
            case _:
                began = self._chance() < 0.5
                usage = Usage(request.size // BYTES_PER_TOKEN, 0) if began else None
                return Fault(
                    "the simulated provider answered 500", reached=Reached.YES, code="server_error",
                    usage=usage, began=began,
                )  # fmt: skip

    def _spoiled(self, mishap: Mishap | None, request: ModelRequest, reply: ModelReply) -> ModelReply:
        match mishap:
            case "endless_loop" if reply.tool_uses:
                first = reply.tool_uses[0]
                return _wish(first.name, first.arguments, f"{_LOOP}{len(request.messages)}", reply.model, request)
            case "wrong_usage":
                usage = self._bill(request, 0.0, 1.0)
            case "overrun":
                usage = self._bill(request, 1.05, 2.0)
            case _:
                return reply
        return ModelReply(
            reply.text, reply.tool_uses, reply.stop, usage, reply.model, reply.request_id, reply.cost
        )  # fmt: skip

    def _bill(self, request: ModelRequest, least: float, most: float) -> Usage:
        share = least + (most - least) * self._chance()
        return Usage(math.ceil(share * request.size), math.ceil(share * request.max_output_tokens))


def _looping(request: ModelRequest) -> ToolUse | None:
    """Return the wish that the conversation of *request* is caught in.

    The conversation itself says so, by the id of its last wish: the model keeps no state, as no provider does.
    """
    for message in request.messages[:-4:-1]:
        for part in message.parts:
            if isinstance(part, ToolUse):
                return part if part.id.startswith(_LOOP) else None
    return None


def _odd(mishap: Mishap | None, model: str, request: ModelRequest) -> ModelReply | None:
    """Return what a model says that does not listen to its request; None when it does.

    Nobody is asked for words, because the conversation goes on where no earlier one has been.
    """
    looping = _looping(request)
    if looping is not None:
        return _wish(looping.name, looping.arguments, f"{_LOOP}{len(request.messages)}", f"simulated:{model}", request)
    if mishap == "unknown_tool" and request.tools:
        return _wish(
            "telepathy", '{"thought":"42"}', f"odd-{len(request.messages)}", f"simulated:{model}", request
        )  # fmt: skip
    if mishap == "huge_text":
        text = "and so on " * (HUGE // 10)
        return ModelReply(text, (), StopReason.END, _used(request, len(text)), f"simulated:{model}")
    return None


def _wish(name: str, arguments: str, use: str, model: str, request: ModelRequest) -> ModelReply:
    usage = _used(request, len(name) + len(arguments))
    return ModelReply("", (ToolUse(use, name, arguments),), StopReason.TOOL_USE, usage, model)


def _used(request: ModelRequest, written: int) -> Usage:
    """Return what a provider bills for *written* bytes: never more than the bound of the call."""
    return Usage(request.size // BYTES_PER_TOKEN, min(written // BYTES_PER_TOKEN, request.max_output_tokens))
