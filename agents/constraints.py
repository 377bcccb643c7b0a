"""What this team never does, whatever a model says."""

import re

# Whoever mentions lawyers or courts is talking about a dispute, and a dispute is answered by a person.
LEGAL = re.compile(
    r"\b(lawyers?|attorneys?|solicitors?|legal (?:action|steps|proceedings)|lawsuits?|su(?:e|ing) (?:you|your)"
    r"|see you in court|take (?:you|this) to court|small claims|trading standards"
    r"|ombudsman|press charges|police report)\b",
    re.IGNORECASE,
)

# An order to pay is not a question about paying: only a person pays money back.
REFUND = re.compile(
    r"\bplease (?:\w+ )?refund\b|\brefund (?:me|my|this|the|it)\b|\bmy money back\b"
    r"|\b(?:want|need|demand|expect) (?:\w+ ){0,2}refund\b",
    re.IGNORECASE,
)


def must_escalate(request: str) -> str:
    """Return why a person must take *request*; empty when the team may."""
    if found := LEGAL.search(request):
        return f"the request speaks of legal matters ({found[0]!r}), which always go to a person"
    if found := REFUND.search(request):
        return f"the request asks for money back ({found[0]!r}), which only a person pays"
    return ""
