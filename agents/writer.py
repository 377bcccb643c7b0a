"""The member who writes; it has no tools, so it can only use what it is given."""

from agents.prompts import prompt
from agents.reports import Draft
from coordinator import AgentContext, Brief, agent


@agent(max_output_tokens=1500)
async def writer(brief: Brief, ctx: AgentContext) -> Draft:
    """Writes the draft of the answer from the findings of others, with citations."""
    return await ctx.ask(brief.model_dump_json(exclude_defaults=True), instructions=prompt("writer"), output=Draft)
