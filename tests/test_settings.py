"""Settings: what is not said has its default, what means nothing is an error, and every error knows its place."""

import json
from pathlib import Path

import pytest

from coordinator import Invalid, Settings
from coordinator.settings import DEFAULT_MODELS, DEFAULT_PRICES, load_settings
from coordinator.sources import origin

PRICE = {"input": 1, "output": 2}


def workspace(folder: Path, text: str = "") -> Path:
    (folder / "coordinator.toml").write_text(text)
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_price_of_one_model_leaves_those_of_the_others() -> None:
    prices = Settings(prices={"openai:x": PRICE}).prices
    assert prices.keys() == {"openai:x", *DEFAULT_PRICES}
    assert Settings(prices={"offline:*": PRICE}).prices["offline:*"].input == 1


def test_model_of_one_class_leaves_those_of_the_others(tmp_path: Path) -> None:
    loaded = load_settings(workspace(tmp_path, '[models]\nsmall = "a:b"\n'))
    assert loaded.models == {**DEFAULT_MODELS, "small": "a:b"}
    assert Settings(models={"huge": "a:c"}).models == {**DEFAULT_MODELS, "small": "a:b", "huge": "a:c"}


def test_tables_do_not_grow_into_their_defaults() -> None:
    Settings(models={"huge": "a:c"}, prices={"a:c": PRICE})
    assert Settings().models == {"small": "offline", "large": "offline"}
    assert Settings().prices.keys() == {"offline:*", "scripted:*"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("COORDINATOR_RUN_USB", "did you mean COORDINATOR_RUN_USD?"),
        ("coordinator_run_usb", "did you mean COORDINATOR_RUN_USD?"),
        ("COORDINATOR_XYZZY", "unset it"),
        ("COORDINATOR_BREAKER_FAILURES", "did you mean COORDINATOR_BREAKER?"),
        ("COORDINATOR_RUN_USD__X", "did you mean COORDINATOR_RUN_USD?"),
        ("COORDINATOR_", "unset it"),
    ],
)
def test_variable_that_names_no_setting_is_an_error(name: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(Invalid) as caught:
        Settings()
    assert (caught.value.code, caught.value.hint) == ("bad_settings", hint)
    assert name.upper() in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "COORDINATOR_SERVICE_HOST", "COORDINATOR_SERVICE_PORT_HTTP", "COORDINATOR_PORT",
        "COORDINATOR_PORT_80_TCP_ADDR", "XCOORDINATOR_RUN",
    ],
)  # fmt: skip
def test_variable_of_somebody_else_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert Settings().run_usd == 0.5


def test_variable_of_a_part_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_BREAKER__FAILURES", "2")
    monkeypatch.setenv("COORDINATOR_MODELS__SMALL", "a:b")
    assert Settings().breaker.failures == 2
    assert Settings().models == {**DEFAULT_MODELS, "small": "a:b"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("coordinator.toml", '[models]\nsmall = "a:b"\n'),
        ("pyproject.toml", '[tool.coordinator.models]\nsmall = "a:b"\n'),
    ],
)
def test_origin_of_an_entry_is_the_file_that_gave_it(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    loaded = load_settings(tmp_path)
    assert loaded.models["small"] == "a:b"
    assert origin(loaded, tmp_path / file, "models", "small") == str(tmp_path / file)
    assert origin(loaded, tmp_path / file, "models", "large") == ""


def test_origin_of_an_entry_is_the_variable_that_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workspace(tmp_path, '[models]\nsmall = "a:b"\n')
    monkeypatch.setenv("COORDINATOR_MODELS", json.dumps({"small": "c:d"}))
    loaded = load_settings(root)
    assert loaded.models["small"] == "c:d"
    assert origin(loaded, root / "coordinator.toml", "models", "small") == "COORDINATOR_MODELS"


def wrong(root: Path, **code: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        load_settings(root, **code)
    assert caught.value.code == "bad_settings"
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("variable", "given", "code"),
    [
        ("COORDINATOR_RUN_USD", "-1", {"run_usd": 1}),
        ("COORDINATOR_DEADLINE_S", "soon", {"deadline_s": 5}),
        ("COORDINATOR_BREAKER__FAILURES", "0", {"breaker": {"failures": 3}}),
        ("COORDINATOR_TENANTS", '{"acme": {"weight": 0}}', {"tenants": {"acme": {"weight": 1}}}),
        ("COORDINATOR_ADMISSION", '{"waiting": -1}', {"admission": {"waiting": 1}}),
    ],
)
def test_variable_that_means_nothing_is_an_error_also_where_code_has_the_last_word(
    variable: str, given: str, code: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, given)
    assert wrong(tmp_path, **code).hint == f"correct it in {variable}"


def test_file_that_means_nothing_is_an_error_also_where_others_have_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workspace(tmp_path, "run_usd = -1\n")
    monkeypatch.setenv("COORDINATOR_RUN_USD", "1")
    error = wrong(root, run_usd=2)
    assert error.message.startswith("setting run_usd is wrong: Input should be greater than or equal to 0 (given -1")
    assert error.hint == f"correct it in {root / 'coordinator.toml'}"


def test_limits_that_contradict_one_another_in_one_source_are_an_error_whatever_goes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COORDINATOR_RUN_USD", "2")
    monkeypatch.setenv("COORDINATOR_SESSION_USD", "1")
    assert "at least run_usd" in wrong(tmp_path, session_usd=3).message


def test_limits_of_different_sources_that_contradict_one_another_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COORDINATOR_RUN_USD", "2")
    assert "at least run_usd" in wrong(workspace(tmp_path, "session_usd = 1\n")).message


def test_source_may_leave_to_another_what_it_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_UNKNOWN_TENANTS", "free")
    monkeypatch.setenv("COORDINATOR_RATES__GLOBAL__PER_S", "5")
    monkeypatch.setenv("COORDINATOR_PRICES", '{"a:c": {"input": 3}}')
    root = workspace(tmp_path, "[surfaces.free]\n[rates.global]\nrequests = 1\n[prices.'a:c']\noutput = 4\n")
    loaded = load_settings(root)
    assert (loaded.rates["global"].per_s, loaded.prices["a:c"].input) == (5, 3)


def test_key_of_a_provider_is_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_PROVIDERS", '{"openai": {"api_kay": "sk-secret"}}')
    assert "sk-secret" not in str(wrong(tmp_path))
