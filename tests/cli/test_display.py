"""What a person sees: a tree that fits the terminal, lines that name the agent, figures that add up."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from coordinator.cli.display import LiveTree, PlainLines
from coordinator.cli.drawing import draw
from coordinator.cli.figures import duration, model_name, money, printable
from coordinator.domain.events import Event, Kind
from coordinator.telemetry.tree import RunTree


class Story:
    """A run told event by event, on a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.tree = RunTree(lambda: self.now)
        self.lines = io.StringIO()
        self._plain = PlainLines(self.lines)
        self._seq = 0

    def tell(self, kind: Kind, agent: str, step: str, after: float = 0.0, **data: Any) -> None:
        self.now += after
        self._seq += 1
        event = Event("r-1", self._seq, 0.0, kind, "acme", agent, step, data)
        self.tree(event)
        self._plain(event)

    def begin(self) -> None:
        self.tell(Kind.RUN_STARTED, "boss", "run", ceiling=200_000)
        self.tell(Kind.STATE, "boss", "run", state="plan", reason="")
        self.tell(Kind.MODEL_STARTED, "boss", "run/turn1", **{"class": "small"})
        self.tell(
            Kind.MODEL_ENDED, "boss", "run/turn1", 0.5, model="offline:offline", code="ok", cost=300, duration_s=0.5
        )
        self.tell(Kind.STATE, "boss", "run", state="delegate", reason="two parts")
        for part in ("a", "b"):
            self.tell(Kind.DELEGATION_STARTED, "boss", f"run/plan1/{part}", member="clerk")
            self.tell(Kind.TOOL_STARTED, "clerk", f"run/plan1/{part}/turn1/tool1", tool="look_up")

    def end(self) -> None:
        for part in ("a", "b"):
            step = f"run/plan1/{part}/turn1/tool1"
            self.tell(Kind.TOOL_ENDED, "clerk", step, 1, tool="look_up", code="ok", cost=1000, duration_s=1.0)
            self.tell(Kind.DELEGATION_ENDED, "boss", f"run/plan1/{part}", member="clerk", code="ok", duration_s=1.0)
        self.tell(Kind.RUN_ENDED, "boss", "run", code="ok")


@pytest.fixture
def story() -> Story:
    return Story()


def drawn(story: Story, *, live: bool, width: int = 60, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(draw(story.tree, console, live=live))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_steps_hang_below_the_state_of_the_agent_that_made_them(story: Story) -> None:
    story.begin()
    story.end()
    assert [line[:34].rstrip() for line in drawn(story, live=False)] == [
        "boss",
        "├─ plan",
        "│  └─ offline",
        "└─ delegate two parts",
        "   ├─ clerk",
        "   │  └─ look_up",
        "   └─ clerk",
        "      └─ look_up",
    ]


def test_what_an_agent_spent_is_the_sum_of_what_hangs_below_it(story: Story) -> None:
    story.begin()
    story.end()
    lines = drawn(story, live=False)
    assert lines[0].split()[-3:] == ["2.5", "s", "$0.0023"]
    assert [line.split()[-1] for line in lines[3:5]] == ["$0.0020", "$0.0010"]
    assert (story.tree.cost, story.tree.turns, story.tree.steps) == (2300, 1, 5)


def test_time_of_what_is_under_way_goes_on(story: Story) -> None:
    story.begin()
    story.now += 3
    assert "3.0 s" in drawn(story, live=True)[-2]
    assert "3.5 s" in drawn(story, live=True)[-1]
    story.end()
    story.now += 100
    assert "5.5 s" in drawn(story, live=False)[0]


def test_live_tree_says_how_much_of_the_ceiling_is_spent(story: Story) -> None:
    story.begin()
    assert drawn(story, live=True)[-1].endswith("500 ms · $0.0003 of $0.2000 · 5 steps")
    assert not any("of $0.2000" in line for line in drawn(story, live=False))


def test_open_breakers_are_shown_until_they_close(story: Story) -> None:
    story.begin()
    step = "run/plan1/a/turn1/tool1#2"
    story.tell(Kind.BREAKER, "clerk", step, dependency="look_up#0", **{"from": "closed", "to": "open"})
    assert drawn(story, live=True, width=90)[-1].endswith("down: look_up#0")
    story.tell(Kind.BREAKER, "clerk", step, dependency="look_up#0", **{"from": "half-open", "to": "closed"})
    assert "down" not in drawn(story, live=True, width=90)[-1]


def test_trouble_stands_at_the_step_that_had_it(story: Story) -> None:
    story.begin()
    step = "run/plan1/a/turn1/tool1"
    story.tell(Kind.RETRY, "clerk", f"{step}#2", attempt=2, wait_s=0.1, code="timeout", dependency="look_up#0")
    story.tell(Kind.FALLBACK, "clerk", step, code="timeout", **{"from": "look_up#0", "to": "look_up#1"})
    story.tell(Kind.ISSUE, "clerk", step, code="tool_degraded", message="by hand")
    story.tell(Kind.TOOL_ENDED, "clerk", step, tool="look_up", code="degraded", cost=0, duration_s=0.1)
    at = next(number for number, line in enumerate(drawn(story, live=False, width=90)) if "attempt 2" in line)
    lines = drawn(story, live=False, width=90)[at:]
    assert "look_up · attempt 2 degraded" in lines[0]
    assert "look_up#0 is down (timeout); look_up#1 is tried" in lines[1]
    assert "tool_degraded: by hand" in lines[2]


@pytest.mark.parametrize("width", [20, 40, 60, 200])
@pytest.mark.parametrize("height", [5, 10, 40])
def test_live_tree_never_outgrows_the_terminal(story: Story, width: int, height: int) -> None:
    story.begin()
    story.tell(Kind.STATE, "clerk", "run/plan1/a", state="x" * 300, reason="y" * 300)
    lines = drawn(story, live=True, width=width, height=height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "$" in lines[-1] or width < 40


def test_finished_tree_is_shown_whole(story: Story) -> None:
    story.begin()
    story.end()
    assert len(drawn(story, live=False, height=5)) == 8


def test_terminal_without_unicode_gets_plain_characters(story: Story) -> None:
    story.begin()
    shown = io.BytesIO()
    out = io.TextIOWrapper(shown, encoding="ascii")
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    console.print(draw(story.tree, console, live=True))
    out.flush()
    assert shown.getvalue().startswith(b"boss")
    assert b"plan" in shown.getvalue()


async def test_live_display_gives_the_terminal_back(story: Story) -> None:
    out = io.StringIO()
    console = Console(file=out, width=60, height=20, force_terminal=True)
    with LiveTree(story.tree, console):
        story.begin()
    text = out.getvalue()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "of $0.2000" not in text.rpartition("\x1b[2K")[2]


def test_plain_lines_name_the_agent_of_every_step(story: Story) -> None:
    story.begin()
    story.end()
    assert story.lines.getvalue().splitlines() == [
        "boss: plan",
        "boss: model offline: ok, 500 ms, $0.0003",
        "boss: delegate (two parts)",
        "boss: hands a brief to clerk",
        "boss: hands a brief to clerk",
        "clerk: tool look_up: ok, 1.0 s, $0.0010",
        "boss: has the report of clerk: ok, 1.0 s",
        "clerk: tool look_up: ok, 1.0 s, $0.0010",
        "boss: has the report of clerk: ok, 1.0 s",
    ]


def test_what_an_attempt_without_a_reply_cost_is_told_and_part_of_its_call(story: Story) -> None:
    story.begin()
    for number in (1, 2):
        step = f"run/plan1/a/turn1/tool1#{number}"
        story.tell(Kind.CHARGED, "clerk", step, dependency="look_up#0", cost=500, uncertain=True)
    story.end()
    assert "clerk: charged $0.0005 for look_up#0 without a reply" in story.lines.getvalue().splitlines()
    assert [line.split()[-1] for line in drawn(story, live=False) if "look_up" in line] == ["$0.0020", "$0.0010"]
    assert story.tree.cost == 300 + 2 * 1000 + 2 * 500


def test_every_kind_of_event_can_be_shown_alone() -> None:
    def data() -> Iterator[tuple[str, Any]]:
        for name in ("member", "class", "tool", "state", "reason", "code", "message", "dependency", "from", "to"):
            yield name, "x"
        yield "attempt", 2
        yield "cost", 3

    for kind in Kind:
        story = Story()
        story.tell(kind, "boss", "run/turn1", **dict(data()))
        assert 1 <= len(drawn(story, live=True)) < 40, kind


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "<1 ms"), (0.0123, "12 ms"), (0.9996, "1.0 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s")],
)
def test_duration_has_the_unit_that_fits(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(("amount", "told"), [(0, "$0.0000"), (1, "$0.000001"), (4200, "$0.0042"), (99, "$0.000099")])
def test_money_that_was_spent_is_never_shown_as_nothing(amount: int, told: str) -> None:
    assert money(amount) == told


def test_model_is_called_by_its_provider_when_that_has_only_one() -> None:
    assert (model_name("offline:offline"), model_name("openai:gpt")) == ("offline", "openai:gpt")


def test_text_that_steers_terminals_becomes_visible() -> None:
    assert printable("a\x1b[2J\u202eb\r\nc\td") == "a�[2J�b\nc    d"
