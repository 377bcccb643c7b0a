"""A workflow of fixed steps: plain Python over delegations, no model decides what comes next."""

from agents.analyst import analyst
from agents.reports import Confidence, Draft, Findings, Judgement, Verdict
from agents.reviewer import reviewer
from agents.writer import writer
from coordinator import AgentContext, Brief, Material, Reply, agent


@agent(delegates=[analyst, writer, reviewer])
async def clerk(brief: Brief, ctx: AgentContext) -> Reply:
    """Answers in a fixed order: gather, write, review."""
    findings: Findings = (await ctx.delegate(analyst, _with(brief, "Find what answers the request."))).result()
    if not findings.facts:
        return Reply(text=f"Nothing found: {'; '.join(findings.gaps)}", status="escalated")
    gathered = Material(origin=analyst.name, content=findings.model_dump(mode="json"))
    draft: Draft = (await ctx.delegate(writer, _with(brief, "Write the answer.", gathered))).result()
    written = Material(origin=writer.name, content=draft.model_dump(mode="json"))
    verdict: Verdict = (await ctx.delegate(reviewer, _with(brief, "Review the draft.", gathered, written))).result()
    fine = verdict.decision is Judgement.ACCEPT and findings.confidence is Confidence.FOUND
    for gap in findings.gaps:
        ctx.flag("not_found", gap)
    return Reply(text=draft.text, citations=draft.citations, status="completed" if fine else "flagged")


def _with(brief: Brief, goal: str, *materials: Material) -> Brief:
    return Brief(request=brief.request, goal=goal, materials=list(materials))
