"""What the support desk works with: the shop's database, its knowledge base, and who may see what."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from coordinator import Invalid, TenantContext, ToolContext, World
from coordinator.toolbox.folder import Folder
from coordinator.toolbox.knowledge import Knowledge


class OrderNotFound(LookupError):
    """The current customer has no such order."""


class CustomerNotFound(LookupError):
    """There is no such customer, or it is not the current one."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The resources of the support desk, opened once per run.

    The user of a run is a customer of the shop (`customers.user_id`) and sees only what is theirs; another customer's
    order is *not found*, exactly as one that does not exist. A run without a user (None) is the desk's own staff, who
    may look up anything.
    """

    database: sqlite3.Connection
    knowledge: Knowledge
    articles: Folder
    today: date

    def order(self, order_id: str, who: TenantContext) -> sqlite3.Row:
        """Return the order and its shipment, when *who* may see it.

        Raises:
            OrderNotFound: no such order of this customer.
        """
        row: sqlite3.Row | None = self.database.execute(
            "SELECT * FROM orders JOIN customers USING (customer_id) LEFT JOIN shipments USING (order_id)"
            " WHERE order_id = :number AND (:user IS NULL OR user_id = :user)",
            {"number": order_id, "user": who.user},
        ).fetchone()
        if row is None:
            raise OrderNotFound(f"there is no order {order_id} of this customer")
        return row

    def customer(self, customer_id: int | None, email: str | None, who: TenantContext) -> sqlite3.Row:
        """Return the customer with this number, address or user, when *who* may see it; the current one by default.

        Raises:
            CustomerNotFound: no such customer, or not the current one.
        """
        row: sqlite3.Row | None = self.database.execute(
            "SELECT * FROM customers WHERE customer_id = ifnull(:number, customer_id)"
            " AND email = ifnull(:email, email) COLLATE NOCASE AND user_id = ifnull(:user, user_id)"
            " AND coalesce(:user, :number, :email) IS NOT NULL",
            {"number": customer_id, "email": email, "user": who.user},
        ).fetchone()
        if row is None:
            raise CustomerNotFound("there is no such customer, or not the one who asks")
        return row


@asynccontextmanager
async def open_desk(world: World) -> AsyncIterator[Desk]:
    """Open the desk over *world*: `database` is the shop's SQL text, `knowledge` the folder of its help articles.

    Raises:
        Invalid: one of the two is missing, or is no shop or no folder of articles.
    """
    database = world.database("database")
    database.row_factory = sqlite3.Row
    articles = Folder(world.path("knowledge"))
    yield Desk(database, Knowledge.of(world, articles), articles, _today(database, world.path("database")))


def call_key(ctx: ToolContext[Desk]) -> str:
    """Return the name of this one call; the database knows it again when the call is repeated."""
    return f"{ctx.run_id} {ctx.step}"


def euros(cents: int) -> str:
    """Return *cents* as people read them."""
    return f"€{cents // 100}.{cents % 100:02}"


def long_date(day: str | date) -> str:
    """Return *day* as people read it, such as `Monday, 16 November 2026`."""
    when = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{when:%A}, {when.day} {when:%B %Y}"


def _today(database: sqlite3.Connection, path: Path) -> date:
    """Return the day that the data was taken on: the shop is an example, and its orders do not age."""
    try:
        (today,) = database.execute("SELECT today FROM shop").fetchone()
        return date.fromisoformat(today)
    except (sqlite3.Error, TypeError, ValueError):
        raise Invalid(
            f"database {path} is not a shop",
            code="broken_database",
            hint="it needs the tables of scenarios/data/shop.sql",
        ) from None
