"""What a tool does to the world; it decides who may repeat it and who must agree to it."""

from enum import StrEnum


class Effect(StrEnum):
    """The kind of side effect a call has."""

    READ = "read"
    WRITE = "write"
    FINANCIAL = "financial"
    DELETION = "deletion"
    COMMUNICATION = "communication"
    PERMISSION = "permission"

    @property
    def needs_person(self) -> bool:
        """Whether a person must approve each call: money, deletion, messages to the outside, permissions."""
        return self not in (Effect.READ, Effect.WRITE)

    @property
    def sentence(self) -> str:
        """What a model is told about the effect, at the end of the tool's description."""
        return _SENTENCES[self]


_SENTENCES = {
    Effect.READ: "Only reads.",
    Effect.WRITE: "Changes data.",
    Effect.FINANCIAL: "Moves money.",
    Effect.DELETION: "Deletes data.",
    Effect.COMMUNICATION: "Sends a message to the outside.",
    Effect.PERMISSION: "Changes permissions.",
}
