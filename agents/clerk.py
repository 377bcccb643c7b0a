"""A workflow of fixed steps: plain Python over delegations, no model decides what comes next."""

from agents.acts import acts
from agents.analyst import analyst
from agents.constraints import must_escalate
from agents.lead import Work, ask_member, final, nothing, review, to_a_person, write
from agents.reviewer import reviewer
from agents.writer import writer
from coordinator import AgentContext, Brief, Reply, agent


@agent(delegates=[analyst, writer, reviewer])
async def clerk(brief: Brief, ctx: AgentContext) -> Reply:
    """Answers in a fixed order: gather, write, review; what must go to a person does, and it only answers."""
    if reason := must_escalate(brief.request):
        return to_a_person("constraint", reason)
    work = Work(analyst.name)
    asked = Brief(request=brief.request, goal="Find what answers the request.")
    await ask_member(analyst.name, asked, ctx, work)
    if not work.facts:
        return nothing(work)
    await write(brief, ctx, work)
    await review(brief, ctx, work)
    for act in acts(brief.request):
        ctx.flag("not_done", f'This was not done, for this workflow only answers: "{act.sentence}"')
    return final(work)
