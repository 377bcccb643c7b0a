"""A recorded run as a page."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from coordinator.domain.money import dollars
from coordinator.telemetry.charts import bar_chart, plain, span
from coordinator.telemetry.page import Page, Tile, Tone
from coordinator.telemetry.story import REFUSED, Spending, Story
from coordinator.telemetry.waterfall import LEGEND, STYLE, Waterfall

TONES: dict[str, Tone] = {"completed": "good", "flagged": "warn", "escalated": "warn", "awaiting_approval": "warn"}
MOST_ROWS = 300


def page_of(story: Story) -> str:
    """Return *story* as one HTML file that needs nothing else."""
    tree, about = story.tree, story.record.about
    began = datetime.fromtimestamp(story.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = [tree.run_id, f"tenant {tree.tenant}", began, str(about.get("scenario", ""))]
    page = Page(f"Run: {about.get('name') or tree.run_id}", " · ".join(fact for fact in facts if fact), STYLE)
    page.banner(f"{story.headline()[0].upper()}{story.headline()[1:]}.", TONES.get(story.status, "bad"))
    for told in story.shortcomings():
        page.banner(f"{told[0].upper()}{told[1:]}.", "warn")
    page.tiles(_tiles(story))
    _words(page, story)
    _timeline(page, story)
    _moments(page, story)
    _costs(page, story)
    return str(page)


def _tiles(story: Story) -> Iterator[Tile]:
    ceiling = story.tree.ceiling
    yield Tile("Time", span(story.seconds), _waited(story))
    yield Tile("Cost", dollars(story.cost), f"{story.cost / ceiling:.1%} of {dollars(ceiling)}" if ceiling else "")
    yield Tile("Steps", f"{story.tree.steps:,}", f"{story.tree.turns:,} model calls")
    retries, refused = story.count("retry"), story.count(REFUSED)
    yield Tile("Retries", f"{retries:,}", f"fallbacks: {story.count('fallback'):,}", "warn" if retries else "")
    yield Tile("Refusals", f"{refused:,}", "", "bad" if refused else "")
    yield Tile("Issues", f"{len(story.issues):,}", "", "warn" if story.issues else "")


def _waited(story: Story) -> str:
    if not story.waits:
        return ""
    cause, seconds = max(story.waits.items(), key=lambda item: item[1])
    return f"{span(seconds)} waited for {cause}"


def _words(page: Page, story: Story) -> None:
    """Tell what was asked and answered, and what is missing in it."""
    for one in story.root.said:
        page.quote(one["role"].capitalize(), one["text"])
    if story.issues:
        page.section("Issues", "What the run could not do, or a person should know.")
        page.table(["code", "what", "agent"], [[i.code, i.message, agent] for i, agent in story.issues], words=True)


def _timeline(page: Page, story: Story) -> None:
    hint = "Open a call to read what was said." if story.has_content else (
        "What was said is not in this record; coordinator run --content keeps it."
    )  # fmt: skip
    page.section("Timeline", f"Agents, their states and their calls, over {span(story.seconds)}. {hint}")
    page.picture(f"{LEGEND}{Waterfall(story)}")


def _moments(page: Page, story: Story) -> None:
    if not story.moments:
        return
    page.section("What did not go straight on", "Retries, fallbacks, refusals, breakers and crashes, in their order.")
    shown = story.moments[:MOST_ROWS]
    page.table(["at", "what", "agent", "step"], [[span(m.at), m.what, m.agent, m.step] for m in shown], words=True)
    if len(story.moments) > MOST_ROWS:
        page.text(f"And {len(story.moments) - MOST_ROWS:,} more.")


def _costs(page: Page, story: Story) -> None:
    page.section("Costs")
    agents = story.spending(lambda node: node.agent)
    if any(one.cost for one in agents):
        bars = {one.name: one.cost / 1e6 for one in agents[:12]}
        page.picture(bar_chart("Cost by agent", bars, lambda usd: dollars(round(usd * 1e6))))
    head = ["", "calls", "failed", "tokens in", "tokens out", "time", "cost"]
    page.table(["agent", *head[1:]], _rows(agents))
    page.table(["model or tool", *head[1:]], _rows(story.by_target()))


def _rows(found: Sequence[Spending]) -> list[list[str]]:
    return [
        [
            one.name, plain(one.calls), plain(one.failed) if one.failed else "",
            plain(one.input_tokens) if one.input_tokens else "", plain(one.output_tokens) if one.output_tokens else "",
            span(one.seconds), dollars(one.cost) if one.cost else "",
        ]
        for one in found
    ]  # fmt: skip
