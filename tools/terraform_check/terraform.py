"""Terraform and its AWS provider, where this machine has them."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import CheckError, Missing

# As terraform/versions.tf has it. Its constraint of the provider: 5.100 and later of version 5.
TERRAFORM_MIN = (1, 9, 0)
PROVIDER_MIN, PROVIDER_BELOW = (5, 100, 0), (6, 0, 0)

OWN_SETTING = "TF_PLUGIN_DIR"

Version = tuple[int, ...]


@dataclass(frozen=True)
class Terraform:
    """The command, and the folder of plugins that has the provider."""

    command: Path
    plugins: Path

    def run(self, folder: Path, *arguments: str, accepted: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Runs a command in a folder. It sees nothing of the caller's accounts, settings and proxies."""
        surroundings = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder)}
        surroundings |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_CLI_CONFIG_FILE": os.devnull}
        surroundings |= {"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}
        surroundings |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        command = [self.command, *arguments]
        ended = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
        if ended.returncode not in accepted:
            raise CheckError(f"terraform {arguments[0]} has failed:\n{ended.stdout[-4000:]}{ended.stderr[-8000:]}")
        return ended

    def init(self, folder: Path) -> None:
        self.run(folder, "init", "-no-color", "-input=false", f"-plugin-dir={self.plugins}")


def find() -> Terraform:
    """Terraform and its provider, or what is missing, in one sentence."""
    command = shutil.which("terraform")
    if command is None:
        raise Missing("there is no terraform command on the path")
    said = subprocess.run(
        [command, "version", "-json"],
        env={"PATH": os.defpath, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    found = version(json.loads(said.stdout)["terraform_version"])
    if found < TERRAFORM_MIN:
        raise Missing(f"terraform is {written(found)}; the module needs {written(TERRAFORM_MIN)} or later")
    return Terraform(Path(command), find_plugins())


def find_plugins() -> Path:
    """The first folder that has a fitting AWS provider."""
    own = os.environ.get(OWN_SETTING)
    if own:
        if not has_provider(Path(own)):
            raise CheckError(f"{OWN_SETTING} names {own}, which has no AWS provider that the module takes: {wanted()}")
        return Path(own).resolve()
    for folder in places():
        if has_provider(folder):
            return folder
    raise Missing(
        f"no folder of plugins has the AWS provider, {wanted()}. `terraform providers mirror DIR` in terraform/ makes one; "
        f"name it with {OWN_SETTING}=DIR"
    )


def places() -> list[Path]:
    """Where Terraform itself looks for a mirror on disk, and where packages of an operating system or an image put one."""
    home = Path.home()
    data = [Path(one) for one in os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":") if one]
    data_home = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    found = [home / ".terraform.d" / "plugins", *(one / "terraform" / "plugins" for one in [data_home, *data])]
    for parent in (Path("/usr/share/terraform"), Path("/usr/lib/terraform"), Path("/opt")):
        found += sorted(parent.glob("*"))
    return found


def has_provider(folder: Path) -> bool:
    # HOST/NAMESPACE/TYPE, and then a folder for each version, or zip files with the version in their names.
    found = [one.name for one in folder.glob("*/hashicorp/aws/*")] if folder.is_dir() else []
    versions = [version(name) for name in found if re.search(r"\d+\.\d+\.\d+", name)]
    return any(PROVIDER_MIN <= one < PROVIDER_BELOW for one in versions)


def version(text: str) -> Version:
    return tuple(map(int, re.search(r"(\d+)\.(\d+)\.(\d+)", text).groups()))


def written(numbers: Version) -> str:
    return ".".join(map(str, numbers))


def wanted() -> str:
    return f"{written(PROVIDER_MIN)} or later, below {written(PROVIDER_BELOW)}"
