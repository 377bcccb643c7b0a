"""The members who lead a team."""

from agents.analyst import analyst, researcher
from agents.constraints import must_escalate
from agents.lead import lead
from agents.prompts import prompt
from agents.reports import Handling, Triage
from agents.reviewer import reviewer
from agents.writer import writer
from coordinator import AgentContext, Brief, CoordinatorError, Fault, Issue, Reply, agent
from tools.mail import send_email
from tools.orders import cancel_order, refund_order
from tools.tickets import open_ticket, record_escalation


# Only the manager acts for the desk, in code and never because a model says so; what needs a person is refused until
# a person can approve it.
@agent(
    tools=[record_escalation, open_ticket, cancel_order, refund_order, send_email],
    delegates=[analyst, writer, reviewer],
)
async def manager(brief: Brief, ctx: AgentContext) -> Reply:
    """Leads the support desk: triage, plan, delegate, verify, finalize; some matters go straight to a person."""
    ctx.enter("triage")
    reason = must_escalate(brief.request)
    if reason:
        return await _hand_over(brief, ctx, _to_a_person("constraint", reason))
    triage = await _triage(brief, ctx)
    if triage.decision is Handling.ESCALATE:
        return await _hand_over(brief, ctx, _to_a_person("triage", triage.reason or "the request needs a person"))
    reply = await lead(brief, ctx, analyst.name)
    return await _hand_over(brief, ctx, reply) if reply.status == "escalated" else reply


async def _triage(brief: Brief, ctx: AgentContext) -> Triage:
    asked = brief.model_dump_json(exclude_defaults=True)
    try:
        return await ctx.ask(asked, instructions=prompt("manager"), output=Triage)
    except Fault as fault:
        ctx.enter("recover", f"no triage from the model ({fault.code}); what the team must not take is known in code")
        return Triage(decision=Handling.RESOLVE)


@agent(delegates=[researcher, writer, reviewer])
async def editor(brief: Brief, ctx: AgentContext) -> Reply:
    """Leads the writing of a brief about a folder of documents: plan, delegate, verify, finalize."""
    reply = await lead(brief, ctx, researcher.name)
    if indexed := ctx.resources.files.indexed:
        ctx.enter("indexed", str(indexed))
        if indexed.skipped:
            ctx.flag("files_left_out", f"{len(indexed.skipped)} files could not be read: {indexed}")
    return reply


async def _hand_over(brief: Brief, ctx: AgentContext, reply: Reply) -> Reply:
    """Write the escalation to the desk's database, so that a person finds it."""
    reason = reply.reasons[0]
    ctx.enter("escalate", reason.message)
    try:
        await ctx.use(
            record_escalation, {"reason": reason.message, "request": brief.request, "work_so_far": reply.text}
        )
    except CoordinatorError as error:
        ctx.flag("escalation_not_recorded", f"the escalation could not be written down: {error.message}")
    return reply


def _to_a_person(code: str, reason: str) -> Reply:
    return Reply(
        text=f"This goes to a person: {reason}.", status="escalated", reasons=[Issue(code=code, message=reason)]
    )
