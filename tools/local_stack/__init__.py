"""The local stack: DynamoDB Local, MiniStack, and template.yaml deployed into them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".local" / "tools"


class StackError(Exception):
    """Something that the user can mend, in one sentence."""

    def __init__(self, message, server=None):
        super().__init__(message)
        # Whose log says more.
        self.server = server
