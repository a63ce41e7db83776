"""The local stack: DynamoDB Local, MiniStack, and template.yaml deployed into them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".local" / "tools"
# Where cargo puts what it builds.
RELEASE = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
# The programs of the template's functions.
PROGRAMS = ("decide", "limits", "assign", "api")


def programs_in(directory):
    """The programs' files, by name."""
    return {name: directory / name for name in PROGRAMS}


class StackError(Exception):
    """Something that the user can mend, in one sentence."""

    def __init__(self, message, server=None):
        super().__init__(message)
        # Whose log says more.
        self.server = server
