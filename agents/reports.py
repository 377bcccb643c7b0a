"""What the members of this team hand one another."""

from pydantic import BaseModel, Field

from coordinator import Choice, Citation


class Handling(Choice):
    """Who takes a request."""

    RESOLVE = (
        "resolve",
        "The team looks it up and answers: questions about orders, deliveries, products, rules, documents.",
    )
    ESCALATE = (
        "escalate",
        "A person must handle it: a legal threat, an accusation, danger to somebody, a furious customer.",
    )


class Effort(Choice):
    """How much thought a request takes."""

    PLAIN = "plain", "One question or order, which one record or one article answers."
    HARD = "hard", "Several questions at once, a comparison, a calculation, or facts that contradict one another."


class Triage(BaseModel):
    """The first decision about a request."""

    decision: Handling = Field(description="Who handles the request.")
    reason: str = Field(default="", description="Why, in one sentence.")
    effort: Effort = Field(default=Effort.PLAIN, description="How much thought the request takes.")


class Confidence(Choice):
    """How well the sources answer."""

    FOUND = "found", "The sources speak about every part of the request."
    POSSIBLY = "possibly", "The sources are related to the request, but some of its words are missing in them."
    NOTHING = "nothing", "The sources do not speak about the request."


class Fact(BaseModel):
    """One thing that a source says."""

    statement: str = Field(description="The statement, in plain words.")
    quote: str = Field(description="The sentence of the source that says so, verbatim.")
    source: str = Field(description="The source of the quote, as its passage names it.")
    line: int | None = Field(default=None, description="The line of the passage, when it has one.")


class Findings(BaseModel):
    """What the analyst found."""

    facts: list[Fact] = Field(description="The facts that answer the request, each with its quote and its source.")
    gaps: list[str] = Field(
        description="What was asked and not found, naming the missing words; or what could not be looked up."
    )
    confidence: Confidence = Field(description="How well the sources answer the request.")


class Draft(BaseModel):
    """What the writer proposes to answer."""

    text: str = Field(
        description="The answer to the request; every statement is followed by the number of its citation, such as [1]."
    )
    citations: list[Citation] = Field(description="The sources of the answer, in the order of their numbers.")
    gaps: list[str] = Field(default=[], description="What the answer leaves open.")


class Judgement(Choice):
    """What becomes of a draft."""

    ACCEPT = "accept", "The draft answers the whole request from its sources."
    REVISE = "revise", "The draft answers a part of the request."
    REJECT = "reject", "The draft does not answer the request."


class Verdict(BaseModel):
    """The reviewer's judgement of a draft."""

    decision: Judgement = Field(description="What becomes of the draft.")
    reasons: list[str] = Field(description="Why it is not accepted as it is; what is missing.")


class Course(Choice):
    """How the manager goes on once the reports are in."""

    ACCEPT = "accept", "The evidence answers the request, fully or in part: finish with the draft."
    REPLAN = "replan", "Something could not be looked up and may be found another way."
    ESCALATE = "escalate", "Nothing in the sources answers the request: a person must take it."


class Decision(BaseModel):
    """What the manager makes of the results."""

    decision: Course = Field(description="How to go on.")
    reason: str = Field(default="", description="Why, in one sentence.")
