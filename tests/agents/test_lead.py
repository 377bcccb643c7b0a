"""Laws of the lead, played by the real team: every way from a request to a reply ends, and says how."""

import pytest

from agents import documents, workflow

REQUEST = "Where is my order 1042?"
LEAD, REVIEWER = "You lead", "You review"
TEXTS = (
    "Order 1042 is in transit. [1]",
    "Order 1042 is in transit with Swiftline. [1]",
    "Order 1042 is in transit; the tracking number is SW7301042. [1]",
    "Order 1042: in transit, Swiftline. [1]",
)
RUBBISH = {"text": "no idea", "times": None}
DOWN = {"retry": {"base_s": 0.01}, "breaker": {"failures": 3}}


async def test_states_follow_one_another_and_the_review_belongs_to_verify(play) -> None:
    plan = {"steps": [
        {"id": "a", "member": "analyst", "goal": "Find the order."},
        {"id": "w", "member": "writer", "goal": "Write.", "needs": ["a"]},
        {"id": "r", "member": "reviewer", "goal": "Review.", "needs": ["a", "w"]},
    ]}  # fmt: skip
    opening = play.opening()
    opening[1] = play.says(LEAD, plan)
    played = await play.run(
        REQUEST, *opening, play.findings(), play.draft(TEXTS[0]), play.verdict("accept"),
        play.says(LEAD, {"decision": "accept"}),
    )  # fmt: skip
    assert (played.ended.status, played.ended.text) == ("completed", TEXTS[0])
    assert played.states == ["triage", "plan", "delegate", "verify", "finalize"]
    told = [event.data.get("state") or event.data.get("member") for event in played.events]
    assert told.index("writer") < told.index("verify") < told.index("reviewer")
    assert played.briefs == {"analyst": 1, "writer": 1, "reviewer": 1}


async def test_after_the_second_rejection_the_draft_goes_out_flagged(play) -> None:
    drafts = [play.draft(text) for text in TEXTS]
    played = await play.run(
        REQUEST, *play.opening(), play.findings(), *drafts, play.verdict("reject", times=None),
        play.says(LEAD, {"decision": "accept"}),
    )  # fmt: skip
    assert played.briefs == {"analyst": 1, "writer": 2, "reviewer": 2}
    assert (played.ended.status, played.ended.code, played.ended.text) == ("flagged", "draft_rejected", TEXTS[1])
    assert played.verdicts == ["reject", "reject"]


async def test_a_revision_that_is_accepted_completes(play) -> None:
    played = await play.run(
        REQUEST, *play.opening(), play.findings(), play.draft(TEXTS[0]), play.draft(TEXTS[1]),
        play.verdict("revise"), play.verdict("accept"), play.says(LEAD, {"decision": "accept"}),
    )  # fmt: skip
    assert (played.ended.status, played.ended.text) == ("completed", TEXTS[1])


async def test_a_revision_that_changes_nothing_is_not_reviewed_again(play) -> None:
    played = await play.run(
        REQUEST, *play.opening(), play.findings(), play.draft(TEXTS[0], times=None),
        play.verdict("reject", times=None), play.says(LEAD, {"decision": "accept"}),
    )  # fmt: skip
    assert played.briefs == {"analyst": 1, "writer": 2, "reviewer": 1}
    assert (played.ended.status, played.ended.code) == ("flagged", "draft_rejected")


async def test_a_rejected_draft_is_revised_and_reviewed_by_the_larger_model(play) -> None:
    played = await play.run(
        REQUEST, *play.opening(), play.findings(), play.draft(TEXTS[0]), play.verdict("reject"),
        play.says(LEAD, {"decision": "accept"}), play.draft(TEXTS[1]), play.verdict("accept"),
    )  # fmt: skip
    assert [used for who, used in played.classes if who == "writer"] == ["small", "large"]
    assert [used for who, used in played.classes if who == "reviewer"] == ["small", "large"]
    assert {used for who, used in played.classes if who in ("analyst", "manager")} == {"small"}


@pytest.mark.parametrize(("effort", "expected"), [("plain", "small"), ("hard", "large")])
async def test_the_triage_chooses_the_model_of_the_members(play, effort, expected) -> None:
    triage = play.says(LEAD, {"decision": "resolve", "effort": effort})
    played = await play.run(
        REQUEST, triage, *play.opening()[1:], play.findings(), play.draft(TEXTS[0]), play.verdict("accept"),
        play.says(LEAD, {"decision": "accept"}),
    )  # fmt: skip
    assert {used for who, used in played.classes if who != "manager"} == {expected}
    assert {used for who, used in played.classes if who == "manager"} == {"small"}


async def test_without_a_decision_of_the_model_the_evidence_decides(play) -> None:
    played = await play.run(
        REQUEST,
        *play.opening(),
        play.findings(),
        play.draft(TEXTS[0]),
        play.verdict("accept"),
        {**RUBBISH, "when": LEAD},
    )
    assert played.ended.status == "completed"
    assert played.states[-2:] == ["recover", "finalize"]


async def test_a_replan_looks_for_the_gaps_and_writes_and_reviews_anew(play) -> None:
    again = play.opening()[2]
    played = await play.run(
        REQUEST, *play.opening(), play.findings("Not found: the carrier."), play.draft(TEXTS[0]),
        play.verdict("revise"), play.says(LEAD, {"decision": "replan", "reason": "the carrier is missing"}),
        {**again, "when": "Find what is still missing: Not found: the carrier."}, play.findings(),
        play.draft(TEXTS[1]), play.verdict("accept"),
    )  # fmt: skip
    assert played.briefs == {"analyst": 2, "writer": 2, "reviewer": 2}
    assert "replan" in played.states
    assert (played.ended.status, played.ended.code, played.ended.text) == ("flagged", "not_found", TEXTS[1])


async def test_a_manager_who_gives_up_hands_the_work_over(play) -> None:
    played = await play.run(
        REQUEST, *play.opening(), play.findings(), play.draft(TEXTS[0]), play.verdict("accept"),
        play.says(LEAD, {"decision": "escalate", "reason": "It does not say when."}),
    )  # fmt: skip
    assert (played.ended.status, played.ended.code) == ("escalated", "manager_escalated")
    assert ".." not in played.ended.text
    assert played.tools["record_escalation", "ok"] == 1


@pytest.mark.parametrize(
    "outage", [RUBBISH, {"stop": "refusal", "text": "no", "times": None}], ids=["rubbish", "refusal"]
)
async def test_a_model_that_cannot_look_is_not_missing_knowledge(play, outage) -> None:
    played = await play.run(REQUEST, outage)
    assert (played.ended.status, played.codes[-1]) == ("escalated", "could_not_look")
    assert "analyst could not look" in played.ended.text
    assert "the sources do not answer" not in played.ended.text
    assert played.tools == {("record_escalation", "ok"): 1}


@pytest.mark.parametrize("fail", ["error", "unreached", "throttled"])
async def test_a_model_that_is_down_still_hands_the_case_over(play, fail) -> None:
    played = await play.run(REQUEST, {"fail": fail, "times": None}, **DOWN)
    assert (played.ended.status, played.codes[-1]) == ("escalated", "could_not_look")
    assert played.tools == {("record_escalation", "ok"): 1}


async def test_a_model_that_goes_down_after_the_evidence_keeps_the_work(play) -> None:
    played = await play.run(REQUEST, *play.opening(), play.findings(), {"fail": "error", "times": None}, **DOWN)
    assert (played.ended.status, played.codes[-1]) == ("escalated", "no_draft")
    assert "SW7301042" in played.ended.text
    assert played.tools["record_escalation", "ok"] == 1


@pytest.mark.parametrize(
    ("who", "status", "code", "words"),
    [
        ("You gather", "escalated", "could_not_look", "analyst was not done at the soft deadline"),
        ("You write", "escalated", "no_draft", "SW7301042"),
        ("You review", "flagged", "not_reviewed", TEXTS[0]),
    ],
    ids=["analyst", "writer", "reviewer"],
)
async def test_with_a_member_who_is_stuck_the_desk_has_said_something_before_its_deadline(
    play, who, status, code, words
) -> None:
    script = [*play.opening(), play.findings(), play.draft(TEXTS[0])]
    played = await play.run(REQUEST, *script, stuck=who, deadline_s=60, model_timeout_s=1000)
    assert (played.ended.status, played.ended.code, played.ended.stop_reason) == (status, code, "soft_deadline")
    assert words in played.ended.text
    assert 48 <= played.ended.duration_s < 52
    assert played.tools["record_escalation", "ok"] == (status == "escalated")


async def test_a_refusal_for_good_is_not_recovered_from(play) -> None:
    played = await play.run(REQUEST, {"fail": "error", "times": None}, run_usd=0.000001)
    assert (played.ended.status, played.ended.code) == ("refused", "budget_exhausted")


async def test_what_code_sees_in_a_draft_no_model_is_asked_about(play) -> None:
    promise = f"{TEXTS[0]} It will definitely arrive tomorrow, and you get a free car."
    played = await play.run(
        REQUEST,
        *play.opening(),
        play.findings(),
        play.draft(promise, times=None),
        play.says(LEAD, {"decision": "accept"}),
    )
    assert played.verdicts == ["reject"]
    assert "no cited source says 'It will definitely arrive" in str(played.ended.issues)


@pytest.mark.real_time
async def test_the_editor_triages_and_escalates_as_the_manager_does(play) -> None:
    played = await play.run("At which temperature does tungsten melt?", of=documents)
    assert played.states[0] == "triage"
    assert played.states[-1] == "escalate"
    assert played.ended.status == "escalated"


async def test_the_workflow_keeps_the_constraint_and_passes_no_order_over(play) -> None:
    sued = await play.run("I will sue!", of=workflow)
    assert (sued.ended.status, sued.ended.code) == ("escalated", "constraint")
    ordered = await play.run("Please cancel order 1042.", of=workflow)
    assert ordered.ended.status == "flagged"
    assert "not_done" in ordered.codes
