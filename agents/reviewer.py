"""The member who checks: in code first, then by judgement."""

from agents.checks import problems
from agents.prompts import prompt
from agents.reports import Draft, Judgement, Verdict
from coordinator import AgentContext, Brief, agent


@agent(max_output_tokens=600)
async def reviewer(brief: Brief, ctx: AgentContext) -> Verdict:
    """Checks and reviews the draft of the answer against its sources and gives a verdict."""
    draft = next((Draft.model_validate(given.content) for given in brief.materials if given.origin == "writer"), None)
    if draft is None:
        return Verdict(decision=Judgement.REJECT, reasons=["there is no draft to review"])
    found = problems(draft, brief.request, ctx.passages)
    if found:
        return Verdict(decision=Judgement.REJECT, reasons=found)
    return await ctx.ask(brief.model_dump_json(exclude_defaults=True), instructions=prompt("reviewer"), output=Verdict)
