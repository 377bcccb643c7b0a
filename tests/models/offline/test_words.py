"""Words that mean the same answer for one another only as far as they do, and a word of the question is never lost."""

import pytest

from coordinator.models.offline import words
from coordinator.models.offline.words import Term, match, stem_set, terms


def only(text: str) -> Term:
    """Return the one content word of *text*."""
    found = list(terms(text))
    assert len(found) == 1, found
    return found[0]


def test_what_is_said_of_a_kind_holds_for_its_members_and_nothing_said_of_a_member_holds_for_the_kind_or_another():
    assert match(only("dogs"), stem_set("Pets are welcome.")) == words.NEAR
    assert match(only("pets"), stem_set("Dogs are welcome.")) == 0
    assert match(only("cats"), stem_set("Dogs are welcome.")) == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("How do I turn it off?", "It can be disabled."),
        ("How do I get rid of it?", "It can be deleted."),
        ("When do you try again?", "We retry every hour."),
        ("May I give it back?", "It may be returned."),
    ],
)
def test_a_verb_and_its_particle_mean_what_they_mean_together(asked, said):
    assert match(only(asked), stem_set(said)) > 0
    assert match(only(asked), stem_set("Give, try, get: nothing of the kind.")) == 0


def test_a_hyphenated_word_is_one_word_and_not_its_first_half():
    term = only("read-only")
    assert match(term, stem_set("Instances are read-only.")) == words.EXACT
    assert match(term, stem_set("Files are read in the background.")) == 0


def test_numbers_and_versions_stay_whole():
    assert [term.word for term in terms("Does version 3.11 cost 1,200 euros?")] == [
        "version",
        "3.11",
        "cost",
        "1,200",
        "euros",
    ]
