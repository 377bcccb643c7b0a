"""Where keys and addresses come from, and what is said of one that is missing or wrong."""

import pytest

from coordinator.domain.errors import Invalid
from coordinator.models.compatible import Compatible
from coordinator.models.keys import ANTHROPIC, COMPATIBLE, GOOGLE, OPENAI, RESPONSES, base_url_of, key_of

VARIABLES = [
    (OPENAI, "OPENAI_API_KEY", "OPENAI_BASE_URL"), (RESPONSES, "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    (ANTHROPIC, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"), (GOOGLE, "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
    (GOOGLE, "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for vendor, key, url in VARIABLES:
        monkeypatch.delenv(key, raising=False)
        monkeypatch.delenv(url, raising=False)
        assert vendor.name


@pytest.mark.parametrize(("vendor", "key", "url"), VARIABLES, ids=[f"{one[0].name}-{one[1]}" for one in VARIABLES])
def test_key_and_address_come_from_the_usual_variables(vendor, key, url, monkeypatch):
    monkeypatch.setenv(key, " k-1 ")
    monkeypatch.setenv(url, "http://127.0.0.1:9000/base/")
    assert key_of(vendor, None) == "k-1"
    assert base_url_of(vendor, None) == "http://127.0.0.1:9000/base"
    assert key_of(vendor, "k-2") == "k-2"
    assert base_url_of(vendor, "https://example.com") == "https://example.com"


@pytest.mark.parametrize("vendor", [OPENAI, ANTHROPIC, GOOGLE])
@pytest.mark.parametrize("given", [None, ""])
def test_a_missing_key_is_told_in_one_line_with_its_variable_and_a_way_without(vendor, given):
    with pytest.raises(Invalid) as caught:
        key_of(vendor, given)
    assert caught.value.code == "missing_key"
    assert vendor.key_variables[0] in str(caught.value)
    assert "--model offline" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_compatible_server_gets_no_key_that_is_not_meant_for_it(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k-1")
    assert key_of(COMPATIBLE, None) == ""
    monkeypatch.setenv("COMPATIBLE_API_KEY", "k-2")
    assert key_of(COMPATIBLE, None) == "k-2"


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "a\tb"])
def test_a_key_with_signs_that_no_key_has_is_refused_without_being_shown(key):
    with pytest.raises(Invalid) as caught:
        key_of(OPENAI, key)
    assert caught.value.code == "bad_key"
    assert key not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000/v1",
        "ftp://h/v1",
        "http://",
        "http://u:secret@h/v1",
        "http://h/v1?key=secret",
        "http://h/#a",
        "http://h:99999/v1",
        "http://h:port/v1",
        "h",
    ],
)
def test_a_base_url_that_is_none_is_told_with_its_variable_and_not_shown(url):
    with pytest.raises(Invalid) as caught:
        base_url_of(OPENAI, url)
    assert caught.value.code == "bad_base_url"
    assert "OPENAI_BASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "name", "url"),
    [
        ("llama3.2@http://localhost:11434/v1", "llama3.2", "http://localhost:11434/v1"),
        ("library/llama3:8b@https://gate.example/v1/", "library/llama3:8b", "https://gate.example/v1"),
        ("claude@2026@http://h:1/v1", "claude@2026", "http://h:1/v1"),
    ],
)
def test_a_compatible_model_names_its_server(model, name, url):
    server, known_as = Compatible().check(model)
    assert (known_as, server.base) == (name, url)


@pytest.mark.parametrize("model", ["llama3.2", "@http://h/v1", "llama3.2@localhost:8000"])
def test_a_compatible_model_without_a_server_is_told_how_to_name_one(model):
    with pytest.raises(Invalid) as caught:
        Compatible().check(model)
    assert caught.value.code == "unknown_model"
    assert "compatible:NAME@URL" in caught.value.hint
