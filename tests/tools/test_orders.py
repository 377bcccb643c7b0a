"""Customers see and change their own orders only; an effect asked for twice happens once."""

import pytest
from pydantic import ValidationError

from tools.customers import lookup_customer
from tools.desk import CustomerNotFound, OrderNotFound
from tools.orders import (
    NotCancellable,
    OrderStatus,
    RefundTooLarge,
    cancel_order,
    list_orders,
    lookup_order,
    refund_order,
)

STRANGERS = "u-8"


async def test_order_is_a_passage_that_says_where_it_is(room) -> None:
    order = await room.call(lookup_order, order_id="1042")
    assert order.source == "orders/1042"
    assert (order.status, order.days_late, order.carrier) == (OrderStatus.IN_TRANSIT, 3, "Swiftline")
    assert order.text.startswith(
        "Order 1042 is in transit with Swiftline, tracking number SW7301042. "
        "It should have arrived on Monday, 16 November 2026 and is 3 days late today, Thursday, 19 November 2026."
    )
    assert sum(item.quantity * item.unit_price_cents for item in order.items) == order.total_cents


async def test_order_of_another_customer_is_not_found_just_as_one_that_does_not_exist(room) -> None:
    for user, number in ((STRANGERS, "1042"), ("nobody", "1042"), ("", "1042"), ("u-7", "99999"), (None, "99999")):
        with pytest.raises(OrderNotFound) as caught:
            await room.as_user(user).call(lookup_order, order_id=number)
        assert str(caught.value) == f"there is no order {number} of this customer"
    assert lookup_order.contract.errors == {OrderNotFound: "order_not_found"}


async def test_run_without_a_user_is_the_desks_own_and_finds_any_order(room) -> None:
    assert (await room.as_user(None).call(lookup_order, order_id="1042")).order_id == "1042"


@pytest.mark.parametrize("number", ["104", "1042 OR 1=1", "x", "-1042"])
async def test_order_number_is_digits(room, number: str) -> None:
    with pytest.raises(ValidationError):
        await room.call(lookup_order, order_id=number)


async def test_order_number_beyond_any_number_of_the_database_is_not_found(room) -> None:
    with pytest.raises(OrderNotFound):
        await room.call(lookup_order, order_id="9" * 30)


async def test_every_order_can_be_told(room) -> None:
    staff = room.as_user(None)
    for (number,) in room.resources.database.execute("SELECT order_id FROM orders").fetchall():
        order = await staff.call(lookup_order, order_id=str(number))
        assert order.status in order.text
        assert "None" not in order.text


async def test_orders_are_listed_newest_first_and_only_the_customers_own(room) -> None:
    orders = await room.call(list_orders)
    assert "1042" in [order.order_id for order in orders]
    assert [order.placed_on for order in orders] == sorted((order.placed_on for order in orders), reverse=True)
    assert [o.order_id for o in await room.call(list_orders, status="in transit")] == ["1042"]
    assert len(await room.call(list_orders, limit=1)) == 1
    with pytest.raises(CustomerNotFound):
        await room.call(list_orders, customer_id=8)


async def test_staff_must_name_the_customer(room) -> None:
    staff = room.as_user(None)
    with pytest.raises(CustomerNotFound):
        await staff.call(list_orders)
    assert "1042" in [order.order_id for order in await staff.call(list_orders, customer_id=7)]


async def test_customer_sees_the_own_record_only(room) -> None:
    own = await room.call(lookup_customer)
    assert (own.customer_id, own.source) == (7, "customers/7")
    assert own.email in own.text
    assert (await room.call(lookup_customer, email=own.email.upper())) == own
    other = await room.as_user(None).call(lookup_customer, customer_id=8)
    for asked in ({"customer_id": 8}, {"email": other.email}):
        with pytest.raises(CustomerNotFound):
            await room.call(lookup_customer, **asked)


async def test_only_orders_still_processing_are_cancelled(room) -> None:
    (processing,) = await room.call(list_orders, status="processing")
    for _ in range(2):
        cancelled = await room.call(cancel_order, order_id=processing.order_id)
        assert cancelled.status == OrderStatus.CANCELLED
    with pytest.raises(NotCancellable):
        await room.call(cancel_order, order_id="1042")
    with pytest.raises(OrderNotFound):
        await room.as_user(STRANGERS).call(cancel_order, order_id=processing.order_id)


@pytest.mark.parametrize("status", [one for one in OrderStatus if one not in ("processing", "cancelled")])
async def test_an_order_that_left_the_warehouse_stays_as_it_is(room, status: OrderStatus) -> None:
    staff = room.as_user(None)
    (number,) = room.resources.database.execute("SELECT order_id FROM orders WHERE status = ?", (status,)).fetchone()
    with pytest.raises(NotCancellable):
        await staff.call(cancel_order, order_id=str(number))
    assert (await staff.call(lookup_order, order_id=str(number))).status is status


async def test_refund_repeated_under_the_same_step_pays_once(room) -> None:
    refunds = [await room.call(refund_order, order_id="1042", amount_cents=1000, reason="late") for _ in range(3)]
    assert {refund.refunded_cents for refund in refunds} == {1000}
    again = await room.at("run/turn2/tool1").call(refund_order, order_id="1042", amount_cents=500, reason="late")
    assert again.refunded_cents == 1500


async def test_refunds_never_exceed_what_was_paid(room) -> None:
    await room.call(refund_order, order_id="1042", amount_cents=7000, reason="late")
    with pytest.raises(RefundTooLarge):
        await room.at("other").call(refund_order, order_id="1042", amount_cents=371, reason="late")
    assert (await room.call(lookup_order, order_id="1042")).refunded_cents == 7000
    with pytest.raises(ValidationError):
        await room.call(refund_order, order_id="1042", amount_cents=0, reason="late")
