"""The member who checks: in code first, then by judgement."""

from agents.checks import problems, statements, unsupported
from agents.prompts import prompt
from agents.reports import Draft, Judgement, Verdict
from coordinator import AgentContext, Brief, agent


@agent(max_output_tokens=600)
async def reviewer(brief: Brief, ctx: AgentContext) -> Verdict:
    """Checks and reviews the draft of the answer against its sources and gives a verdict."""
    draft = next((Draft.model_validate(given.content) for given in brief.materials if given.origin == "writer"), None)
    if draft is None:
        ctx.judge(Judgement.REJECT.value, 1)
        return Verdict(decision=Judgement.REJECT, reasons=["there is no draft to review"])
    known = (draft, brief.request, ctx.passages, _gaps(brief))
    found = problems(*known)
    verdict = Verdict(decision=Judgement.REJECT, reasons=found) if found else await _judged(brief, ctx)
    wrong = unsupported(*known) if found else []
    claims = len(statements(draft))
    ctx.judge(verdict.decision.value, len(verdict.reasons), claims=claims, unsupported=len(wrong))
    return verdict


async def _judged(brief: Brief, ctx: AgentContext) -> Verdict:
    asked = brief.model_dump_json(exclude_defaults=True)
    verdict: Verdict = await ctx.ask(asked, instructions=prompt("reviewer"), output=Verdict)
    return verdict


def _gaps(brief: Brief) -> list[str]:
    """Return what the members who looked say is missing."""
    given = (one.content for one in brief.materials if one.origin != "writer" and isinstance(one.content, dict))
    return [gap for content in given for gap in content.get("gaps", ()) if isinstance(gap, str)]
