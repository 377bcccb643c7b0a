"""What this team never does, whatever a model says."""

import re

# Whoever mentions lawyers or courts is talking about a dispute, and a dispute is answered by a person. A name is
# written with a capital, as in Court Road or Aunt Sue; threats in capitals are threats.
LEGAL = re.compile(
    r"\b(?:lawyers?|attorneys?|solicitors?|barristers?|law ?firms?|law ?suits?|litigat\w+|tribunals?|arbitration"
    r"|ombuds(?:man|men|woman|person)|small claims|class action|trading standards|cease and desist"
    r"|prosecut\w+|press(?:ing)? charges|police report|report you to the (?:police|authorities)"
    r"|(?:claim|seek|demand)(?:ing)? damages"
    r"|legal (?:advice|advis[eo]rs?|action|steps|proceedings|counsel|teams?|departments?|claims?|threats?|cases?"
    r"|matters?|disputes?|letters?|notices?|consequences|recourse|remed(?:y|ies)|aid|help|representati\w+)"
    r"|suing|sued|(?-i:sue|SUE)|sue (?:you|your|the|this|them)"
    r"|courts? (?:cases?|actions?|orders?|hearings?|dates?|proceedings|claims?|summons)"
    r"|(?:to|in|before|through|at) (?:a |the )?(?-i:courts?|COURT)"
    r"|(?:see|take|taking|drag|go|going|meet) (?:\w+ ){0,4}(?:to|in) court"
    r"(?! (?:road|street|lane|avenue|square|place)))\b",
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
