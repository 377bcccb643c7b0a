"""What this team never does, whatever a model says."""

import re
from functools import lru_cache

# Whoever mentions lawyers or courts is talking about a dispute, and a dispute is answered by a person. A name is
# written with a capital, as in Court Road or Aunt Sue; threats in capitals are threats.
LEGAL = re.compile(
    r"\b(?:lawyers?|attorneys?|solicitors?|barristers?|law[ -]?firms?|law[ -]?suits?|litigat\w+|tribunals?|arbitration"
    r"|ombuds(?:man|men|woman|person)|small[ -]claims|class[ -]action|trading[ -]standards|cease[ -]and[ -]desist"
    r"|prosecut\w+|press(?:ing)? charges|police[ -]report|report you to the (?:police|authorities)"
    r"|(?:call(?:ed|ing)?|inform|tell|contact|involve|notify|alert|(?:go|going|report|take|turn) (?:\w+ ){0,4}to)"
    r" the police(?! (?:uniform|costume))"
    r"|(?:before|to|by|of|see|seeing|meet|tell|let|ask) (?:a|the) (?:judge|magistrate)s?(?! of\b)|my advocates?"
    r"|(?:this|that|it) is (?:a |pure |plain )?fraud|commit\w* fraud|defraud\w*"
    r"|consumer[ -](?:protection|rights|affairs)[ -]"
    r"(?:agenc\w+|offices?|authorit\w+|associations?|organi[sz]ations?|bureau|board|council|cent(?:er|re)|laws?)"
    r"|(?:hold|holding|held) (?:\w+ ){0,3}(?:liable|accountable)|hold you (?:\w+ )?responsible"
    r"|(?:claim|seek|demand)(?:ing)? damages"
    r"|legal[ -](?:advice|advis[eo]rs?|action|steps|proceedings|counsel|teams?|departments?|claims?|threats?|cases?"
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
    r"|\b(?:want|need|demand|expect) (?:\w+ ){0,2}refund\b"
    r"|\bcharge[ -]?backs?\b|\b(?:dispute|disputing) (?:the|this|that|your) (?:charge|payment)s?\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=256)  # people ask again in the same words, and simulated ones do nothing else
def must_escalate(request: str) -> str:
    """Return why a person must take *request*; empty when the team may."""
    if found := LEGAL.search(request):
        return f"the request speaks of legal matters ({found[0]!r}), which always go to a person"
    if found := REFUND.search(request):
        return f"the request asks for money back ({found[0]!r}), which only a person pays"
    return ""
