"""E-mail to customers."""

from typing import Annotated

from pydantic import BaseModel, Field

from coordinator import Effect, ToolContext, tool
from tools.desk import Desk, call_key

Address = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class Sent(BaseModel):
    """A message that was handed over for sending."""

    message_id: int
    recipient: str


@tool(effect=Effect.COMMUNICATION, timeout=5, keyed=True)
async def send_email(
    recipient: Address,
    subject: Annotated[str, Field(min_length=1, max_length=200)],
    body: Annotated[str, Field(min_length=1, max_length=20_000)],
    ctx: ToolContext[Desk],
) -> Sent:
    """Send an e-mail to a customer.

    The message goes into the shop's outbox, from which the mail server takes it.

    Args:
        recipient: the e-mail address it goes to.
        subject: the subject line.
        body: the text of the message.
    """
    database = ctx.resources.database
    call = call_key(ctx)
    with database:
        database.execute(
            "INSERT INTO outbox (call, recipient, subject, body) VALUES (?, ?, ?, ?) ON CONFLICT (call) DO NOTHING",
            (call, recipient, subject, body),
        )
    row = database.execute("SELECT * FROM outbox WHERE call = ?", (call,)).fetchone()
    return Sent(message_id=row["message_id"], recipient=row["recipient"])
