"""`coordinator test`: one line a scenario, what was expected and what came, and a verdict for all."""

from collections.abc import Callable
from pathlib import Path

import pytest

Said = tuple[int, str, str]
Command = Callable[..., Said]
WORLD = "world: {shelf: ../data/shelf}\n"
GOOD = f"task: hi\n{WORLD}expect: {{status: completed, mentions: [first note], tools: {{take_note: 1}}}}\n"
BAD = f"task: doubt\n{WORLD}expect: {{status: completed, mentions: [no such thing]}}\n"
SILENT = f"task: hi\n{WORLD}"


@pytest.fixture
def suite(home: Path) -> Callable[..., Path]:
    def of(**texts: str) -> Path:
        folder = home / "scenarios"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text)
        return folder

    return of


def verdicts(out: str) -> list[list[str]]:
    return [line.split()[:2] for line in out.splitlines() if not line.startswith(" ")][:-1]


def test_all_scenarios_of_the_workspace_are_judged(command: Command, suite: Callable[..., Path]) -> None:
    suite(alpha=GOOD, beta=GOOD, gamma=SILENT)
    code, out, _ = command("test")
    assert code == 0
    assert verdicts(out) == [["PASS", "alpha"], ["PASS", "beta"]]
    assert out.splitlines()[-1] == "2 passed, 0 failed"


def test_difference_is_told_and_makes_the_exit_code_1(command: Command, suite: Callable[..., Path]) -> None:
    suite(alpha=GOOD, beta=BAD)
    code, out, _ = command("test")
    assert code == 1
    assert verdicts(out) == [["PASS", "alpha"], ["FAIL", "beta"]]
    assert "      status: expected completed, came flagged (flagged: " in out
    assert any(
        line.startswith("      mentions: expected 'no such thing', came default hears") for line in out.splitlines()
    )
    assert out.splitlines()[-1] == "1 passed, 1 failed"


def test_order_and_repetition_change_no_verdict(command: Command, suite: Callable[..., Path]) -> None:
    suite(alpha=GOOD, beta=BAD)
    names = ["scenarios/beta.yaml", "scenarios/alpha.yaml", "scenarios/beta.yaml", "scenarios/alpha.yaml"]
    code, out, _ = command("test", *names)
    assert code == 1
    assert verdicts(out) == [["FAIL", "beta"], ["PASS", "alpha"], ["FAIL", "beta"], ["PASS", "alpha"]]


def test_folder_stands_for_its_scenarios(command: Command, suite: Callable[..., Path]) -> None:
    folder = suite(alpha=GOOD, gamma=SILENT)
    folder.rename(folder.with_name("suite"))
    code, out, _ = command("test", "suite")
    assert (code, verdicts(out)) == (0, [["PASS", "alpha"]])


def test_scenario_asked_for_by_name_must_expect_something(command: Command, suite: Callable[..., Path]) -> None:
    suite(gamma=SILENT)
    code, out, err = command("test", "scenarios/gamma.yaml")
    assert (code, out) == (2, "")
    assert "scenarios/gamma.yaml:1: this scenario expects nothing" in err


def test_suite_that_expects_nothing_proves_nothing(command: Command, suite: Callable[..., Path]) -> None:
    suite(gamma=SILENT)
    assert command("test")[0] == 2


def test_mistake_in_one_file_is_told_before_any_runs(command: Command, suite: Callable[..., Path]) -> None:
    suite(alpha=GOOD, beta="task: hi\nexpct: {}\n")
    code, out, err = command("test")
    assert (code, out) == (2, "")
    assert "scenarios/beta.yaml:2: unknown key 'expct'; did you mean expect?" in err


def test_scenario_that_cannot_begin_does_not_stop_the_others(command: Command, suite: Callable[..., Path]) -> None:
    suite(alpha=GOOD.replace("data/shelf", "crew.py"), beta=GOOD)
    code, out, _ = command("test")
    assert code == 2
    assert verdicts(out) == [["FAIL", "alpha"], ["PASS", "beta"]]
    assert "is no shelf" in out


def test_what_a_scenario_costs_is_judged(command: Command, suite: Callable[..., Path]) -> None:
    script = "model: scripted\nscript: [{text: 'x '}]\n"
    suite(alpha=f"task: ask\n{script}{WORLD}expect: {{max_cost_usd: 0}}\n")
    code, out, _ = command("test")
    assert code == 1
    assert "max_cost_usd: expected at most $0.0000, came $0.00" in out


def test_decisions_are_noted_as_not_asked_for(command: Command, suite: Callable[..., Path]) -> None:
    suite(alpha=f"{GOOD}decisions: [{{tool: pay, approve: true}}]\n", beta=GOOD)
    code, out, err = command("test")
    assert (code, verdicts(out)) == (0, [["PASS", "alpha"], ["PASS", "beta"]])
    assert [line for line in err.splitlines() if line.startswith("note:")] == [
        "note: scenarios/alpha.yaml: decisions about pay are not asked for yet: tools that need a person are refused"
    ]
