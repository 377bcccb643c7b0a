"""`coordinator load`: a report for people and machines, and wrong input told before anything runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]
SCENARIO = "task: ask\nworld: {shelf: data/shelf}\n"

pytestmark = pytest.mark.real_time


def loaded(command: Command, *more: str, scenario: str = SCENARIO) -> tuple[int, str, str]:
    return command("load", "one.yaml", *more, scenario=scenario)


def test_a_virtual_load_tells_what_was_measured(command: Command) -> None:
    code, out, err = loaded(command, "--runs", "50", "--rate", "5", "--tenants", "3", "--virtual")
    assert code == 0, err
    for said in ("throughput", "latency", "p99.9", "money", "bottleneck", "held"):
        assert said in out


def test_json_is_one_object_on_standard_output(command: Command) -> None:
    code, out, _ = loaded(command, "--runs", "50", "--concurrency", "5", "--virtual", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["runs"], found["statuses"]) == (0, True, 50, {"completed": 50})


def test_the_report_is_one_small_page_with_its_pictures(command: Command, home: Path) -> None:
    code, _, err = loaded(command, "--runs", "500", "--rate", "5", "--virtual", "--report", "out.html")
    assert code == 0, err
    page = (home / "out.html").read_text()
    assert page.startswith("<!doctype html>")
    assert len(page) < 1_000_000
    for picture in ("Latency over time", "Runs in flight", "Money spent"):
        assert f'aria-label="{picture}"' in page


def test_faults_reach_the_tools(command: Command, home: Path) -> None:
    (home / "faults.yaml").write_text("- {tool: take_note, fail: error}\n")
    arguments = ("--runs", "50", "--rate", "5", "--virtual", "--json", "--faults", "faults.yaml")
    code, out, _ = loaded(command, *arguments)
    found = json.loads(out)
    assert code == 0
    assert found["statuses"] == {"flagged": 50}
    assert found["breakers"][0]["trips"] >= 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--runs", "10"), "usage"),
        (("--rate", "1", "--concurrency", "2"), "usage"),
        (("--rate", "0"), "usage"),
        (("--runs", "-5", "--rate", "1"), "usage"),
        (("--rate", "1", "--warm-up", "soon"), "usage"),
        (("--rate", "1", "--sample", "5"), "usage"),
        (("--rate", "1", "--virtual", "--report", "no/such/folder/out.html"), "unusable_file"),
        (("--rate", "1", "--virtual", "--faults", "unknown.yaml"), "unknown_tool"),
        (("--rate", "1", "--virtual", "--faults", "none.yaml"), "missing_file"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    command: Command, home: Path, arguments: tuple[str, ...], code: str
) -> None:
    (home / "unknown.yaml").write_text("- {tool: telepathy, fail: error}\n")
    exit_code, out, err = loaded(command, *arguments)
    told = [line for line in err.splitlines() if line != "crew is imported"]
    assert (exit_code, out) == (2, "")
    assert len(told) == 1
    assert told[0].startswith(f"error[{code}]: ")


def test_a_scenario_that_cannot_fit_its_ceiling_leaves_no_report_behind(command: Command, home: Path) -> None:
    scenario = f"{SCENARIO}settings: {{run_usd: 0.0000001}}\n"
    code, _, err = loaded(command, "--rate", "1", "--virtual", "--report", "out.html", scenario=scenario)
    assert code == 2
    assert "cannot fit its ceiling" in err
    assert not (home / "out.html").exists()


def test_contradicting_limits_are_told_with_their_line(command: Command) -> None:
    scenario = f"{SCENARIO}settings: {{run_usd: 5, tenant_day_usd: 1}}\n"
    code, _, err = loaded(command, "--rate", "1", "--virtual", scenario=scenario)
    assert code == 2
    assert "one.yaml:3" in err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{user_day_usd: 5, global_usd: 1}", "global_usd: should be at least user_day_usd (5)"),
        ("{run_usd: 5, global_usd: 1, global_period: hour}", "global_usd: should be at least run_usd (5)"),
        ("{soft_deadline_s: 90, deadline_s: 60}", "soft_deadline_s: should be at most deadline_s (60)"),
        ("{run_usd: -1}", "run_usd: should be greater than or equal to 0, not -1"),
        ("{run_usd: 1e300}", "run_usd: should be less than or equal to 1000000"),
        ("{run_usd: .nan}", "run_usd: should be a finite number"),
        ("{global_period: week}", "global_period cannot be 'week'; known: day, hour, month, total"),
        ('{share: "5/4"}', "share: should be less than or equal to 1, not"),
        ("{admission: {runs: 0}}", "admission.runs: should be greater than or equal to 1, not 0"),
        ('{rates: {"offline:*": {requests: -4}}}', "requests: should be greater than or equal to 1, not -4"),
        ("{rates: {telepathy: {requests: 4}}}", "names the tool 'telepathy', which the team does not have"),
        ('{prices: {"offline:*": {input: -1, output: 0}}}', "input: should be greater than or equal to 0, not -1"),
        ("{tenants: {t: {surface: gold}}}", "tenants.t.surface: should be one of default, not 'gold'"),
        ("{unknown_tenants: refuse, tenants: {t: {}}}", "do not know the tenant 'default', and turn unknown ones away"),
        (
            "{unknown_tenants: refuse, tenants: {default: {}}}",
            "the tenant 'default-2', and turn unknown ones away; name it under `tenants`, or ask for at most 1",
        ),
        ("{run_usd: 0.00001}", "even one run cannot fit its ceiling"),
        ("{tenants: {default: {tenant_day_usd: 0.00001, run_usd: 0.00001}}}", "even one run cannot fit its ceiling"),
    ],
)
def test_limits_that_make_no_sense_are_one_line_before_anything_runs(
    command: Command, settings: str, said: str
) -> None:
    scenario = f"{SCENARIO}settings: {settings}\n"
    code, out, err = loaded(command, "--rate", "1", "--virtual", "--tenants", "2", scenario=scenario)
    told = [line for line in err.splitlines() if line not in ("crew is imported", "the boss says something")]
    assert (code, out, len(told)) == (2, "", 1)
    assert told[0].startswith("error[")
    assert said in told[0]


def test_tenants_are_those_that_the_settings_name(command: Command) -> None:
    scenario = f"{SCENARIO}tenant: acme\nsettings: {{unknown_tenants: refuse, tenants: {{acme: {{}}, bolt: {{}}}}}}\n"
    arguments = ("--runs", "40", "--rate", "5", "--virtual", "--tenants", "2", "--json")
    code, out, err = loaded(command, *arguments, scenario=scenario)
    assert code == 0, err
    assert json.loads(out)["statuses"] == {"completed": 40}


def test_a_broken_ledger_is_exit_code_1(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from coordinator.simulation.invariants import Invariants

    monkeypatch.setattr(Invariants, "at_end", lambda self: self.breach("left behind: something"))
    code, out, _ = loaded(command, "--runs", "5", "--rate", "5", "--virtual")
    assert code == 1
    assert "left behind: something" in out


def test_ctrl_c_ends_it_and_writes_what_was_measured(home: Path) -> None:
    (home / "one.yaml").write_text(SCENARIO)
    command = [
        sys.executable,
        "-m",
        "coordinator",
        "load",
        "one.yaml",
        "--rate",
        "50",
        "--report",
        "out.html",
        "--json",
    ]
    process = subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert json.loads(out)["interrupted"]
    assert "interrupted" in (home / "out.html").read_text()
    assert "Traceback" not in err
