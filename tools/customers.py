"""Customers of the shop."""

from datetime import date
from typing import Annotated

from pydantic import Field

from coordinator import Effect, Passage, ToolContext, tool
from tools.desk import CustomerNotFound, Desk, long_date

CustomerNumber = Annotated[int, Field(ge=1, le=999_999_999)]


class Customer(Passage):
    """One customer as the shop knows them; cited as `customers/<number>`."""

    customer_id: int
    name: str
    email: str
    street: str
    postcode: str
    city: str
    country: str
    customer_since: date
    loyalty: str
    orders: int


@tool(effect=Effect.READ, timeout=5, errors={CustomerNotFound: "customer_not_found"})
async def lookup_customer(
    ctx: ToolContext[Desk],
    customer_id: CustomerNumber | None = None,
    email: Annotated[str | None, Field(max_length=254)] = None,
) -> Customer:
    """Find one customer's record: name, address, e-mail, loyalty level, number of orders.

    Without arguments it is the current customer's own. A customer can see no other customer's record.

    Args:
        customer_id: the customer's number.
        email: the e-mail address of the account.
    """
    desk = ctx.resources
    row = desk.customer(customer_id, email, ctx.tenant)
    (orders,) = desk.database.execute(
        "SELECT count(*) FROM orders WHERE customer_id = ?", (row["customer_id"],)
    ).fetchone()
    known = {name: row[name] for name in dict(row) if name in Customer.model_fields}
    text = (
        f"Customer {row['customer_id']} is {row['name']}, {row['email']}."
        f" The address is {row['street']}, {row['postcode']} {row['city']}, {row['country']}."
        f" The account exists since {long_date(row['customer_since'])}, its loyalty level is {row['loyalty']},"
        f" and it has {orders} orders."
    )
    return Customer(**known, orders=orders, source=f"customers/{row['customer_id']}", text=text)
