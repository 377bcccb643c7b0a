"""Laws of redaction: no secret stays, what is none stays as it is, and a line of JSON stays one."""

import string

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.telemetry.redaction import Redaction, secrets_of

# Put together here, so that no scanner of this repository takes them for real ones.
TOKENS = {
    "openai": "sk-" + "proj-Ab12" * 5,
    "anthropic": "sk-ant-" + "api03-xY9z" * 4,
    "google": "AI" + "za" + "SyD4-x_9Qw" * 4,
    "google, of AI Studio": "AQ" + "." + "Ab8RN6-x_Q" * 4,
    "groq": "gs" + "k_" + "Ab12" * 8,
    "xai": "xa" + "i-" + "Ab12" * 8,
    "perplexity": "pp" + "lx-" + "Ab12" * 8,
    "replicate": "r" + "8_" + "Ab12" * 8,
    "npm": "np" + "m_" + "Ab12" * 8,
    "github, of a user": "gh" + "u_" + "Zz09" * 9,
    "github": "gh" + "p_" + "Zz09" * 9,
    "github, fine": "github" + "_pat_" + "11AB_cd" * 6,
    "gitlab": "gl" + "pat-" + "x9-Yz" * 5,
    "hugging face": "hf" + "_" + "AbCd1" * 6,
    "slack": "xo" + "xb-" + "123456-abcdef",
    "aws": "AK" + "IA" + "ABCDEFGH12345678",
    "jwt": "ey" + "JhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
    "stripe": "sk_" + "live_" + "4eC39HqLyjWDarj",
}
AROUND = ["{}", "the key {} was refused", "line\n{}\nnext", 'a "{}" b', "tab\t{}", "({})", "key={}&x=1", "…{}…"]
redact = Redaction()


def line(text: str) -> bytes:
    return orjson.dumps({"event": "issue", "data": {"message": text}})


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("kind", TOKENS)
def test_what_has_the_shape_of_a_key_goes(kind: str, around: str) -> None:
    token = TOKENS[kind]
    left = redact(line(around.format(token)))
    assert token.encode() not in left
    assert orjson.loads(left)["data"]["message"] == around.format("[redacted]")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2hunter2", "{'Authorization': 'Bearer hunter2hunter2'}",
        '{"x-api-key": "hunter2hunter2"}', "https://shop.example/?api_key=hunter2hunter2&page=2",
        "authorization: Basic hunter2hunter2", "Basic hunter2hunter2hunter2== was refused", "password=hunter2hunter2",
        "client_secret: hunter2hunter2",
        "postgres://desk:hunter2hunter2@db/shop", 'headers={"authorization": "token hunter2hunter2"}',
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2hunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2hunter2, cut off",
    ],
)  # fmt: skip
def test_what_a_name_calls_secret_goes(text: str) -> None:
    for nested in (text, orjson.dumps({"body": text}).decode(), orjson.dumps([orjson.dumps([text]).decode()]).decode()):
        left = redact(line(nested))
        assert b"hunter2" not in left
        orjson.loads(left)


@pytest.mark.parametrize("name", ["authorization", "api_key", "x-goog-api-key", "password", "access_token"])
def test_a_member_with_a_secret_name_loses_its_whole_value(name: str) -> None:
    left = redact(orjson.dumps({"data": {name: 'two words, and a "quote"', "code": "ok"}}))
    assert orjson.loads(left) == {"data": {name: "[redacted]", "code": "ok"}}


@pytest.mark.parametrize("value", [None, 7, True, [], {}])
def test_a_member_that_is_no_text_stays(value: object) -> None:
    whole = orjson.dumps({"password": value, "api_key": value})
    assert redact(whole) == whole


@pytest.mark.parametrize(
    "text",
    [
        "risk-free returns within 30 days", "the help-desk-of-the-shop answers", "sk-learn-is-a-library-of-its-own",
        "309 input_tokens, 30 output_tokens", "The password must be changed by its owner.", "bearer of good news",
        "Asia and Asiago", "see https://shop.example/help?page=2", "mail desk@shop.example", "our secret recipe",
        "hf_short", "authorization is needed", "FAQ.md of the help desk", "Basic understanding of administration",
        "ask for it at http://localhost:8000/v1",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(line(text)) == line(text)


SECRET = st.text(st.sampled_from(string.ascii_letters + string.digits + "\"\\/\n ä€&'"), min_size=8, max_size=30)


@given(SECRET.filter(lambda text: len(text.strip()) >= 8), st.text(max_size=40), st.text(max_size=40))
def test_a_given_secret_goes_whatever_it_is_made_of(secret: str, before: str, after: str) -> None:
    text = f"{before.encode('utf-8', 'replace').decode()}{secret}{after.encode('utf-8', 'replace').decode()}"
    left = orjson.loads(Redaction([secret])(line(text)))
    assert secret.strip() not in left["data"]["message"] or secret.strip() in "[redacted]"
    nested = orjson.loads(Redaction([secret])(line(orjson.dumps([text]).decode())))
    assert (
        orjson.dumps(secret.strip()).decode()[1:-1] not in nested["data"]["message"] or secret.strip() in "[redacted]"
    )


@given(st.recursive(
    st.none() | st.integers(-5, 5) | st.text(max_size=30) | st.sampled_from([*TOKENS.values(), "api_key: x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["password", "a", "api_key"]), inner),
))  # fmt: skip
def test_a_line_of_json_stays_one(value: object) -> None:
    orjson.loads(redact(orjson.dumps({"data": value, "text": orjson.dumps(value).decode()})))


def test_only_what_may_hold_a_secret_is_looked_at() -> None:
    redaction = Redaction()
    assert not redaction.concerns(["small", 12, 0.5, None, True, "search_knowledge#0"])
    assert redaction.concerns([TOKENS["openai"]])
    assert redaction.concerns([{"anything": 1}])
    assert redaction.concerns(["a" * 500])


def test_a_short_secret_that_was_given_is_found_in_short_values() -> None:
    redaction = Redaction(["tiny-key"])
    assert redaction.concerns(["tiny-key"])
    assert redaction(line("tiny-key")) == line("[redacted]")


def test_what_is_too_short_to_be_a_secret_is_none() -> None:
    assert Redaction(["1", "true", ""])(line("1 is true")) == line("1 is true")


def test_secrets_of_an_environment_are_told_by_their_names() -> None:
    environment = {"OPENAI_API_KEY": "a", "GITHUB_TOKEN": "b", "HOME": "c", "DB_PASSWORD": "d", "KEYBOARD": "e"}
    assert secrets_of(environment) == ("a", "b", "d")
