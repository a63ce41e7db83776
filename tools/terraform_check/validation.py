"""The module's format, and whether Terraform takes it: as a module of its own, and as its README shows it."""

import re
import tempfile
from pathlib import Path

from . import MODULE, CheckError
from .terraform import Terraform


def run(terraform: Terraform, module: Path = MODULE) -> str:
    unformatted = terraform.run(module, "fmt", "-check", "-recursive", "-diff", "-no-color", accepted=(0, 3))
    if unformatted.returncode:
        raise CheckError(f"`terraform fmt terraform` has something to do:\n{unformatted.stdout}")
    with tempfile.TemporaryDirectory(prefix="loadgate-terraform-") as temporary:
        work = Path(temporary)
        (work / "main.tf").write_text(example(module))
        terraform.run(work, "fmt", "-check", "-no-color")
        terraform.init(work)
        terraform.run(work, "validate", "-no-color")
    return "formatted and valid, with the example in terraform/README.md"


def example(module: Path) -> str:
    """The README's Terraform code, with the module where it is."""
    code = "\n".join(re.findall(r"^```hcl\n(.*?)^```$", (module / "README.md").read_text(), re.MULTILINE | re.DOTALL))
    found = re.sub(r'source( +)= "[^"]*terraform"', lambda one: f'source{one[1]}= "{module}"', code)
    if found == code:
        raise CheckError("terraform/README.md has no example that names the module as its source")
    return found
