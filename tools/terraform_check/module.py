"""A plan of terraform/, brought into CloudFormation's shape."""

import json
from typing import Any

from . import camel
from .fields import FIELDS, NOT_SETTINGS, OWNERS, PROVIDERS_OWN, is_absent
from .identity import identity
from .intrinsics import Resolver
from .shape import Resource, Side

Plan = dict[str, Any]


def planned(plan: Plan, module: str) -> list[dict]:
    """The resources that a plan would leave of a module."""
    modules = plan["planned_values"]["root_module"]["child_modules"]
    [found] = [one for one in modules if one["address"] == f"module.{module}"]
    return [resource for resource in found["resources"] if resource["mode"] == "managed"]


def configured(plan: Plan, module: str) -> dict[str, set[str]]:
    """The attributes that the module sets, by the address of a resource within it."""
    resources = plan["configuration"]["root_module"]["module_calls"][module]["module"]["resources"]
    return {resource["address"]: set(resource.get("expressions", {})) for resource in resources}


def variables(plan: Plan, module: str) -> dict[str, dict]:
    return plan["configuration"]["root_module"]["module_calls"][module]["module"]["variables"]


def logical_id(resource: dict) -> str:
    """The rule that ties both sides: a label, or for `for_each` a key and a label, is the logical id in other letters."""
    index = resource.get("index")
    return camel(f"{index}_{resource['name']}" if isinstance(index, str) else resource["name"])


def side(plan: Plan, module: str) -> Side:
    settings = configured(plan, module)
    resources = {logical: joined(parts, settings) for logical, parts in by_logical_id(plan, module).items()}
    return Side(resources, plan["planned_values"]["outputs"][module]["value"])


def by_logical_id(plan: Plan, module: str) -> dict[str, list[dict]]:
    """Terraform's resources by what they are one of in CloudFormation, such as a role and its policy."""
    found: dict[str, list[dict]] = {}
    for resource in planned(plan, module):
        found.setdefault(logical_id(resource), []).append(resource)
    return found


def joined(parts: list[dict], settings: dict[str, set[str]]) -> Resource:
    kinds: list[str] = []
    properties: dict[str, Any] = {}
    for part in parts:
        kind, found = convert(part, settings[f"{part['type']}.{part['name']}"])
        kinds += [kind] if kind else []
        properties = merged(properties, found)
        properties |= not_its_own(part, parts)
    # Parts whose main resource is missing, or two main ones, are nothing that the template has.
    return Resource(kinds[0] if len(kinds) == 1 else f"{len(kinds)} resources", properties)


def not_its_own(part: dict, parts: list[dict]) -> dict[str, Any]:
    """Says so where a part, such as a policy, is not of the resource with the same label."""
    own, main = OWNERS.get(part["type"], ("", ""))
    names = part["values"].get(own)
    if not own or any(names == one["values"].get(main) for one in parts if one is not part):
        return {}
    return {f"{part['type']}.{own}": names}


def convert(resource: dict, settings: set[str]) -> tuple[str, dict[str, Any]]:
    values = resource["values"]
    if resource["type"] == "aws_cloudformation_stack":
        return queue_of_stack(values, settings)
    kind, fields = FIELDS.get(resource["type"], (resource["type"], {}))
    found: dict[str, Any] = {}
    for name, convert_field in fields.items():
        if not is_absent(values.get(name)):
            found = merged(found, convert_field(values[name]))
    found.pop("", None)
    # Blocks that depend on a variable are no settings of the configuration: they show by their values.
    settings = settings | {name for name, value in values.items() if value and name not in PROVIDERS_OWN}
    for unknown in settings - fields.keys() - NOT_SETTINGS:
        found[unknown] = f"{values.get(unknown)}, which tools/terraform_check/fields.py does not know"
    return kind, found


def queue_of_stack(values: dict, settings: set[str]) -> tuple[str, dict[str, Any]]:
    """The queue in a stack of one queue."""
    template = json.loads(values["template_body"])
    [(name, queue)] = template["Resources"].items()
    resolver = Resolver(template, {}, values["name"], lambda logical, attribute: f"{logical}.{attribute}")
    found = resolver.resolve(queue["Properties"])
    found |= {one: "unknown" for one in settings - {"name", "template_body"} - NOT_SETTINGS}
    if set(queue) != {"Type", "Properties"}:
        found["more than Type and Properties"] = sorted(queue)
    return queue["Type"], found


def outputs_of_stack(values: dict) -> dict[str, str]:
    """What CloudFormation would say of a stack of one queue."""
    template = json.loads(values["template_body"])
    [queue] = template["Resources"].values()
    known = identity(queue["Type"], queue["Properties"]["QueueName"])
    resolver = Resolver(template, {}, values["name"], lambda _, attribute: known[attribute])
    return {name: resolver.resolve(output["Value"]) for name, output in template["Outputs"].items()}


def merged(left: dict, right: dict) -> dict:
    """Both together: blocks are joined, and so are lists of equal length whose entries are blocks, except in a key schema."""
    result = dict(left)
    for key, value in right.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            result[key] = merged(before, value)
        elif key == "Policies" and before:
            result[key] = [merged(before[0], value[0])]
        elif isinstance(before, list) and isinstance(value, list):
            result[key] = before + value
        else:
            result[key] = value
    return result
