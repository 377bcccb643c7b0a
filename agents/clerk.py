"""A workflow of fixed steps: plain Python over delegations, no model decides what comes next."""

from agents.acts import acts
from agents.analyst import analyst
from agents.constraints import must_escalate
from agents.lead import to_a_person
from agents.reports import Confidence, Draft, Findings, Judgement, Verdict
from agents.reviewer import reviewer
from agents.writer import writer
from coordinator import AgentContext, Brief, Material, Reply, agent


@agent(delegates=[analyst, writer, reviewer])
async def clerk(brief: Brief, ctx: AgentContext) -> Reply:
    """Answers in a fixed order: gather, write, review; what must go to a person does, and it only answers."""
    if reason := must_escalate(brief.request):
        return to_a_person("constraint", reason)
    findings: Findings = (await ctx.delegate(analyst, _with(brief, "Find what answers the request."))).result()
    if not findings.facts:
        return to_a_person("nothing_found", "; ".join(findings.gaps) or "the sources do not answer the request")
    gathered = Material(origin=analyst.name, content=findings.model_dump(mode="json"))
    draft: Draft = (await ctx.delegate(writer, _with(brief, "Write the answer.", gathered))).result()
    written = Material(origin=writer.name, content=draft.model_dump(mode="json"))
    verdict: Verdict = (await ctx.delegate(reviewer, _with(brief, "Review the draft.", gathered, written))).result()
    fine = verdict.decision is Judgement.ACCEPT and findings.confidence is Confidence.FOUND
    for gap in findings.gaps:
        ctx.flag("not_found", gap)
    for act in acts(brief.request):
        ctx.flag("not_done", f'This was not done, for this workflow only answers: "{act.sentence}"')
    return Reply(text=draft.text, citations=draft.citations, status="completed" if fine else "flagged")


def _with(brief: Brief, goal: str, *materials: Material) -> Brief:
    return Brief(request=brief.request, goal=goal, materials=list(materials))
