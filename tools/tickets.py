"""Tickets and escalations: what the desk writes down for people."""

from typing import Annotated

from pydantic import BaseModel, Field

from coordinator import Effect, ToolContext, tool
from tools.desk import Desk, OrderNotFound, call_key
from tools.orders import OrderNumber


class Ticket(BaseModel):
    """A ticket as it was filed."""

    ticket_id: int
    status: str
    subject: str


class Escalation(BaseModel):
    """An escalation as it was recorded."""

    escalation_id: int
    reason: str


@tool(effect=Effect.WRITE, timeout=5, keyed=True, errors={OrderNotFound: "order_not_found"})
async def open_ticket(
    subject: Annotated[str, Field(min_length=1, max_length=200)],
    body: Annotated[str, Field(min_length=1, max_length=10_000)],
    ctx: ToolContext[Desk],
    order_id: OrderNumber | None = None,
) -> Ticket:
    """Open a ticket, so that the desk follows up on a problem.

    Args:
        subject: the problem in one line.
        body: what happened and what the customer wants, complete enough to work on it.
        order_id: the order it is about, when there is one.
    """
    desk = ctx.resources
    number = None if order_id is None else desk.order(order_id, ctx.tenant)["order_id"]
    call = call_key(ctx)
    with desk.database:
        desk.database.execute(
            "INSERT INTO tickets (call, user_id, order_id, subject, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (call) DO NOTHING",
            (call, ctx.tenant.user, number, subject, body),
        )
    row = desk.database.execute("SELECT * FROM tickets WHERE call = ?", (call,)).fetchone()
    return Ticket(ticket_id=row["ticket_id"], status=row["status"], subject=row["subject"])


@tool(effect=Effect.WRITE, timeout=5, keyed=True)
async def record_escalation(
    reason: Annotated[str, Field(min_length=1, max_length=2_000)],
    request: Annotated[str, Field(max_length=50_000)],
    work_so_far: Annotated[str, Field(max_length=50_000)],
    ctx: ToolContext[Desk],
) -> Escalation:
    """Record that a person must take over a case, with the reason and the work so far.

    Args:
        reason: why a person must decide, in a few words.
        request: what was asked, in the words of the customer.
        work_so_far: what was found out and what is open; empty when nothing was done.
    """
    desk = ctx.resources
    with desk.database:
        desk.database.execute(
            "INSERT INTO escalations (call, user_id, reason, request, work_so_far) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (call) DO NOTHING",
            (call_key(ctx), ctx.tenant.user, reason, request, work_so_far),
        )
    row = desk.database.execute("SELECT * FROM escalations WHERE call = ?", (call_key(ctx),)).fetchone()
    return Escalation(escalation_id=row["escalation_id"], reason=row["reason"])
