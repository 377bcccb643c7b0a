"""The offline model chooses tools it has never seen, fills what the words hold, and knows when to stop."""

import pytest

from coordinator.domain.effects import Effect
from coordinator.models.offline.arguments import Said, fill
from coordinator.models.offline.conversation import Conversation
from coordinator.models.offline.schemas import shape

TEXT = {"type": "string"}


def filled(text, query="", **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    conversation = Conversation(text, "", (), (), (), (), judged=False)
    return fill(shape(schema, schema), Said((text,), query, conversation))


@pytest.mark.parametrize(
    ("text", "name", "schema", "value"),
    [
        ("Write to bob@example.com today", "to", {"type": "string", "format": "email"}, "bob@example.com"),
        ("From 3 March 2026 on", "day", {"type": "string", "format": "date"}, "2026-03-03"),
        ("Since May 7, 2026", "start", {"type": "string", "format": "date"}, "2026-05-07"),
        ("See https://example.com/a.", "page", {"type": "string", "format": "uri"}, "https://example.com/a"),
        ("Is invoice INV-17 of 3 March 2026 paid?", "invoice", {"type": "string", "pattern": r"^INV-\d+$"}, "INV-17"),
        (
            "Where is order 1042, placed on 2026-03-01 for $99?",
            "order_id",
            {"type": "string", "pattern": r"^\d{2,}$"},
            "1042",
        ),
        ("Show shipment X9 of order 7", "shipment_id", TEXT, "X9"),
        ("List the last three invoices", "limit", {"type": "integer"}, 3),
        ("A budget of 1,200 euros", "amount", {"type": "number"}, 1200.0),
        ("Is the shop in Oslo open?", "city", TEXT, "Oslo"),
        ("Pods in namespace billing please", "namespace", TEXT, "billing"),
        ("Show urgent tickets", "priority", {"enum": ["low", "urgent"]}, "urgent"),
        ("Read docs/setup.md", "path", TEXT, "docs/setup.md"),
        ("Anything", "kind", {"const": "fixed"}, "fixed"),
        ("Anything", "mode", {"type": "string", "default": "plain"}, "plain"),
    ],
)
def test_an_argument_is_filled_by_the_first_rule_that_the_schema_accepts(text, name, schema, value):
    assert filled(text, **{name: schema}).arguments == {name: value}


@pytest.mark.parametrize(
    ("text", "name", "schema"),
    [
        ("In March 2026", "order_id", {"type": "string", "pattern": r"^\d{5,}$"}),
        ("Where is order 1042?", "shipment_id", TEXT),
        ("On 31 February 2026", "day", {"type": "string", "format": "date"}),
        ("All orders", "sql", {"type": "string", "description": "The SQL query."}),
        ("Hello", "city", TEXT),
        (
            "What is the capital of France, and the seal of the P-300?",
            "path",
            {"type": "string", "description": "The document, as a search named it in `source`."},
        ),
        ("Maybe", "sure", {"type": "boolean"}),
    ],
)
def test_an_argument_that_no_rule_fills_is_missing_and_never_made_up(text, name, schema):
    found = filled(text, "words", **{name: schema})
    assert (found.arguments, found.missing) == ({}, (name,))


def test_one_token_fills_one_argument_only():
    pattern = {"type": "string", "pattern": r"^\d{4}$"}
    found = filled("order 1042 with invoice 2077", order=pattern, invoice=pattern)
    assert found.arguments == {"order": "1042", "invoice": "2077"}
    assert filled("order 1042", order=pattern, invoice=pattern).missing


def test_reads_of_one_turn_go_together_and_an_identifier_from_a_result_leads_on(world):
    specs = [
        world.spec("get_machine", "Get one machine of the plant.", machine_id={"type": "string", "pattern": r"^M\d+$"}),
        world.spec("get_sensor", "Get the last values of a sensor of a machine.", sensor_id=TEXT),
        world.search_spec("search_manuals"),
    ]
    still = {"text": "Machine M7 stands still.", "source": "machines/M7", "sensor_id": "S-5"}
    tools = {
        "get_machine": lambda machine_id: still,
        "get_sensor": lambda sensor_id: {"text": f"Sensor {sensor_id}: machine M7 is hot.", "source": "sensors"},
        "search_manuals": world.search({"manual": "A machine stands still when its pump is hot."}),
    }
    played = world.ask("Why does machine M7 stand still?", world.Findings, specs, tools)
    assert [name for name, _ in played.calls] == ["get_machine", "search_manuals", "get_sensor"]
    assert played.calls[0][1] == {"machine_id": "M7"}
    assert played.calls[2][1] == {"sensor_id": "S-5"}
    assert {fact["source"] for fact in played.output["facts"]} >= {"machines/M7"}


def test_every_identifier_that_the_user_names_is_looked_up(world):
    spec = world.spec("get_ticket", "Get one ticket.", ticket={"type": "string", "pattern": r"^T\d+$"})
    tool = {"get_ticket": lambda ticket: {"text": f"Ticket {ticket} is open.", "source": f"tickets/{ticket}"}}
    played = world.ask("Are the tickets T1 and T2 open?", world.Findings, [spec], tool)
    assert [arguments["ticket"] for _, arguments in played.calls] == ["T1", "T2"]


def test_a_weak_search_is_asked_once_more_with_synonyms_and_then_never_again(world):
    played = world.ask(
        "How do I terminate the subscription?",
        world.Findings,
        [world.search_spec()],
        {"search_documents": lambda query: []},
    )
    queries = [arguments["query"] for _, arguments in played.calls]
    assert queries[0] == "terminate subscription"
    assert len(queries) == 2
    assert "membership" in queries[1]


def test_an_answered_question_is_not_searched_again(world, handbook):
    assert len(world.read("How many vacation days does a new employee get?", handbook).calls) == 1


def test_the_calls_of_a_conversation_are_bounded_and_never_repeated(world):
    specs = [
        world.search_spec(f"search_{name}") for name in ("mails", "files", "wikis", "chats", "notes", "codes", "logs")
    ]
    tools = {spec.name: lambda query: [] for spec in specs}
    calls = world.ask(
        "Where is the flux capacitor manual and how do I terminate it?", world.Findings, specs, tools
    ).calls
    assert len(calls) <= 6
    assert len({str(call) for call in calls}) == len(calls)


def test_a_tool_of_another_topic_is_left_alone(world):
    weather = world.spec("get_weather", "Get the weather of a city.", city=TEXT)
    assert world.ask("How long is the notice period?", None, [weather], {}).calls == []


def test_a_record_without_prose_is_read_out_under_the_name_of_its_tool(world):
    spec = world.spec("get_pump", "Get the state of a pump.", pump_id={"type": "string", "pattern": r"^P\d$"})
    played = world.ask(
        "What is the state of pump P4?", None, [spec], {"get_pump": lambda pump_id: {"pump": "P4", "state": "leaking"}}
    )
    assert "pump: P4, state: leaking" in played.reply.text
    assert "[1] get_pump" in played.reply.text


def test_delegates_offered_as_tools_are_called_in_the_order_of_their_work(world):
    from coordinator.domain.briefs import Brief
    from coordinator.domain.model import ToolSpec

    schema = Brief.model_json_schema()
    specs = [
        ToolSpec.of("checker", "Reviews the draft against its sources.", schema),
        ToolSpec.of("scribe", "Writes the reply from what was found.", schema),
        ToolSpec.of("scout", "Searches the archive for facts; never writes.", schema),
    ]
    found = {
        "facts": [{"statement": "x", "quote": "The bridge is 300 metres long.", "source": "bridges.md", "line": 3}],
        "gaps": [],
    }
    tools = {
        "scout": lambda **_: found,
        "scribe": lambda **_: {"text": "The bridge is 300 metres long. [1]", "gaps": []},
        "checker": lambda **_: {"ok": True},
    }
    played = world.ask("How long is the bridge?", None, specs, tools)
    assert [name for name, _ in played.calls] == ["scout", "scribe", "checker"]
    assert all(arguments["request"] == "How long is the bridge?" for _, arguments in played.calls)
    assert played.calls[1][1]["materials"] == [{"origin": "scout", "content": found}]
    assert "300 metres" in played.reply.text


def test_a_delegate_that_moves_money_is_not_called_unasked(world):
    from coordinator.domain.briefs import Brief
    from coordinator.domain.model import ToolSpec

    spec = ToolSpec.of("banker", f"Looks into payments. {Effect.FINANCIAL.sentence}", Brief.model_json_schema())
    assert world.ask("What about my payments?", None, [spec], {}).calls == []


MISTAKEN = {
    "status": "error",
    "code": "not_a_text_file",
    "message": "cannot be read",
    "retryable": True,
    "result": None,
}


def mistaken(world, question, **properties):
    """Ask with a tool that answers that it was asked wrongly, beside a search that answers."""
    specs = [world.spec("read_file", "Read one city file of a document.", **properties), world.search_spec()]
    documents = {"seals.md": "The seal of the pump is replaced every 2000 hours in Oslo."}
    tools = {"read_file": lambda **_: MISTAKEN, "search_documents": world.search(documents)}
    return world.ask(question, world.Findings, specs, tools)


def test_a_mistaken_guess_of_the_model_leaves_no_gap(world):
    played = mistaken(world, "How often is the seal of the pump replaced in Oslo?", city=TEXT)
    assert ("read_file", {"city": "Oslo"}) in played.calls
    assert (played.output["confidence"], played.output["gaps"]) == ("found", [])


def test_a_file_that_the_user_names_and_nobody_can_read_is_a_gap(world):
    played = mistaken(world, "How often is the seal of the pump replaced, says old.xlsx?", path=TEXT)
    assert ("read_file", {"path": "old.xlsx"}) in played.calls
    assert any("cannot be read" in gap for gap in played.output["gaps"])
