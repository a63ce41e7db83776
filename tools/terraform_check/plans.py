"""Plans of terraform/ without a network: one root with a deployment for each set of parameters.

A plan knows no ARN and no URL of what does not exist yet, and so no policy that names one. So it is made twice: the second time, a
state says that everything exists, with the identifiers that AWS would give it (identity.py), and all is known.
"""

import json
import uuid
from pathlib import Path
from typing import Any

from . import MODULE, PROGRAMS, CheckError, snake
from .fields import FIELDS
from .identity import REGION, attributes
from .module import Plan, outputs_of_stack
from .parameters import STACK
from .terraform import Terraform

# What nobody sets, and the provider itself only knows afterwards.
PROVIDERS_CHOICE = {"logging_level"}

PROVIDER = f"""
terraform {{
  required_providers {{
    aws = {{
      source = "hashicorp/aws"
    }}
  }}
}}

provider "aws" {{
  region                      = "{REGION}"
  access_key                  = "local"
  secret_key                  = "local"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}}
"""


def write_root(folder: Path, calls: dict[str, dict[str, Any]], module: Path | str = MODULE, provider: str = PROVIDER) -> None:
    """A root that calls the module once for each name, with variables."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf").write_text(provider)
    parts = {"module": {name: {"source": str(module), **given} for name, given in calls.items()}}
    parts["output"] = {name: {"value": f"${{module.{name}}}"} for name in calls}
    (folder / "calls.tf.json").write_text(json.dumps(parts, indent=2))


def calls(sets: dict[str, dict[str, str]], packages: Path) -> dict[str, dict[str, Any]]:
    common = {"name": STACK, "package_directory": str(packages)}
    return {name: {**common, **{snake(key): one for key, one in given.items()}} for name, given in sets.items()}


def write_placeholders(folder: Path) -> Path:
    """Files in place of the packages: a plan only takes their checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        (folder / f"{program}.zip").write_bytes(program.encode())
    return folder


def make(terraform: Terraform, folder: Path, *options: str) -> Plan:
    terraform.run(folder, "plan", "-no-color", "-input=false", "-out=plan", *options)
    return json.loads(terraform.run(folder, "show", "-json", "plan").stdout)


def complete(terraform: Terraform, folder: Path) -> Plan:
    """A plan in which everything is known."""
    unknown = make(terraform, folder)
    (folder / "terraform.tfstate").write_text(json.dumps(state(unknown)))
    known = make(terraform, folder, "-refresh=false")
    check_that_all_is_known(known)
    return known


def state(plan: Plan) -> dict[str, Any]:
    modules = plan["planned_values"]["root_module"]["child_modules"]
    return {
        "version": 4,
        "terraform_version": plan["terraform_version"],
        "serial": 1,
        "lineage": str(uuid.uuid4()),
        "outputs": {},
        "resources": [part for module in modules for part in resources_of(module)],
    }


def resources_of(module: dict) -> list[dict[str, Any]]:
    """The module's resources as a state has them, with all instances of one resource together."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for resource in module["resources"]:
        if resource["mode"] != "managed":
            continue
        head = {"module": module["address"], "mode": "managed", "type": resource["type"], "name": resource["name"]}
        head |= {"provider": f'provider["{resource["provider_name"]}"]', "instances": []}
        part = found.setdefault((resource["type"], resource["name"]), head)
        part["instances"].append(instance(resource))
    return list(found.values())


def instance(resource: dict) -> dict[str, Any]:
    given = resource.get("values", {})
    values = {**given, **attributes(resource["type"], given)}
    if resource["type"] == "aws_cloudformation_stack":
        values["outputs"] = outputs_of_stack(given)
    index = {"index_key": resource["index"]} if "index" in resource else {}
    return {**index, "schema_version": resource["schema_version"], "attributes": values, "sensitive_attributes": []}


def check_that_all_is_known(plan: Plan) -> None:
    """What is unknown would look as if it were not there."""
    for name, call in plan["configuration"]["root_module"]["module_calls"].items():
        settings = {one["address"]: set(one.get("expressions", {})) for one in call["module"]["resources"]}
        changes = [one for one in plan["resource_changes"] if one["module_address"] == f"module.{name}"]
        for change in changes:
            label = f"{change['type']}.{change['name']}"
            for attribute in unknown_of(change, settings[label]):
                raise CheckError(f"{label}.{attribute} stays unknown: identity.py lacks an attribute of what it names")


def unknown_of(change: dict, settings: set[str]) -> list[str]:
    """The unknown attributes that the module sets. One that is unknown as a whole and not set is the provider's choice."""
    _, fields = FIELDS.get(change["type"], ("", {}))
    unknown = change["change"].get("after_unknown") or {}
    return [
        name
        for name, value in unknown.items()
        if name in fields and is_any(value) and (name in settings or value is not True)
    ]


def is_any(unknown: Any) -> bool:
    if isinstance(unknown, dict):
        return any(is_any(value) for name, value in unknown.items() if name not in PROVIDERS_CHOICE)
    return any(map(is_any, unknown)) if isinstance(unknown, list) else bool(unknown)


def refusals(terraform: Terraform, folder: Path, *options: str) -> str:
    """What Terraform says against a plan that it must refuse."""
    ended = terraform.run(folder, "plan", "-no-color", "-input=false", *options, accepted=(0, 1))
    if ended.returncode == 0:
        raise CheckError("terraform plan accepts what it must refuse")
    return ended.stderr
