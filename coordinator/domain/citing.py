"""What replies cite: pieces of sources, and places in them."""

from pydantic import BaseModel, ConfigDict, Field


class Passage(BaseModel):
    """A piece of a source, as a tool found it; what replies cite.

    Subclass it for records with fields of their own: an order is a passage whose source is `orders/1042`.
    """

    model_config = ConfigDict(frozen=True)

    text: str = Field(description="The words of the source, verbatim.")
    source: str = Field(description="The name by which the source is cited.")
    line: int | None = Field(default=None, description="The line at which the text begins, counted from 1.")


class Citation(BaseModel):
    """One place in a source that supports what is said."""

    model_config = ConfigDict(frozen=True)

    source: str = Field(description="The source that is cited, as its passage names it.")
    line: int | None = Field(default=None, description="The line of the cited passage.")
    quote: str = Field(default="", description="The words quoted from the passage, verbatim.")
