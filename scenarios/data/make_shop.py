"""Write `shop.sql`, the database of the example shop: `python scenarios/data/make_shop.py`.

The data is invented and comes from one seed: running this again writes the same file, byte for byte. Only
`Random.random` is used, the one method whose results are the same in every version of Python.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random  # noqa: TID251  invented data: the file's own seed decides
from typing import TypeVar

T = TypeVar("T")
Row = tuple[object, ...]

SEED = 20261119
TODAY = date(2026, 11, 19)
CUSTOMERS = 240
LATE_ORDER = 1042
ORDERS = 640

SCHEMA = """\
CREATE TABLE shop (name TEXT NOT NULL, currency TEXT NOT NULL, today TEXT NOT NULL);
CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY, user_id TEXT UNIQUE NOT NULL, name TEXT NOT NULL, email TEXT UNIQUE NOT NULL,
  street TEXT NOT NULL, postcode TEXT NOT NULL, city TEXT NOT NULL, country TEXT NOT NULL,
  customer_since TEXT NOT NULL, loyalty TEXT NOT NULL);
CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, status TEXT NOT NULL,
  placed_on TEXT NOT NULL, delivery TEXT NOT NULL, expected_on TEXT, shipping_cents INTEGER NOT NULL,
  total_cents INTEGER NOT NULL, paid_by TEXT NOT NULL, refunded_cents INTEGER NOT NULL DEFAULT 0);
CREATE INDEX orders_of_customer ON orders (customer_id, placed_on);
CREATE TABLE order_items (
  order_id INTEGER NOT NULL REFERENCES orders, sku TEXT NOT NULL REFERENCES products,
  quantity INTEGER NOT NULL, unit_price_cents INTEGER NOT NULL, PRIMARY KEY (order_id, sku));
CREATE TABLE shipments (
  order_id INTEGER PRIMARY KEY REFERENCES orders, carrier TEXT NOT NULL, tracking_number TEXT UNIQUE NOT NULL,
  shipped_on TEXT NOT NULL, delivered_on TEXT, last_seen_on TEXT NOT NULL, last_seen_at TEXT NOT NULL);
CREATE TABLE refunds (
  refund_id INTEGER PRIMARY KEY, call TEXT UNIQUE NOT NULL, order_id INTEGER NOT NULL REFERENCES orders,
  amount_cents INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE tickets (
  ticket_id INTEGER PRIMARY KEY, call TEXT UNIQUE NOT NULL, user_id TEXT, order_id INTEGER REFERENCES orders,
  subject TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'open');
CREATE TABLE escalations (
  escalation_id INTEGER PRIMARY KEY, call TEXT UNIQUE NOT NULL, user_id TEXT, reason TEXT NOT NULL,
  request TEXT NOT NULL, work_so_far TEXT NOT NULL);
CREATE TABLE outbox (
  message_id INTEGER PRIMARY KEY, call TEXT UNIQUE NOT NULL, recipient TEXT NOT NULL, subject TEXT NOT NULL,
  body TEXT NOT NULL);
"""

_FIRST_NAMES = (
    "Ada Amir Anna Bao Beatriz Carlos Chloe Daniel Elif Emma Farid Fiona Grace Hana Hugo Ines Ivan Jonas Julia Kofi "
    "Lars Leila Lucia Marek Maya Mei Nadia Noah Olga Omar Paula Priya Rosa Sam Sofia Tariq Tomas Vera Yusuf Zoe"
)
_LAST_NAMES = (
    "Abara Almeida Bauer Becker Byrne Costa Dubois Eriksen Fischer Garcia Haddad Hansen Ivanova Jansen Kaya Kim "
    "Kowalski Lindqvist Marin Moreau Nguyen Novak Okafor Olsen Petrov Quinn Rossi Sato Schmidt Silva Tanaka Vargas "
    "Weber Wójcik Yilmaz Zhang"
)
FIRST_NAMES, LAST_NAMES = _FIRST_NAMES.split(), _LAST_NAMES.split()
STREETS = ("Mill Lane", "Station Road", "Church Street", "Park Avenue", "High Street", "Garden Row", "Oak Drive")
CITIES = (
    ("Dublin", "Ireland", "D0{}"), ("Cork", "Ireland", "T1{}"), ("Berlin", "Germany", "1011{}"),
    ("Hamburg", "Germany", "2009{}"), ("Lyon", "France", "6900{}"), ("Paris", "France", "7500{}"),
    ("Utrecht", "Netherlands", "351{} AB"), ("Vienna", "Austria", "10{}0"), ("Madrid", "Spain", "2800{}"),
    ("Copenhagen", "Denmark", "210{}"), ("Kraków", "Poland", "30-00{}"),
)  # fmt: skip
PRODUCTS = (
    ("Enamel camping mug", 1450), ("Wool blanket", 7900), ("Trail lantern", 3990), ("Canvas rucksack 24 l", 8900),
    ("Rain jacket", 12900), ("Merino socks", 1690), ("Folding chair", 5490), ("Cast-iron pan 26 cm", 4900),
    ("Thermos flask 1 l", 2990), ("Head torch", 3490), ("Down sleeping bag", 18900), ("Two-person tent", 24900),
    ("Trekking poles", 6990), ("Water filter", 3790), ("Picnic rug", 2790), ("Pocket knife", 3290),
    ("Beeswax candle set", 1990), ("Linen tea towel", 990), ("Oak chopping board", 3690), ("Stoneware bowl", 1890),
    ("Cotton hammock", 5990), ("Bicycle pannier", 6490), ("Cool box 20 l", 7490), ("Garden trowel", 1590),
    ("Leather gloves", 3890), ("Wooden bird house", 2690), ("Solar charger", 5990), ("First-aid kit", 2490),
    ("Gas stove", 4490), ("Star map poster", 1290), ("Felt slippers", 3990), ("Ceramic teapot", 4590),
)  # fmt: skip
CARRIERS = (("Swiftline", "SW"), ("Parcelway", "PW"), ("Nordpost", "NP"))
PLACES = ("Dublin", "Hamburg", "Lyon", "Utrecht", "Vienna", "Madrid", "Leipzig", "Antwerp")
PAYMENTS = ("card", "card", "card", "PayPal", "bank transfer", "gift card", "invoice")
# Price in cents and working days from dispatch, as help/delivery-times.md has them.
DELIVERIES = {"standard": (490, 4), "express": (1290, 2), "pick-up point": (290, 5)}
FREE_FROM_CENTS = 6000


class Shop:
    """The rows of all tables, made in one order from one seed."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = Random(seed).random  # noqa: S311  nothing here is secret
        self.products: list[Row] = [(f"LF-{100 + at}", name, price) for at, (name, price) in enumerate(PRODUCTS)]
        self.customers = [self._customer(number) for number in range(1, CUSTOMERS + 1)]
        self.orders: list[Row] = []
        self.items: list[Row] = []
        self.shipments: list[Row] = []
        self._late_order()
        for number in self._order_numbers():
            self._order(number)

    def _pick(self, values: Sequence[T]) -> T:
        return values[int(self._random() * len(values))]

    def _between(self, low: int, high: int) -> int:
        return low + int(self._random() * (high - low + 1))

    def _customer(self, number: int) -> Row:
        name = f"{self._pick(FIRST_NAMES)} {self._pick(LAST_NAMES)}"
        city, country, postcode = self._pick(CITIES)
        plain = name.lower().replace("ó", "o").replace(" ", ".")
        since = TODAY - timedelta(days=self._between(200, 2200))
        loyalty = self._pick(("none", "none", "bronze", "bronze", "silver", "gold"))
        street = f"{self._between(1, 140)} {self._pick(STREETS)}"
        return (
            number, f"u-{number}", name, f"{plain}{number}@example.com", street,
            postcode.format(self._between(1, 9)), city, country, str(since), loyalty,
        )  # fmt: skip

    def _order_numbers(self) -> list[int]:
        """Order numbers are drawn, not counted, so that nobody can read from them how much the shop sells."""
        drawn: set[int] = set()
        while len(drawn) < ORDERS:
            drawn.add(self._between(1000, 9999))
        return sorted(drawn - {LATE_ORDER})

    def _late_order(self) -> None:
        """One order of customer 7 that was promised for Monday, 16 November 2026 and is still with the carrier."""
        bought = ((2, 1), (5, 2))
        total = self._goods(LATE_ORDER, bought)
        self.orders.append(
            (LATE_ORDER, 7, "in transit", "2026-11-09", "standard", "2026-11-16", 0, total, "card", 0)
        )  # fmt: skip
        self.shipments.append((LATE_ORDER, "Swiftline", "SW7301042", "2026-11-10", None, "2026-11-18", "Leipzig"))

    def _order(self, number: int) -> None:
        # The square makes recent orders, which are the ones with something to tell, more frequent.
        placed = TODAY - timedelta(days=int(160 * self._random() ** 2))
        delivery = self._pick(("standard", "standard", "standard", "express", "pick-up point"))
        fee, days = DELIVERIES[delivery]
        bought = tuple((at, self._pick((1, 1, 1, 2, 3))) for at in sorted(self._products()))
        goods = self._goods(number, bought)
        shipping = 0 if goods >= FREE_FROM_CENTS and delivery != "express" else fee
        shipped = working_days_after(placed, 1)
        expected = working_days_after(shipped, days)
        status = self._status(shipped, expected)
        total = goods + shipping
        refunded = total if status == "returned" or (status == "cancelled" and self._random() < 0.9) else 0
        self.orders.append(
            (number, self._between(1, CUSTOMERS), status, str(placed), delivery,
             str(expected) if status != "cancelled" else None, shipping, total, self._pick(PAYMENTS), refunded)
        )  # fmt: skip
        if status not in ("processing", "cancelled"):
            self._shipment(number, status, shipped, expected, CARRIERS[:1] if delivery == "express" else CARRIERS)

    def _products(self) -> set[int]:
        return {self._between(0, len(PRODUCTS) - 1) for _ in range(self._pick((1, 1, 2, 2, 3, 4)))}

    def _goods(self, number: int, bought: Sequence[tuple[int, int]]) -> int:
        """Add the items of an order and return what they cost together, in cents."""
        for at, quantity in bought:
            self.items.append((number, f"LF-{100 + at}", quantity, PRODUCTS[at][1]))
        return sum(PRODUCTS[at][1] * quantity for at, quantity in bought)

    def _status(self, shipped: date, expected: date) -> str:
        chance = self._random()
        if chance < 0.05:
            return "cancelled"
        if shipped >= TODAY:
            return "processing"
        if expected >= TODAY:
            return "delayed" if chance < 0.15 else "in transit"
        if expected >= TODAY - timedelta(days=7) and chance < 0.3:
            return "delayed" if chance < 0.2 else "in transit"
        return "returned" if chance > 0.94 and expected < TODAY - timedelta(days=10) else "delivered"

    def _shipment(
        self, number: int, status: str, shipped: date, expected: date, carriers: Sequence[tuple[str, str]]
    ) -> None:
        carrier, prefix = self._pick(carriers)
        arrived = status in ("delivered", "returned")
        # Early by a day, on the day, or late by up to three, but never after today.
        seen = min(working_days_after(expected, self._pick((-1, 0, 0, 0, 1, 3))), TODAY)
        if not arrived:
            seen = min(working_days_after(shipped, 1), TODAY)
        tracking = f"{prefix}{self._between(100, 999)}{number}"
        place = "customer's address" if arrived else self._pick(PLACES)
        self.shipments.append(
            (number, carrier, tracking, str(shipped), str(seen) if arrived else None, str(seen), place)
        )  # fmt: skip


def working_days_after(day: date, count: int) -> date:
    """Return the day that lies *count* working days (Monday to Friday) after *day*, or before it when negative."""
    step = 1 if count >= 0 else -1
    for _ in range(abs(count)):
        day += timedelta(days=step)
        while day.weekday() > 4:
            day += timedelta(days=step)
    return day


def render(shop: Shop) -> str:
    """Return the whole database as SQL text."""
    parts = ["-- Written by make_shop.py; do not edit. All people and orders are invented.", "BEGIN;", SCHEMA.rstrip()]
    parts.append(insert("shop", [("Larkfield Outfitters", "EUR", str(TODAY))]))
    for table in ("products", "customers", "orders", "items", "shipments"):
        rows: list[Row] = getattr(shop, table)
        parts.append(insert("order_items" if table == "items" else table, rows))
    return "\n".join([*parts, "COMMIT;", ""])


def insert(table: str, rows: Sequence[Row]) -> str:
    """Return one statement that inserts *rows* into *table*, a row on a line."""
    return f"INSERT INTO {table} VALUES\n" + ",\n".join(f"({','.join(map(literal, row))})" for row in rows) + ";"


def literal(value: object) -> str:
    """Return *value* as SQL."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    Path(__file__).with_name("shop.sql").write_text(render(Shop()), encoding="utf-8", newline="\n")
