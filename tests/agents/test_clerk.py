"""The workflow of fixed steps answers with what it has when one of them is not done in time."""

import pytest

from agents import workflow


@pytest.mark.parametrize(
    ("who", "status", "code", "words"),
    [
        ("You gather", "escalated", "could_not_look", "analyst was not done at the soft deadline"),
        ("You write", "escalated", "no_draft", "SW7301042"),
        ("You review", "flagged", "not_reviewed", "SW7301042"),
    ],
    ids=["analyst", "writer", "reviewer"],
)
async def test_with_a_member_who_is_stuck_it_has_said_something_before_its_deadline(
    play, who, status, code, words
) -> None:
    script = [*play.opening()[2:], play.findings(), play.draft("Order 1042 is on its way, SW7301042. [1]")]
    played = await play.run(
        "Where is my order 1042?", *script, of=workflow, stuck=who, deadline_s=60, model_timeout_s=1000
    )
    assert (played.ended.status, played.ended.code, played.ended.stop_reason) == (status, code, "soft_deadline")
    assert words in played.ended.text
    assert 48 <= played.ended.duration_s < 52
