"""The reference teams: a support desk, the same with fixed steps, and one that writes briefs about documents."""

from agents.clerk import clerk
from agents.manager import editor, manager
from coordinator import Team
from tools.desk import open_desk
from tools.documents import open_documents

team = Team(manager, resources=open_desk)
workflow = Team(clerk, resources=open_desk)
documents = Team(editor, resources=open_documents)

__all__ = ["documents", "team", "workflow"]
