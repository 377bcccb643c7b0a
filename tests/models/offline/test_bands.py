"""What counts as found: the words that were asked, together in one place, and not words that only resemble them."""

import pytest

PARKING = {
    "cars.md": "# Cars\n\nA car may be parked behind the house. A car is washed on Fridays.",
    "keys.md": "# Keys\n\nThe key of the house is with the porter, who also sells stamps.",
    "mail.md": "# Mail\n\nThe porter sorts the mail of the house at nine.",
}


@pytest.mark.parametrize("question", ["May cats come to the office?", "Are hamsters allowed in the office?"])
def test_what_the_sources_say_of_one_kind_is_not_found_for_another(world, handbook, question):
    assert world.read(question, handbook).output["confidence"] != "found"


def test_a_word_that_stands_in_the_sources_only_by_a_synonym_is_possibly_answered_quoted_and_named(world):
    output = world.read("Is a helmet mandatory?", {"rules.md": "A helmet is required in the workshop."}).output
    assert output["confidence"] == "possibly"
    assert output["facts"][0]["quote"] == "A helmet is required in the workshop."
    assert output["gaps"] == ["Only possibly answered: the sources say it in other words than mandatory."]


def test_a_sentence_that_lacks_a_word_of_the_question_is_quoted_and_not_said_to_answer_it(world):
    documents = {
        "tower.md": "The clock tower of the church was built in 1840.",
        "school.md": "Anna paints the school.",
        "boats.md": "Ben paints boats in winter.",
        "doors.md": "Whoever paints a door paints its frame.",
    }
    output = world.read("Who paints the clock tower of the church?", documents).output
    assert output["confidence"] == "possibly"
    assert output["facts"][0]["source"] == "tower.md"


def test_every_word_of_the_question_together_in_one_place_is_found(world):
    assert world.read("Where may I park a car?", PARKING).output["confidence"] == "found"
    assert world.read("Does the porter sell stamps?", PARKING).output["confidence"] == "found"


def test_words_scattered_over_a_long_sentence_do_not_answer(world):
    filler = " ".join(f"and box {number} holds nails" for number in range(12))
    far = {"store.md": f"The lamp stands on shelf nine {filler} and whoever is colour-blind asks which lamp is green."}
    assert world.read("On which shelf is the green lamp?", far).output["confidence"] == "possibly"
    near = {"store.md": "The green lamp stands on shelf nine."}
    assert world.read("On which shelf is the green lamp?", near).output["confidence"] == "found"


def test_half_a_number_or_a_compound_is_not_the_word_that_was_asked(world):
    documents = {"files.md": "Instances read their settings from files, and instances are made by calling the class."}
    assert world.read("Are instances read-only?", documents).output["confidence"] != "found"


GREENHOUSE = {
    "irrigation.md": "# Irrigation\n\nThe controller needs 24 volts AC. The controller waters up to twelve zones.\n\n"
    "# Rain sensor\n\nHold the bypass button for five seconds when the rain sensor is wet.",
    "rental.md": "# Renting\n\nMembers may rent the greenhouse for at most three weekends. The fee is 35 euros a day.",
    "shipping.md": "# Customs\n\nCustoms may hold 5 parcels for a day. You pay the duties before the parcel arrives.",
    "news.md": "# Orders\n\nThe old form is used for new orders only, and a visit to the kiosk takes time.",
}


@pytest.mark.parametrize(
    "question",
    [
        "How much does the controller cost?",
        "How much does the rain sensor cost?",
        "How much is the bypass button?",
        "How many bypass buttons are there?",
        "How many members are there?",
    ],
)
def test_an_amount_is_found_only_where_one_of_its_kind_stands_beside_the_thing(world, question):
    output = world.read(question, GREENHOUSE).output
    assert output["confidence"] == "possibly"
    assert output["gaps"]


@pytest.mark.parametrize(
    ("question", "amount"),
    [("How many zones does the controller water?", "twelve zones"), ("How much is the fee?", "35 euros")],
)
def test_an_amount_beside_the_thing_is_found(world, question, amount):
    output = world.read(question, GREENHOUSE).output
    assert output["confidence"] == "found"
    assert amount in output["facts"][0]["quote"]


@pytest.mark.parametrize(
    "question", ["What time is it?", "How old are you?", "What is new?", "How do I pay?", "The kiosk?"]
)
def test_one_plain_word_answers_only_under_a_heading_about_it(world, question):
    assert world.read(question, GREENHOUSE).output["confidence"] != "found"


def test_one_plain_word_under_its_heading_is_found(world):
    assert world.read("What about the customs?", GREENHOUSE).output["confidence"] == "found"


@pytest.mark.parametrize("question", ["How many customers do you have?", "What do customers do with parcels?"])
def test_who_does_a_thing_is_not_the_thing_though_they_share_a_stem(world, question):
    assert world.read(question, GREENHOUSE).output["confidence"] != "found"


def test_a_number_behind_a_thing_names_one_and_does_not_count_them(world):
    documents = {"desk.md": "# Desk\n\nCustomer 7 is Ida Holm. Boats: 12. The boats are red."}
    assert world.read("How many customers do you have?", documents).output["confidence"] == "possibly"
    assert world.read("How many boats are there?", documents).output["confidence"] == "found"


def test_a_heading_about_something_else_with_the_one_word_makes_no_answer(world):
    documents = {"cancel.md": "# Cancelling orders\n\nYou can cancel an order in your account."}
    assert world.read("List my orders.", documents).output["confidence"] == "possibly"


def test_what_stands_under_the_heading_about_the_one_word_is_quoted_first(world):
    documents = {
        "post.md": "# Parcels\n\nBefore you pay, weigh the parcel and pay attention to the label.",
        "money.md": "# Ways to pay\n\nYou can pay by card or in cash at the counter.",
    }
    output = world.read("How do I pay?", documents).output
    assert (output["confidence"], output["facts"][0]["source"]) == ("found", "money.md")


def test_a_sentence_that_begins_with_the_one_word_is_about_it(world):
    documents = {"trains.md": "Dogs need a ticket for a child. Bread for dogs is sold on board."}
    assert world.read("What do my dogs need?", documents).output["confidence"] == "found"
    assert world.read("What about bread?", documents).output["confidence"] == "found"
    assert world.read("List my dogs.", documents).output["confidence"] == "possibly"
