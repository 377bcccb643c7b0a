"""`coordinator simulate`: deterministic lines, a failure that can be repeated, and wrong input told at once."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from coordinator.domain.scope import RunState
from coordinator.simulate import world
from coordinator.simulation.fingerprint import Fingerprint

Command = Callable[..., tuple[int, str, str]]
SCENARIO = "task: hi\nworld: {shelf: data/shelf}\n"

pytestmark = pytest.mark.real_time  # every world owns its loop


def simulated(command: Command, *more: str) -> tuple[int, str, str]:
    return command("simulate", "one.yaml", "--workers", "1", *more, scenario=SCENARIO)


def test_every_seed_has_a_line_with_its_fingerprint_and_then_comes_what_held(command: Command) -> None:
    code, out, err = simulated(command, "--seeds", "3")
    assert code == 0, out + err
    lines = out.splitlines()
    for seed, line in enumerate(lines[:3], start=1):
        assert re.match(rf"seed {seed} +[0-9a-f]{{32}}  50 runs: ", line), line
    assert lines[3].startswith("held in 3 worlds with 150 runs")
    assert any("money" in line for line in lines[4:])


def test_the_same_command_says_the_same_in_any_process_and_with_any_workers(command: Command, home: Path) -> None:
    _, said, _ = simulated(command, "--seeds", "4", "--runs", "20")
    for number, workers in ((1, "1"), (2, "2")):
        argv = [sys.executable, "-m", "coordinator", "simulate", "one.yaml", "--seeds", "4", "--runs", "20"]
        env = {**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": str(home)}
        done = subprocess.run(
            [*argv, "--workers", workers], cwd=home, env=env, capture_output=True, check=True, text=True
        )
        assert done.stdout == said


Traces = list[list[str]]


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Traces:
    """What the fingerprint of each world was taken of, so that a test can tell where two worlds part."""
    kept: Traces = []

    class Keeping(Fingerprint):
        def __init__(self) -> None:
            super().__init__()
            self._kept: list[str] = []
            kept.append(self._kept)

        def add(self, fact: Any) -> None:
            self._kept.append(repr(fact))
            super().add(fact)

    monkeypatch.setattr(world, "Fingerprint", Keeping)
    return kept


def parting(one: list[str], other: list[str]) -> str:
    """Return the first facts at which two traces part, after the last three that they share; empty when none do."""
    for place, (mine, theirs) in enumerate(zip_longest(one, other)):
        if mine != theirs:
            shared = one[max(0, place - 3) : place]
            return "\n".join([f"fact {place} of {len(one)} and {len(other)}:", *shared, f"- {mine}", f"+ {theirs}"])
    return ""


def test_a_seed_is_the_same_alone_and_among_others(command: Command, traces: Traces) -> None:
    _, among, told = simulated(command, "--seeds", "3")
    _, alone, told_alone = simulated(command, "--seeds", "1", "--seed", "3")
    assert not parting(traces[3], traces[-1]), parting(traces[3], traces[-1])  # the first of each measures one run
    assert alone.splitlines()[0] == among.splitlines()[2], f"{among}{told}\n{alone}{told_alone}"


def test_where_two_worlds_part_is_told(command: Command, traces: Traces) -> None:
    simulated(command, "--seeds", "2")
    told = parting(traces[1], traces[2])
    assert re.match(r"fact \d+ of \d+ and \d+:\n", told)
    assert re.search(r"\n- .*\n\+ ", told)


def test_seeds_differ(command: Command) -> None:
    _, out, _ = simulated(command, "--seeds", "4")
    assert len(set(re.findall(r"[0-9a-f]{32}", out))) == 4


def test_a_failure_names_its_seed_and_the_command_that_repeats_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    emits = RunState.emit

    def forgets_a_number(self, *given):
        self._seq += self._seq == 3
        emits(self, *given)

    monkeypatch.setattr(RunState, "emit", forgets_a_number)
    code, out, _ = simulated(command, "--seeds", "2", "--runs", "5", "--tenants", "2")
    assert code == 1
    assert "FAILED" in out
    assert "repeat it: coordinator simulate one.yaml --seeds 1 --seed 2 --runs 5 --tenants 2" in out
    assert out.splitlines()[-1] == "something did not hold in 2 of 2 worlds: seeds 1, 2"
    again = re.search(r"repeat it: coordinator (.*--seed 2.*)", out)[1].split()
    _, repeated, _ = command(*again, "--workers", "1")
    assert repeated.splitlines()[0] in out


def test_faults_of_a_file_replace_what_seeds_draw(command: Command, home: Path) -> None:
    (home / "faults.yaml").write_text("- {tool: take_note, fail: error}\n")
    code, out, err = simulated(command, "--seeds", "1", "--faults", "faults.yaml")
    assert code == 0, out + err
    assert "50 flagged" in out or "failed" in out
    assert "cancelled" not in out


ASKING = '''
from coordinator import AgentContext, Brief, Team, agent


@agent()
async def asker(brief: Brief, ctx: AgentContext) -> str:
    """Asks a model."""
    return await ctx.ask(brief.request)


team = Team(asker)
'''


def test_a_model_can_fail_too(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asking", None)  # so that it is forgotten afterwards
    del sys.modules["asking"]
    (home / "asking.py").write_text(ASKING)
    (home / "faults.yaml").write_text("- {model: offline, fail: denied}\n")
    code, out, err = command(
        "simulate", "one.yaml", "--workers", "1", "--seeds", "1", "--faults", "faults.yaml",
        scenario=f"team: asking:team\n{SCENARIO}",
    )  # fmt: skip
    assert code == 0, out + err
    assert "completed" not in out
    assert "denied" in out


REFUSING = f"""{SCENARIO}
tenant: acme
settings: {{tenants: {{acme: {{}}, ajax: {{}}, apex: {{}}}}, unknown_tenants: refuse}}
"""


def test_runs_belong_to_the_tenants_that_the_settings_know(command: Command) -> None:
    code, out, err = command("simulate", "one.yaml", "--workers", "1", "--seeds", "3", scenario=REFUSING)
    assert code == 0, out + err
    assert "crashed" not in out
    assert "completed" in out


def test_more_tenants_than_the_settings_know_are_refused_in_one_line(command: Command) -> None:
    code, out, err = command("simulate", "one.yaml", "--tenants", "4", scenario=REFUSING)
    assert (code, out) == (2, "")
    assert re.search(r"error\[unknown_tenant\]: .*turn unknown ones away.*at most 3", err), err


def test_a_scenario_that_cannot_fit_its_ceiling_is_told_in_one_line(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "asking", None)  # so that it is forgotten afterwards
    del sys.modules["asking"]
    (home / "asking.py").write_text(ASKING)
    scenario = f"team: asking:team\n{SCENARIO}settings: {{run_usd: 0.0000001}}\n"
    code, out, err = command("simulate", "one.yaml", "--workers", "1", scenario=scenario)
    assert (code, out) == (2, "")
    assert re.match(r"error\[cannot_fit\]: even one run cannot fit its ceiling: ", err), err


def test_it_is_noted_that_decisions_are_not_asked_for(command: Command) -> None:
    decided = f"{SCENARIO}decisions: [{{tool: take_note, approve: true}}]\n"
    code, _, err = command("simulate", "one.yaml", "--workers", "1", "--seeds", "1", "--runs", "2", scenario=decided)
    assert code == 0
    assert "note: " in err
    assert "decisions about take_note" in err


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (
            "- {model: ofline, fail: throttled}",
            r"error\[unknown_model\]: faults.yaml:1: .*no model named 'ofline'; did you mean offline",
        ),
        ("- {fail: throttled}", r"error\[bad_scenario\]: faults.yaml:1: .*either a tool or a model"),
        (
            "- {tool: take_not, fail: error}",
            r"error\[unknown_tool\]: faults.yaml:1: .*'take_not'; did you mean take_note",
        ),
        ("- {tool: take_note, fail: error, tier: 7}", r"error\[unknown_tier\]: faults.yaml:1: .*no tier 7"),
        ("- {tool: take_note, fail: explode}", r"error\[bad_scenario\]: faults.yaml:1: "),
        ("- {tool: take_note, fail: slow, delay_s: .inf}", r"error\[bad_scenario\]: faults.yaml:1: "),
        ("- {tool: take_note, fail: slow, delay_s: 1.0e+300}", r"error\[bad_scenario\]: faults.yaml:1: "),
        ("- {tool: take_note, fail: throttled, retry_after_s: .inf}", r"error\[bad_scenario\]: faults.yaml:1: "),
        ("- {tool: take_note, fail: error, chance: 2}", r"error\[bad_scenario\]: faults.yaml:1: "),
        ("tool: take_note", r"error\[bad_scenario\]: faults.yaml:1: this is not a list"),
    ],
)
def test_a_wrong_faults_file_is_told_in_one_line(command: Command, home: Path, faults: str, said: str) -> None:
    (home / "faults.yaml").write_text(f"{faults}\n")
    code, out, err = simulated(command, "--faults", "faults.yaml")
    assert (code, out) == (2, "")
    assert re.match(said, err.splitlines()[-1]), err
    assert err.count("error[") == 1


@pytest.mark.parametrize("wrong", [("--seeds", "0"), ("--seed", "-1"), ("--runs", "x"), ("--faults", "none.yaml")])
def test_wrong_usage_is_told_in_one_line(command: Command, wrong: tuple[str, ...]) -> None:
    code, out, err = simulated(command, *wrong)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("error[")
    assert err.count("error[") == 1
