"""A provider that is none: what it answers to each request, before any socket is touched."""

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache

import orjson

from coordinator.domain.errors import Fault, Invalid
from coordinator.domain.model import Model, ModelReply
from coordinator.domain.ports import Chance, Stamp
from coordinator.domain.value import changed, value
from coordinator.models.fake.answers import (
    EVENTS,
    GONE,
    PROXY,
    SILENCE,
    Answer,
    Question,
    garbled,
    half,
    handed_in,
    spoken,
)
from coordinator.models.fake.faults import MISHAPS, WireFault, WireFaults
from coordinator.models.fake.limits import RateLimits
from coordinator.models.fake.protocols import Protocol
from coordinator.models.fake.wire import Asked, Kind, Said, Wire, WireError
from coordinator.models.simulated import BYTES_PER_TOKEN, CALM, LatencyLaw, MishapLaw, SimulatedModel

AT_ONCE = LatencyLaw(least_s=0, tail_s=0)
KEPT = 512
"""Requests that are kept as they were read: load tests ask the same again and again."""
# What reading a request raises that has another shape than the protocol says.
MISSHAPEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
KINDS: Mapping[str, Kind] = {
    "error": "server_error", "server_error": "server_error", "denied": "denied", "overloaded": "overloaded",
    "no_quota": "no_quota", "throttled": "throttled",
}  # fmt: skip


@value
class Conduct:
    """How a provider behaves; by default well, and at once."""

    key: str = ""
    """The only key that is let in; empty for any, and for none."""
    models: tuple[str, ...] = ()
    """The models that there are; empty for any."""
    context: int | None = None
    """The most input tokens of a request, at four bytes a token."""
    latency: LatencyLaw = AT_ONCE
    mishaps: MishapLaw = CALM
    faults: tuple[WireFault, ...] = ()
    requests: int | None = None
    """How many requests a minute are let in."""
    tokens: int | None = None
    """How many tokens a minute."""
    tokens_per_s: float | None = None
    """How fast a stream is written; None: at once."""


class Provider:
    """Answers requests in the words of *words* and by one *protocol*, as well or as badly as its *conduct* says.

    Args:
        protocol: what is spoken.
        words: who knows the answers.
        conduct: how it behaves.
        chance: the injected randomness.
        stamp: the clock of replies and of headers.
    """

    def __init__(self, protocol: Protocol, words: Model, conduct: Conduct, chance: Chance, stamp: Stamp) -> None:
        self.protocol = protocol
        self._words = words
        self._conduct = conduct
        self._chance = chance
        self._stamp = stamp
        self._limits = RateLimits(conduct.requests, conduct.tokens)
        self._faults = WireFaults(conduct.faults, protocol.providers, chance)
        self._usual: Model = words
        if conduct.latency != AT_ONCE or conduct.mishaps != CALM:
            self._usual = SimulatedModel(words, chance, conduct.latency, conduct.mishaps)
        self._read: Callable[[Wire, str, bytes], Asked] = lru_cache(KEPT)(_read)
        self._count = 0

    async def __call__(self, question: Question) -> Answer:
        """Answer *question*; for one that never gets an answer this may wait for ever."""
        self._count += 1
        number = f"{self._count:08x}"
        path = question.path.partition("?")[0]
        wire = self.protocol.wire(path)
        try:
            if wire is None or question.method != "POST":
                return self._elsewhere(question, path, number)
            self._check_key(wire, question)
            asked = self._read(wire, question.path, question.body)
            self._admit(asked)
            return await self._answer(wire, asked, number)
        except WireError as error:
            return self._error(wire or self.protocol.first, error, number)

    def _elsewhere(self, question: Question, path: str, number: str) -> Answer:
        """Answer what is not asked of a model: the list of models, or that there is nothing."""
        wire = self.protocol.first
        if question.method != "GET" or path != self.protocol.list:
            raise WireError("not_found", method=question.method, path=path)
        self._check_key(wire, question)
        listed = orjson.dumps(wire.models(self._conduct.models or ("any",)))
        return Answer((listed,), headers=wire.named(number))

    def _check_key(self, wire: Wire, question: Question) -> None:
        key = wire.key(question.headers, question.query)
        if self._conduct.key and key != self._conduct.key:
            shown = f"{key[:3]}***{key[-2:]}" if len(key) > 8 else "***"
            raise WireError("bad_key" if key else "missing_key", key=shown)

    def _admit(self, asked: Asked) -> None:
        request, conduct = asked.request, self._conduct
        if conduct.models and request.model not in conduct.models:
            raise WireError("no_such_model", model=request.model)
        tokens = request.size // BYTES_PER_TOKEN
        if conduct.context is not None and tokens > conduct.context:
            raise WireError("too_long", tokens=tokens, most=conduct.context, param="messages")
        self._limits.admit(request.model, tokens, asyncio.get_running_loop().time())

    async def _answer(self, wire: Wire, asked: Asked, number: str) -> Answer:
        rule = self._faults.due(asked.request.model)
        try:
            if rule is not None:
                return await self._amiss(rule, wire, asked, number)
            return self._said(wire, asked, await self._reply(self._usual, asked), number)
        except Invalid as error:  # the tape has ended
            raise WireError("bad_request", str(error)) from None
        except Fault as fault:
            if fault.code == "unreached":
                return GONE
            if fault.code == "cut_off":
                return half(self._said(wire, asked, await self._reply(self._words, asked), number), "cut")
            kind = KINDS.get(fault.code, "server_error")
            raise WireError(kind, model=asked.request.model, retry_after=fault.retry_after) from None

    async def _amiss(self, rule: WireFault, wire: Wire, asked: Asked, number: str) -> Answer:
        """Answer as *rule* lets it go wrong."""
        fail = rule.fail
        if fail == "timeout":
            return SILENCE
        if fail == "html":
            return PROXY
        if fail in KINDS:
            raise WireError(KINDS[fail], model=asked.request.model, retry_after=rule.retry_after_s)
        if fail in MISHAPS:
            simulated = self._simulated(fail, rule.retry_after_s)
            return self._said(wire, asked, await self._reply(simulated, asked), number)
        if fail == "slow":
            await asyncio.sleep(rule.delay_s)
        reply = await self._reply(self._usual, asked)
        answer = self._said(wire, asked, reply, number, counted=fail != "no_usage")
        return answer if fail in ("slow", "no_usage") else _spoiled(fail, wire, answer, number)

    def _simulated(self, mishap: str, retry_after_s: float | None) -> Model:
        wait = {} if retry_after_s is None else {"retry_after_s": retry_after_s}
        law = MishapLaw.model_validate({mishap: 1.0, **wait})
        return SimulatedModel(self._words, self._chance, self._conduct.latency, law)

    async def _reply(self, words: Model, asked: Asked) -> ModelReply:
        request = asked.request
        reply = await words(request.model, request)
        used = reply.usage.input_tokens + reply.usage.output_tokens
        self._limits.count(used - request.size // BYTES_PER_TOKEN, asyncio.get_running_loop().time())
        return reply

    def _said(self, wire: Wire, asked: Asked, reply: ModelReply, number: str, *, counted: bool = True) -> Answer:
        said = Said(asked, handed_in(asked, reply), number, int(self._stamp()), counted)
        return spoken(wire, said, self._headers(wire, number), self._conduct.tokens_per_s)

    def _error(self, wire: Wire, error: WireError, number: str) -> Answer:
        status, body = wire.error(error, number)
        wait = error.facts.get("retry_after")
        more = {} if wait is None else wire.waiting(wait)
        return Answer((orjson.dumps(body),), status=status, headers={**self._headers(wire, number), **more})

    def _headers(self, wire: Wire, number: str) -> dict[str, str]:
        limits = self._limits.left(asyncio.get_running_loop().time())
        return {**wire.named(number), **(wire.quota(limits, self._stamp()) if limits else {})}


def _read(wire: Wire, path: str, body: bytes) -> Asked:
    """Return what is asked; of a shape that nobody foresaw the error says at least where it was met."""
    try:
        return wire.read(path, body)
    except MISSHAPEN as error:
        raise WireError("bad_request", f"Invalid request body: {type(error).__name__} ({error})") from None


def _spoiled(fail: str, wire: Wire, answer: Answer, number: str) -> Answer:
    """Return what becomes of *answer*, which was made well, on its way."""
    match fail:
        case "invalid_json":
            return garbled(answer)
        case "stall_midway":
            return half(answer, "stall")
        case "error_midway":
            if answer.kind != EVENTS:
                raise WireError("overloaded")
            begun = answer.parts[: max(1, len(answer.parts) // 2)]
            return changed(answer, parts=(*begun, wire.broken(WireError("overloaded"), number)))
    return GONE  # lost
