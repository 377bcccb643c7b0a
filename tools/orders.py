"""Orders of the shop: look one up, list them, cancel one, refund one."""

import sqlite3
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from coordinator import Effect, Passage, ToolContext, tool
from tools.customers import CustomerNumber
from tools.desk import CustomerNotFound, Desk, OrderNotFound, call_key, euros, long_date

OrderNumber = Annotated[str, Field(pattern=r"^\d{4,}$")]


class OrderStatus(StrEnum):
    """Where an order stands."""

    PROCESSING = "processing"
    IN_TRANSIT = "in transit"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    RETURNED = "returned"


class Item(BaseModel):
    """One line of an order."""

    sku: str
    name: str
    quantity: int
    unit_price_cents: int


class Order(Passage):
    """One order as the shop knows it; cited as `orders/<number>`."""

    order_id: str
    status: OrderStatus
    placed_on: date
    expected_on: date | None = None
    delivered_on: date | None = None
    days_late: int = Field(default=0, description="Days since the expected day, for an order that has not arrived.")
    carrier: str | None = None
    tracking_number: str | None = None
    last_seen_on: date | None = None
    last_seen_at: str | None = None
    items: list[Item]
    total_cents: int
    refunded_cents: int = 0


class Refund(BaseModel):
    """A refund that was made."""

    refund_id: int
    order_id: str
    amount_cents: int
    refunded_cents: int = Field(description="What has been refunded of this order altogether.")


class NotCancellable(ValueError):
    """The order has left the warehouse, or was cancelled before."""


class RefundTooLarge(ValueError):
    """More would be refunded than was paid."""


@tool(effect=Effect.READ, timeout=5, errors={OrderNotFound: "order_not_found"})
async def lookup_order(order_id: OrderNumber, ctx: ToolContext[Desk]) -> Order:
    """Find one order of the current customer.

    Tells where the order is: status, carrier and tracking number, the expected delivery date and whether it is late,
    what was bought and what was paid.

    Args:
        order_id: the number on the receipt.
    """
    return _order(ctx.resources, ctx.resources.order(order_id, ctx.tenant))


@tool(effect=Effect.READ, timeout=5, errors={CustomerNotFound: "customer_not_found"})
async def list_orders(
    ctx: ToolContext[Desk],
    status: OrderStatus | None = None,
    limit: Annotated[int, Field(ge=1, le=50)] = 10,
    customer_id: CustomerNumber | None = None,
) -> list[Order]:
    """List the orders of the current customer, the newest first.

    Args:
        status: only orders that stand so.
        limit: at most so many orders.
        customer_id: the customer's number; only needed when nobody is logged in.
    """
    desk = ctx.resources
    customer = desk.customer(customer_id, None, ctx.tenant)
    numbers = desk.database.execute(
        "SELECT order_id FROM orders WHERE customer_id = ? AND status = ifnull(?, status)"
        " ORDER BY placed_on DESC, order_id DESC LIMIT ?",
        (customer["customer_id"], status, limit),
    )
    return [_order(desk, desk.order(str(number), ctx.tenant)) for (number,) in numbers.fetchall()]


@tool(
    effect=Effect.WRITE,
    timeout=5,
    keyed=True,
    errors={OrderNotFound: "order_not_found", NotCancellable: "order_not_cancellable"},
)
async def cancel_order(order_id: OrderNumber, ctx: ToolContext[Desk]) -> Order:
    """Cancel one order of the current customer, as long as it is still being processed.

    An order that has left the warehouse cannot be cancelled; it can be returned. Cancelling twice is the same as once.

    Args:
        order_id: the number on the receipt.
    """
    desk = ctx.resources
    row = desk.order(order_id, ctx.tenant)
    if row["status"] not in (OrderStatus.PROCESSING, OrderStatus.CANCELLED):
        raise NotCancellable(f"order {order_id} is {row['status']} and can no longer be cancelled")
    with desk.database:
        desk.database.execute(
            "UPDATE orders SET status = 'cancelled', expected_on = NULL WHERE order_id = ?", (row["order_id"],)
        )
    return _order(desk, desk.order(order_id, ctx.tenant))


@tool(
    effect=Effect.FINANCIAL,
    timeout=5,
    keyed=True,
    errors={OrderNotFound: "order_not_found", RefundTooLarge: "refund_too_large"},
)
async def refund_order(
    order_id: OrderNumber,
    amount_cents: Annotated[int, Field(ge=1, le=100_000_000)],
    reason: Annotated[str, Field(min_length=3, max_length=500)],
    ctx: ToolContext[Desk],
) -> Refund:
    """Pay money back for one order of the current customer, in the way it was paid.

    Args:
        order_id: the number on the receipt.
        amount_cents: what to pay back, in euro cents; never more than what was paid and is not refunded yet.
        reason: why the money goes back, for the books.
    """
    desk, call = ctx.resources, call_key(ctx)
    row = desk.order(order_id, ctx.tenant)
    refund = _refund(desk, call)
    if refund is None:
        left = row["total_cents"] - row["refunded_cents"]
        if amount_cents > left:
            raise RefundTooLarge(f"only {euros(left)} of order {order_id} can still be refunded")
        with desk.database:
            desk.database.execute(
                "INSERT INTO refunds (call, order_id, amount_cents, reason) VALUES (?, ?, ?, ?)",
                (call, row["order_id"], amount_cents, reason),
            )
            desk.database.execute(
                "UPDATE orders SET refunded_cents = refunded_cents + ? WHERE order_id = ?",
                (amount_cents, row["order_id"]),
            )
        refund = _refund(desk, call)
    return Refund.model_validate(dict(refund or {}))


def _refund(desk: Desk, call: str) -> sqlite3.Row | None:
    """Return what the call named *call* has already paid back; None before it."""
    found: sqlite3.Row | None = desk.database.execute(
        "SELECT refund_id, CAST(order_id AS TEXT) AS order_id, amount_cents, refunded_cents"
        " FROM refunds JOIN orders USING (order_id) WHERE call = ?",
        (call,),
    ).fetchone()
    return found


def _order(desk: Desk, row: sqlite3.Row) -> Order:
    items = [
        Item(**dict(item))
        for item in desk.database.execute(
            "SELECT sku, name, quantity, unit_price_cents FROM order_items JOIN products USING (sku)"
            " WHERE order_id = ? ORDER BY sku",
            (row["order_id"],),
        )
    ]
    late = _days_late(row, desk.today)
    known = {name: row[name] for name in dict(row) if name in Order.model_fields and name != "order_id"}
    return Order(
        **known,
        order_id=str(row["order_id"]),
        days_late=late,
        items=items,
        source=f"orders/{row['order_id']}",
        text=" ".join(_sentences(row, items, late, desk.today)),
    )


def _days_late(row: sqlite3.Row, today: date) -> int:
    waiting = row["status"] in (OrderStatus.PROCESSING, OrderStatus.IN_TRANSIT, OrderStatus.DELAYED)
    return max(0, (today - date.fromisoformat(row["expected_on"])).days) if waiting and row["expected_on"] else 0


def _sentences(row: sqlite3.Row, items: list[Item], late: int, today: date) -> list[str]:
    """Return the record as prose: what a person at the desk would read out."""
    number = row["order_id"]
    told = [f"Order {number} is {row['status']}{_with_carrier(row)}.", *_whereabouts(row, late, today)]
    bought = ", ".join(f"{item.quantity} × {item.name}" for item in items)
    told.append(f"It was placed on {long_date(row['placed_on'])} for {row['delivery']} delivery and holds {bought}.")
    told.append(f"The total of {euros(row['total_cents'])} was paid by {row['paid_by']}.")
    if row["refunded_cents"]:
        told.append(f"Of this, {euros(row['refunded_cents'])} has been refunded.")
    return told


def _whereabouts(row: sqlite3.Row, late: int, today: date) -> Iterator[str]:
    if row["delivered_on"]:
        yield f"It was delivered on {long_date(row['delivered_on'])}."
        return
    if late:
        days = "1 day" if late == 1 else f"{late} days"
        yield f"It should have arrived on {long_date(row['expected_on'])} and is {days} late today, {long_date(today)}."
    elif row["expected_on"]:
        yield f"It is expected to arrive on {long_date(row['expected_on'])}."
    if row["last_seen_on"]:
        yield f"The carrier last scanned the parcel in {row['last_seen_at']} on {long_date(row['last_seen_on'])}."


def _with_carrier(row: sqlite3.Row) -> str:
    return f" with {row['carrier']}, tracking number {row['tracking_number']}" if row["carrier"] else ""
