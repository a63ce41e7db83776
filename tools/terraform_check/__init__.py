"""Compares terraform/ with template.yaml, and applies it to local parts. `tools/terraform-check` has the commands."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
MODULE = ROOT / "terraform"

# The functions' programs, whose packages the module wants.
PROGRAMS = ("decide", "limits", "assign", "api")


class CheckError(Exception):
    """Something that the user can mend, in one sentence."""


class Missing(Exception):
    """What this machine lacks: the check is skipped."""


def snake(camel: str) -> str:
    """Terraform's name of a logical id, a parameter or an output."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()


def camel(name: str) -> str:
    """The logical id of a name in snake case or with hyphens."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_-]", name))
