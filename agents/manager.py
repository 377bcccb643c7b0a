"""The members who lead a team."""

from agents.acts import acts, asks_more
from agents.analyst import analyst, researcher
from agents.constraints import must_escalate
from agents.deeds import carry_out
from agents.lead import LARGE, lead, recover, to_a_person
from agents.prompts import prompt
from agents.reports import Effort, Handling, Triage
from agents.reviewer import reviewer
from agents.writer import writer
from coordinator import AgentContext, Brief, CoordinatorError, Fault, Refused, Reply, agent
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
        return await _hand_over(brief, ctx, to_a_person("constraint", reason))
    triage = await _triage(brief, ctx)
    if triage.decision is Handling.ESCALATE:
        return await _hand_over(brief, ctx, to_a_person("triage", triage.reason or "the request needs a person"))
    reply = await _answer(brief, ctx, LARGE if triage.effort is Effort.HARD else None)
    return await _hand_over(brief, ctx, reply) if reply.status == "escalated" else reply


async def _answer(brief: Brief, ctx: AgentContext, model: str | None) -> Reply:
    """Do what the request orders, then answer what it asks; an order is never passed over in silence."""
    ordered = acts(brief.request)
    if not ordered:
        return await lead(brief, ctx, analyst.name, model)
    deeds = await carry_out(ordered, brief, ctx)
    if deeds.undone or asks_more(brief.request):
        return deeds.told(await lead(brief, ctx, analyst.name, model))
    ctx.enter("finalize")
    return deeds.told(Reply(text=""))


async def _triage(brief: Brief, ctx: AgentContext) -> Triage:
    asked = brief.model_dump_json(exclude_defaults=True)
    try:
        return await ctx.ask(asked, instructions=prompt("manager"), output=Triage)
    except (Fault, Refused) as error:
        recover(ctx, error, "no triage from the model; what the team must not take is known in code")
        return Triage(decision=Handling.RESOLVE)


@agent(delegates=[researcher, writer, reviewer])
async def editor(brief: Brief, ctx: AgentContext) -> Reply:
    """Leads the writing of a brief about a folder of documents: triage, plan, delegate, verify, finalize."""
    ctx.enter("triage", "a brief about documents is always taken")
    reply = await lead(brief, ctx, researcher.name)
    if indexed := ctx.resources.files.indexed:
        ctx.enter("indexed", str(indexed))
        if indexed.skipped:
            ctx.flag("files_left_out", f"{len(indexed.skipped)} files could not be read: {indexed}")
    if reply.status == "escalated":
        ctx.enter("escalate", reply.reasons[0].message)
    return reply


async def _hand_over(brief: Brief, ctx: AgentContext, reply: Reply) -> Reply:
    """Write the escalation to the desk's database, so that a person finds it."""
    reason = reply.reasons[0]
    ctx.enter("escalate", reason.message)
    try:
        await ctx.use(
            record_escalation, {"reason": reason.message[:2000], "request": brief.request, "work_so_far": reply.text}
        )
    except CoordinatorError as error:
        ctx.flag("escalation_not_recorded", f"the escalation could not be written down: {error.message}")
    return reply
