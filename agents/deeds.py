"""What the manager does for the user: cancels what was ordered so in code, and leaves the rest to the desk, openly."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.acts import Act
from coordinator import AgentContext, Brief, Citation, CoordinatorError, Invalid, Issue, Reply
from tools.orders import Order, cancel_order
from tools.tickets import open_ticket

LONGEST_SUBJECT = 200


@dataclass
class Deeds:
    """What came of the acts that a request ordered."""

    done: list[Order] = field(default_factory=list)
    undone: list[Issue] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Sentences of the user that the desk must act on."""

    def told(self, reply: Reply) -> Reply:
        """Return *reply* with the deeds before its text, as citations of their own; with one undone, flagged."""
        first = len(reply.citations) + 1
        sentences = [f"{_state(order)} [{number}]" for number, order in enumerate(self.done, first)]
        sentences += [issue.message for issue in self.undone]
        citations = [Citation(source=order.source, quote=_state(order)) for order in self.done]
        status = "flagged" if self.undone and reply.status == "completed" else reply.status
        return reply.model_copy(
            update={
                "text": "\n\n".join([part for part in (" ".join(sentences), reply.text) if part]),
                "citations": [*reply.citations, *citations],
                "reasons": [*reply.reasons, *self.undone],
                "status": status,
            }
        )


async def carry_out(ordered: Sequence[Act], brief: Brief, ctx: AgentContext) -> Deeds:
    """Do what *ordered* allows code to do, with the rights of the user; open a ticket for what is left."""
    deeds = Deeds()
    for act in ordered:
        ctx.enter("act", act.verb)
        if act.cancels:
            for number in act.numbers:
                await _cancel(number, act, deeds, ctx)
        else:
            deeds.left.append(act.sentence)
    if deeds.left:
        deeds.undone.append(await _leave(list(dict.fromkeys(deeds.left)), brief, ctx))
    return deeds


async def _cancel(number: str, act: Act, deeds: Deeds, ctx: AgentContext) -> None:
    try:
        deeds.done.append(await ctx.use(cancel_order, {"order_id": number}))
    except Invalid as error:  # the order system works, and this is its answer
        message = f"Order {number} was not cancelled: {error.message}."
        deeds.undone.append(Issue(code=error.code, message=message, part=number))
    except CoordinatorError as error:
        ctx.flag(error.code, f"whether order {number} is cancelled is not known: {error.message}", number)
        deeds.left.append(act.sentence)


async def _leave(sentences: list[str], brief: Brief, ctx: AgentContext) -> Issue:
    asked = " ".join(sentences)
    try:
        filed = await ctx.use(open_ticket, {"subject": asked[:LONGEST_SUBJECT], "body": brief.request[:10_000]})
    except CoordinatorError as error:
        ctx.flag("ticket_not_opened", f"the ticket could not be opened: {error.message}")
        return Issue(code="not_done", message=f'This was not done, and no ticket could be opened for it: "{asked}"')
    return Issue(code="not_done", message=f'This was not done; the desk has ticket {filed.ticket_id} for it: "{asked}"')


def _state(order: Order) -> str:
    return f"Order {order.order_id} is {order.status.value}."
