"""How a lead gets from a request to a reply: plan, delegate, verify, finalize, and a way out of each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agents.prompts import prompt
from agents.reports import Confidence, Course, Decision, Draft, Findings, Judgement, Verdict
from coordinator import (
    AgentContext,
    Brief,
    Citation,
    CoordinatorError,
    Fault,
    Issue,
    Material,
    Plan,
    PlanStep,
    Refused,
    Reply,
    Report,
)

REVIEWER = "reviewer"
LARGE = "large"
"""The model class for what is hard, and for what a smaller one has failed at."""
REJECTIONS = 2
"""Rejected drafts after which the best one goes out, flagged."""

LATE = "soft_deadline"
ENDING = frozenset({"budget_exhausted", "budget_held"})
"""Refusals of one member that no other member could avoid."""


@dataclass
class Work:
    """What the members have handed in so far."""

    gatherer: str
    model: str | None = None
    """The model class that the members use; None for their own."""
    findings: list[Findings] = field(default_factory=list)
    draft: Draft | None = None
    verdict: Verdict | None = None
    failed: list[Report[Any]] = field(default_factory=list)
    """Reports of members that failed since the last look."""
    blind: list[str] = field(default_factory=list)
    """Why members who should have looked could not."""
    late: bool = False
    """Whether the soft deadline has ended a member's work."""

    def add(self, reports: Iterable[Report[Any]]) -> None:
        """Take in *reports* by what they are, whoever wrote them."""
        for report in reports:
            match report.output:
                case Findings():
                    self.findings.append(report.output)
                case Draft():
                    self.draft = report.output
                case Verdict():
                    self.verdict = report.output
                case _:
                    self.failed.append(report)
                    self.late = self.late or report.code == LATE
                    if report.agent == self.gatherer:
                        self.blind.append(f"{report.agent} could not look: {report.message or report.code}")

    @property
    def facts(self) -> bool:
        """Whether anything was found."""
        return any(found.facts for found in self.findings)

    @property
    def gaps(self) -> list[str]:
        """What was not found, or could not be looked up."""
        return list(dict.fromkeys(gap for found in self.findings for gap in found.gaps))

    def materials(self, *more: Material) -> list[Material]:
        """Return the findings, and *more*, as a member is given them."""
        found = [Material(origin=self.gatherer, content=found.model_dump(mode="json")) for found in self.findings]
        return [*found, *more]


async def lead(brief: Brief, ctx: AgentContext, gatherer: str, model: str | None = None) -> Reply:
    """Lead *brief* from plan to reply.

    Args:
        brief: the request.
        ctx: the lead's own context.
        gatherer: the member who can look things up.
        model: the model class that the members are to use; None for their own.
    """
    work = Work(gatherer, model)
    ctx.enter("plan")
    plan = _without_review(await _plan(brief, ctx, gatherer), gatherer)
    ctx.enter("delegate", ", ".join(f"{step.id}: {step.member}" for step in plan.steps))
    await _delegate(brief, ctx, work, plan)
    if not work.facts:
        return nothing(work)
    ctx.enter("verify")
    await review(brief, ctx, work)
    decision = await _decide(brief, ctx, work)
    if decision.decision is Course.REPLAN:
        await _replan(brief, ctx, work, decision.reason)
    elif decision.decision is Course.ESCALATE:
        return _escalated("manager_escalated", decision.reason or "the results do not answer the request", work)
    await _until_accepted(brief, ctx, work)
    ctx.enter("finalize")
    return final(work)


async def _plan(brief: Brief, ctx: AgentContext, gatherer: str) -> Plan:
    try:
        return await ctx.plan(brief, instructions=prompt("manager"))
    except (Fault, Refused) as error:
        # The critical path does not depend on a model that can plan: this order always works.
        recover(ctx, error, "no plan from the model; the fixed order is used")
        return _fixed(gatherer)


def _fixed(gatherer: str) -> Plan:
    return Plan(steps=(PlanStep(id="gather", member=gatherer, goal="Find what answers the request."),))


def recover(ctx: AgentContext, error: CoordinatorError, how: str) -> None:
    """Go on without a model's answer when the model, or the way to it, is down.

    Raises:
        Refused: *error* itself, when it is for good: money, rights or the deadline, which no other way avoids.
    """
    if isinstance(error, Refused) and not error.passing:
        raise error
    ctx.enter("recover", f"{how} ({error.code})")


def _without_review(plan: Plan, gatherer: str) -> Plan:
    """Return *plan* without its reviews, which belong to the next state; without any other step, the fixed order."""
    reviews = {step.id for step in plan.steps if step.member == REVIEWER}
    kept = tuple(
        step.model_copy(update={"needs": tuple(need for need in step.needs if need not in reviews)})
        for step in plan.steps
        if step.id not in reviews
    )
    return Plan(steps=kept) if kept else _fixed(gatherer)


async def _delegate(brief: Brief, ctx: AgentContext, work: Work, plan: Plan) -> None:
    """Carry out the plan, and what a plan may have forgotten: a draft."""
    reports = await ctx.execute(plan, brief, model=work.model)
    work.add(reports.values())
    _stop_if_refused(work)
    if work.facts and work.draft is None:
        await write(brief, ctx, work)


async def write(brief: Brief, ctx: AgentContext, work: Work, *more: Material) -> None:
    """Have the answer written from the findings, and *more*."""
    goal = "Write the answer from the findings."
    asked = Brief(request=brief.request, goal=goal, materials=work.materials(*more))
    await ask_member("writer", asked, ctx, work)


async def review(brief: Brief, ctx: AgentContext, work: Work) -> None:
    """Have the draft reviewed, if there is one."""
    if work.draft is None:
        return
    draft = Material(origin="writer", content=work.draft.model_dump(mode="json"))
    goal = "Review the draft of the answer."
    work.verdict = None
    asked = Brief(request=brief.request, goal=goal, materials=work.materials(draft))
    await ask_member(REVIEWER, asked, ctx, work)


async def ask_member(name: str, asked: Brief, ctx: AgentContext, work: Work) -> None:
    """Take in the report of one member; when it is too late to ask, the work goes on without it."""
    try:
        report = await ctx.delegate(name, asked, model=work.model)
    except Refused as refusal:
        if refusal.code != LATE:
            raise
        report = Report(name, "", "failed", code=LATE, message=refusal.message, error=refusal)
    work.add([report])
    _stop_if_refused(work)


def _stop_if_refused(work: Work) -> None:
    """End the run when a ceiling ended a member: no other member could do better.

    Raises:
        Refused: the refusal that ended the member.
    """
    for report in work.failed:
        if isinstance(report.error, Refused) and report.code in ENDING:
            raise report.error
    work.failed.clear()


async def _decide(brief: Brief, ctx: AgentContext, work: Work) -> Decision:
    if work.late:
        ctx.enter("recover", "no time is left to ask for a decision; the evidence decides")
        return Decision(decision=Course.ACCEPT)
    judged = (
        () if work.verdict is None else (Material(origin="reviewer", content=work.verdict.model_dump(mode="json")),)
    )
    asked = Brief(request=brief.request, goal="Decide how to go on.", materials=work.materials(*judged))
    try:
        decision: Decision = await ctx.ask(
            asked.model_dump_json(exclude_defaults=True), instructions=prompt("manager"), output=Decision
        )
    except (Fault, Refused) as error:
        recover(ctx, error, "no decision from the model; the evidence decides")
        return Decision(decision=Course.ACCEPT)
    return decision


async def _replan(brief: Brief, ctx: AgentContext, work: Work, reason: str) -> None:
    """Look once more for what is missing, with the gaps named; then write and review anew if it helped."""
    if not work.gaps:
        return
    ctx.enter("replan", reason)
    goal = f"Find what is still missing: {'; '.join(work.gaps)}"
    known = len(work.findings)
    asked = Brief(request=brief.request, goal=goal, materials=work.materials())
    await ask_member(work.gatherer, asked, ctx, work)
    if any(found.facts for found in work.findings[known:]):
        await write(brief, ctx, work)
        await review(brief, ctx, work)


async def _until_accepted(brief: Brief, ctx: AgentContext, work: Work) -> None:
    """Have a rejected draft revised by a larger model, until the second rejection or until that changes nothing."""
    for _ in range(REJECTIONS - 1):
        if work.draft is None or work.verdict is None or work.verdict.decision is Judgement.ACCEPT:
            return
        before, work.model = work.draft, LARGE
        verdict = Material(origin="reviewer", content=work.verdict.model_dump(mode="json"))
        await write(brief, ctx, work, Material(origin="writer", content=before.model_dump(mode="json")), verdict)
        if work.draft == before:
            return
        await review(brief, ctx, work)


def final(work: Work) -> Reply:
    """Return the draft as the reply, flagged with what speaks against it; without a draft, the hand-over."""
    draft = work.draft
    if draft is None:
        return _escalated("no_draft", "nobody could write an answer", work)
    reasons = [Issue(code="not_found", message=gap) for gap in work.gaps]
    if any(found.confidence is not Confidence.FOUND for found in work.findings) and not reasons:
        reasons.append(Issue(code="possibly", message="the sources are related to the request; they may not answer it"))
    if work.verdict is None:
        reasons.append(Issue(code="not_reviewed", message="the draft could not be reviewed"))
    elif work.verdict.decision is not Judgement.ACCEPT:
        why = "; ".join(work.verdict.reasons) or "no reason given"
        reasons.append(Issue(code="draft_rejected", message=f"the reviewer did not accept the draft: {why}"))
    status = "flagged" if reasons else "completed"
    return Reply(text=draft.text, citations=draft.citations, status=status, reasons=reasons)


def nothing(work: Work) -> Reply:
    """Return the hand-over of a request without facts; what nobody could look up is not what is not there."""
    if work.blind:
        return _escalated("could_not_look", "; ".join(dict.fromkeys([*work.blind, *work.gaps])), work)
    why = "; ".join(work.gaps) or "the sources do not answer the request"
    return _escalated("nothing_found", why, work)


def _escalated(code: str, reason: str, work: Work) -> Reply:
    """Return the reply that hands over to a person, with the reason and the work so far."""
    facts = [fact for found in work.findings for fact in found.facts]
    quotes = "\n".join(f"- {fact.quote} [{number}]" for number, fact in enumerate(facts, start=1))
    so_far = f"\n\nFound so far:\n{quotes}" if quotes else ""
    citations = [Citation(source=fact.source, line=fact.line, quote=fact.quote) for fact in facts]
    reply = to_a_person(code, reason)
    return reply.model_copy(update={"text": f"{reply.text}{so_far}", "citations": citations})


def to_a_person(code: str, reason: str) -> Reply:
    """Return the reply that says that a person takes over, and why."""
    text = f"This goes to a person: {reason.rstrip('.')}."
    return Reply(text=text, status="escalated", reasons=[Issue(code=code, message=reason)])
