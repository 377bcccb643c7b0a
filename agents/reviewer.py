"""The member who checks: in code first, then by judgement."""

from agents.checks import problems
from agents.prompts import prompt
from agents.reports import Draft, Judgement, Verdict
from coordinator import AgentContext, Brief, agent


@agent(max_output_tokens=600)
async def reviewer(brief: Brief, ctx: AgentContext) -> Verdict:
    """Checks and reviews the draft of the answer against its sources and gives a verdict."""
    verdict = await _verdict(brief, ctx)
    ctx.judge(verdict.decision.value, len(verdict.reasons))
    return verdict


async def _verdict(brief: Brief, ctx: AgentContext) -> Verdict:
    draft = next((Draft.model_validate(given.content) for given in brief.materials if given.origin == "writer"), None)
    if draft is None:
        return Verdict(decision=Judgement.REJECT, reasons=["there is no draft to review"])
    found = problems(draft, brief.request, ctx.passages, _gaps(brief))
    if found:
        return Verdict(decision=Judgement.REJECT, reasons=found)
    return await ctx.ask(brief.model_dump_json(exclude_defaults=True), instructions=prompt("reviewer"), output=Verdict)


def _gaps(brief: Brief) -> list[str]:
    """Return what the members who looked say is missing."""
    given = (one.content for one in brief.materials if one.origin != "writer" and isinstance(one.content, dict))
    return [gap for content in given for gap in content.get("gaps", ()) if isinstance(gap, str)]
