"""The example shop is what its script writes, and holds together."""

import re
import runpy
from datetime import date
from pathlib import Path

from tools.desk import Desk

DATA = Path(__file__).parents[2] / "scenarios" / "data"


def test_committed_database_is_what_the_script_writes_byte_for_byte() -> None:
    script = runpy.run_path(str(DATA / "make_shop.py"))
    written: str = script["render"](script["Shop"]())
    assert written.encode() == (DATA / "shop.sql").read_bytes()


def test_shop_is_as_large_as_a_small_shop(desk: Desk) -> None:
    def count(table: str) -> int:
        (number,) = desk.database.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(number)

    assert count("customers") >= 200
    assert count("orders") >= 600
    assert count("shipments") >= 400
    assert [count(table) for table in ("tickets", "escalations", "refunds", "outbox")] == [0, 0, 0, 0]
    assert (DATA / "shop.sql").stat().st_size < 400_000


def test_every_order_holds_together(desk: Desk) -> None:
    wrong = desk.database.execute(
        "SELECT order_id FROM orders LEFT JOIN shipments USING (order_id)"
        " WHERE (status IN ('processing', 'cancelled')) <> (shipped_on IS NULL)"
        " OR (status IN ('delivered', 'returned')) <> (delivered_on IS NOT NULL)"
        " OR shipped_on < placed_on OR last_seen_on < shipped_on OR last_seen_on > (SELECT today FROM shop)"
        " OR refunded_cents > total_cents OR total_cents <> shipping_cents"
        " + (SELECT sum(quantity * unit_price_cents) FROM order_items WHERE order_items.order_id = orders.order_id)"
    ).fetchall()
    assert [tuple(row) for row in wrong] == []
    assert desk.database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_order_1042_was_promised_for_a_monday_that_has_passed(desk: Desk) -> None:
    row = desk.database.execute("SELECT * FROM orders WHERE order_id = 1042").fetchone()
    expected = date.fromisoformat(row["expected_on"])
    assert expected.strftime("%A") == "Monday"
    assert expected < desk.today
    assert row["status"] == "in transit"


def test_help_articles_are_short_and_refer_to_articles_that_exist() -> None:
    articles = sorted((DATA / "help").glob("*.md"))
    titles = {article.read_text().split("\n")[0].removeprefix("# ").lower() for article in articles}
    assert len(articles) >= 30
    for article in articles:
        text = article.read_text()
        assert 80 <= len(re.findall(r"\w+", text)) <= 260, article.name
        for title in re.findall(r"[Ss]ee \*([^*]+)\*|described\s+under \*([^*]+)\*", text):
            wanted = "".join(title).lower()
            assert any(known.startswith(wanted) for known in titles), (article.name, wanted)
