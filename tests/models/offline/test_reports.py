"""Reports of colleagues: what they cite is evidence, what they could not do is a gap, and each gap is told once."""

import orjson
import pytest
from pydantic import BaseModel, Field

from coordinator.domain.briefs import Brief
from coordinator.domain.citing import Citation
from coordinator.domain.model import ToolSpec
from coordinator.domain.result import Issue, Reply

TUNGSTEN = "What is the melting point of tungsten?"


def told(gap: str) -> str:
    return gap.split(" (asked")[0].rstrip(".")


def test_words_that_are_missing_for_two_parts_are_named_once_with_both_questions(world, handbook):
    output = world.read("Who buys gaskets? And how does one buy gaskets?", handbook).output
    about = [gap for gap in output["gaps"] if "gaskets" in gap]
    assert about == [
        'Not found in the sources: buys, gaskets (asked: "Who buys gaskets?"; "how does one buy gaskets?").'
    ]


def test_a_gap_that_a_colleague_reported_is_not_told_again_in_the_same_words(world, handbook):
    question = "How long is the notice period for managers and what is the dress code?"
    single = world.read("What is the dress code?", handbook).output
    both = world.read(question, handbook).output
    draft = world.ask(world.brief(question, ("a", both), ("b", single)), world.Draft).output
    assert single["gaps"] != both["gaps"]
    assert len({told(gap) for gap in draft["gaps"]}) == len(draft["gaps"])


ESCALATED = Reply(
    text="The melting point of tungsten could not be found.", status="escalated",
    reasons=[Issue(code="not_found", message="Nobody here knows about tungsten.")],
)  # fmt: skip


def test_a_reply_that_a_member_could_not_finish_is_no_source_and_its_reasons_are_gaps(world):
    draft = world.ask(world.brief(TUNGSTEN, ("desk", ESCALATED.model_dump(mode="json"))), world.Draft).output
    assert draft["citations"] == []
    assert "Nobody here knows about tungsten." in draft["gaps"]
    judged = world.ask(world.brief(TUNGSTEN, ("desk", ESCALATED.model_dump(mode="json"))), world.Verdict).output
    assert judged["decision"] == "reject"


def test_a_reply_that_a_delegated_member_could_not_finish_is_no_source_either(world):
    spec = world.spec("desk", "Looks up the melting points of metals.", metal={"type": "string"})
    played = world.ask(TUNGSTEN, world.Findings, [spec], {"desk": lambda **_: ESCALATED.model_dump(mode="json")})
    assert played.calls
    assert played.output["facts"] == []
    assert "Nobody here knows about tungsten." in played.output["gaps"]
    assert played.output["confidence"] == "nothing"


def test_what_a_flagged_reply_cites_is_quoted_from_its_source_and_its_reasons_stay_gaps(world):
    quote = "Tungsten melts at 3422 degrees, its melting point."
    flagged = Reply(
        text=f"{quote} [1]", citations=[Citation(source="metals.md", quote=quote, line=3)], status="flagged",
        reasons=[Issue(code="not_found", message="Not found in the sources: boiling.")],
    )  # fmt: skip
    output = world.ask(world.brief(TUNGSTEN, ("desk", flagged.model_dump(mode="json"))), world.Findings).output
    assert [(fact["source"], fact["quote"]) for fact in output["facts"]] == [("metals.md", quote)]
    assert output["gaps"] == ["Not found in the sources: boiling."]


@pytest.mark.parametrize("word", ["escalated", "note", "english"])
def test_a_plain_word_beside_a_text_is_not_taken_for_where_the_text_is_from(world, word):
    record = {"wording": "The lantern of the harbour gate was forged in 1840.", "sort": word}
    output = world.read("When was the lantern forged?", {}).output
    assert output["facts"] == []
    spec = world.search_spec()
    tools = {spec.name: lambda **_: [record]}
    facts = world.ask("When was the lantern of the harbour gate forged?", world.Findings, [spec], tools).output["facts"]
    assert word not in [fact["source"] for fact in facts]


def test_a_locator_under_a_foreign_name_is_where_the_text_is_from(world):
    record = {
        "wording": "The lantern of the harbour gate was forged in 1840.",
        "where": "town/harbour.md",
        "sort": "note",
    }
    spec = world.search_spec()
    tools = {spec.name: lambda **_: [record]}
    facts = world.ask("When was the lantern of the harbour gate forged?", world.Findings, [spec], tools).output["facts"]
    assert [fact["source"] for fact in facts] == ["town/harbour.md"]
    assert orjson.dumps(facts)


def delegate(name, about):
    return ToolSpec.of(name, about, Brief.model_json_schema())


# What members say of a failed search, under the fields of this house and of others, as text, and as a verdict.
SAID = [
    {"text": "The sources do not answer this.\n\nNot found in the sources: tungsten.", "citations": []},
    {"c1": "Not found in the sources: tungsten.", "c2": []},
    {"b1": [], "b2": ["Not found in the sources: melting, point, tungsten."], "b3": "x3"},
    {"d1": "y3", "d2": ["Could not look with search_metals: the index of tungsten is down."]},
    "The melting point of tungsten could not be found.",
    "The melting point of tungsten is a matter of taste.",
]


@pytest.mark.parametrize("said", SAID)
def test_what_a_member_says_in_its_own_words_is_no_source_and_what_it_did_not_find_is_a_gap(world, said):
    found = {"facts": [], "gaps": [], "confidence": "nothing"}
    specs = [delegate("scout", "Searches the archive for facts."), delegate("scribe", "Writes the reply.")]
    played = world.ask(TUNGSTEN, world.Findings, specs, {"scout": lambda **_: found, "scribe": lambda **_: said})
    assert [name for name, _ in played.calls] == ["scout", "scribe"]
    assert (played.output["facts"], played.output["confidence"]) == ([], "nothing")
    assert any("tungsten" in gap for gap in played.output["gaps"])


def test_what_a_member_cites_is_evidence_and_what_it_says_is_missing_keeps_the_answer_from_being_whole(world):
    quote = "Tungsten melts at 3422 degrees, its melting point."
    said = {"c1": f"{quote} [1]\n\nNot found in the sources: boiling.", "c2": [{"source": "metals.md", "quote": quote}]}
    spec = delegate("scribe", "Writes the reply.")
    output = world.ask(TUNGSTEN, world.Findings, [spec], {"scribe": lambda **_: said}).output
    assert [fact["source"] for fact in output["facts"]] == ["metals.md"]
    assert output["gaps"] == ["Not found in the sources: boiling."]
    assert output["confidence"] == "possibly"


class Remark(BaseModel):
    """One thing that could not be done, or that a person should know."""

    f1: str = Field(description="A stable code.")
    f2: str = Field(description="Why, in one sentence.")


class Remarks(BaseModel):
    f3: str = Field(description="The reply to the request.")
    f4: list[Remark] = Field(description="Why it is not whole.")


def test_a_reply_that_is_not_whole_says_why_in_its_reasons(world, handbook):
    output = world.read("What is the dress code?", handbook, Reply).output
    assert output["status"] == "escalated"
    assert output["reasons"] == [{"code": "not_found", "message": "Not found in the sources: dress, code."}]
    whole = world.read("How many vacation days does a new employee get?", handbook, Reply).output
    assert (whole["status"], whole["reasons"]) == ("completed", [])


def test_reasons_are_known_by_their_descriptions(world, handbook):
    output = world.read("What is the dress code?", handbook, Remarks).output
    assert output["f4"] == [{"f1": "not_found", "f2": "Not found in the sources: dress, code."}]
    assert "dress" in output["f3"]
