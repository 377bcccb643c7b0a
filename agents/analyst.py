"""The members who gather evidence; they only read."""

from agents.prompts import prompt
from agents.reports import Findings
from coordinator import AgentContext, Brief, agent
from tools.customers import lookup_customer
from tools.documents import read_document, search_documents
from tools.knowledge import search_knowledge
from tools.orders import list_orders, lookup_order


@agent(tools=[search_knowledge, lookup_order, list_orders, lookup_customer], max_turns=8, max_output_tokens=2000)
async def analyst(brief: Brief, ctx: AgentContext) -> Findings:
    """Gathers evidence: searches the help articles and looks up orders and customers; only reads data."""
    return await ctx.solve(brief, instructions=prompt("analyst"), output=Findings)


@agent(tools=[search_documents, read_document], max_turns=8, max_output_tokens=2000)
async def researcher(brief: Brief, ctx: AgentContext) -> Findings:
    """Gathers evidence: searches and reads the documents of a folder; only reads data."""
    return await ctx.solve(brief, instructions=prompt("analyst"), output=Findings)
