"""One question to a model, and what is done with an answer that cannot be used."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from pydantic.main import BaseModel

from coordinator.domain.content import Message, StopReason
from coordinator.domain.errors import Fault, Invalid, Reached
from coordinator.domain.model import ModelReply, OutputSpec
from coordinator.engine import shortening, talk

if TYPE_CHECKING:
    from coordinator.engine.context import Context

M = TypeVar("M", bound=BaseModel)
Check = Callable[[Any], str]
"""Says what is wrong with a typed answer beyond its schema; empty when nothing is."""

CORRECTIONS = 2
CUT = "your answer was cut off at the output limit and nothing of it was used; answer again, shorter"


def open_with(messages: str | Sequence[Message], instructions: str) -> tuple[Message, ...]:
    """Return the messages to send for what an agent passed to `ask`."""
    if isinstance(messages, str):
        return talk.opening(instructions, messages)
    return (*talk.opening(instructions, "")[:-1], *messages)


async def ask(
    ctx: "Context", step: str, messages: tuple[Message, ...], output: type[BaseModel] | None, model: str
) -> Any:
    """Ask once; return text, or a valid *output* after at most two corrections."""
    if output is not None:
        return await typed(ctx, step, messages, (output, ctx.crew.schema(output), _fine), model)
    reply = None
    try:
        reply = await ctx.call_model(step, messages, (), None, model)
    except Invalid as error:
        messages = shortening.shortened(ctx, step, messages, error)
    if reply is None:
        reply = await ctx.call_model(f"{step}/compress", messages, (), None, model)
    return usable(reply, ctx.agent).text


async def typed(
    ctx: "Context", step: str, messages: tuple[Message, ...], wanted: tuple[type[M], OutputSpec, Check], model: str
) -> M:
    """Ask for a typed answer; the model is told of every wrong field and asked again, at most twice.

    Raises:
        Fault: `bad_answer` when the last answer is still wrong, `model_refused` or `truncated`.
    """
    output, spec, check = wanted
    wrong = ""
    for again in range(CORRECTIONS + 1):
        at = f"{step}/again{again}" if again else step
        reply = None
        try:
            reply = await ctx.call_model(at, messages, (), spec, model)
        except Invalid as error:
            messages = shortening.shortened(ctx, at, messages, error)
        if reply is None:
            reply = await ctx.call_model(f"{at}/compress", messages, (), spec, model)
        if reply.stop is StopReason.MAX_TOKENS and not again:
            messages = (*messages, talk.correction("truncated", CUT))
            continue
        answer, complaint = parse(usable(reply, ctx.agent), output, check)
        if answer is not None:
            return answer
        wrong = complaint.text
        messages = (*messages, talk.said(reply), complaint)
    raise Fault(
        f"the model of {ctx.agent} gave no valid {output.__name__} in {CORRECTIONS + 1} tries: {wrong}",
        reached=Reached.YES, transient=False, code="bad_answer", hint="a larger model may do better",
    )  # fmt: skip


def parse(reply: ModelReply, output: type[M], check: Check) -> tuple[M, Message] | tuple[None, Message]:
    """Return the typed answer, or None and the correction to send."""
    try:
        answer = output.model_validate_json(reply.text)
    except ValidationError as error:
        fields = talk.wrong_fields(error)
        return None, talk.correction("invalid_output", f"the answer does not fit {output.__name__}", fields)
    wrong = check(answer)
    if wrong:
        return None, talk.correction("invalid_output", wrong)
    return answer, Message("assistant", ())


def usable(reply: ModelReply, agent: str) -> ModelReply:
    """Return *reply* unless the model refused or was cut off.

    Raises:
        Fault: `model_refused` with the model's own words, or `truncated`.
    """
    if reply.stop is StopReason.REFUSAL:
        raise Fault(
            f"the model of {agent} would not answer: {reply.text}",
            reached=Reached.YES, transient=False, code="model_refused",
        )  # fmt: skip
    if reply.stop is StopReason.MAX_TOKENS:
        raise Fault(
            f"the answer of {agent} was cut off at its output limit",
            reached=Reached.YES, transient=False, code="truncated",
            hint="raise max_output_tokens of the agent, or reasoning_tokens of a provider whose models think",
        )  # fmt: skip
    return reply


def _fine(_answer: object) -> str:
    return ""
