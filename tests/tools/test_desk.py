"""The desk's other systems: help articles in two tiers, tickets, escalations, mail; and worlds that are no desk."""

from pathlib import Path

import pytest

from coordinator.domain.effects import Effect
from coordinator.domain.errors import Invalid
from coordinator.toolbox.world import FolderWorld, Snapshots
from tools.desk import OrderNotFound, open_desk
from tools.knowledge import search_knowledge
from tools.mail import send_email
from tools.orders import cancel_order, refund_order
from tools.tickets import open_ticket, record_escalation

DATA = Path(__file__).parents[2] / "scenarios" / "data"


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("Hi, order 1042 should have been here on Monday. Where is it?", "delivery-times.md"),
        ("How long is the warranty on a tent?", "warranty.md"),
        ("My mug arrived damaged", "damaged-item.md"),
        ("password reset link", "password-reset.md"),
        ("Are gift cards valid for ever?", "gift-cards.md"),
    ],
)
async def test_both_tiers_find_the_article(room, tier: int, question: str, article: str) -> None:
    found = await room.call(search_knowledge, tier=tier, query=question)
    assert article in [passage.source for passage in found[:3]]
    for passage in found:
        lines = (DATA / "help" / passage.source).read_text().split("\n")
        assert "\n".join(lines[passage.line - 1 :]).startswith(passage.text)


@pytest.mark.parametrize("tier", [0, 1])
async def test_nothing_is_found_about_what_no_article_speaks_of(room, tier: int) -> None:
    assert await room.call(search_knowledge, tier=tier, query="tungsten filament") == []


async def test_ticket_and_escalation_repeated_under_the_same_step_are_written_once(room) -> None:
    for _ in range(2):
        ticket = await room.call(open_ticket, subject="Late", body="Order 1042 is late.", order_id="1042")
        escalation = await room.call(record_escalation, reason="legal", request="My lawyer…", work_so_far="")
    assert (ticket.ticket_id, ticket.status, escalation.escalation_id) == (1, "open", 1)
    tickets = room.resources.database.execute("SELECT user_id, order_id, subject FROM tickets").fetchall()
    assert [tuple(row) for row in tickets] == [("u-7", 1042, "Late")]


async def test_ticket_about_another_customers_order_is_refused_and_not_written(room) -> None:
    with pytest.raises(OrderNotFound):
        await room.as_user("u-8").call(open_ticket, subject="Late", body="…", order_id="1042")
    assert room.resources.database.execute("SELECT count(*) FROM tickets").fetchone()[0] == 0


async def test_mail_goes_to_the_outbox_once(room) -> None:
    for _ in range(2):
        sent = await room.call(send_email, recipient="a@example.com", subject="Hello", body="…")
    assert sent.message_id == 1
    assert room.resources.database.execute("SELECT count(*) FROM outbox").fetchone()[0] == 1


def test_tools_that_touch_money_or_people_need_a_person() -> None:
    assert refund_order.contract.effect.needs_person
    assert send_email.contract.effect.needs_person
    assert cancel_order.contract.effect is Effect.WRITE


@pytest.mark.parametrize(
    "sql", ["", "CREATE TABLE shop (today TEXT);", "CREATE TABLE shop (today); INSERT INTO shop VALUES ('x');"]
)
async def test_database_that_is_no_shop_is_told_when_the_desk_opens(tmp_path: Path, sql: str) -> None:
    (tmp_path / "other.sql").write_text(sql)
    paths = {"database": tmp_path / "other.sql", "knowledge": DATA / "help"}
    with FolderWorld(paths, Snapshots()) as world, pytest.raises(Invalid) as caught:
        async with open_desk(world):
            pass
    assert caught.value.code == "broken_database"
