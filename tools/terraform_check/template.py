"""template.yaml as CloudFormation gets it: translated by SAM's own translator, and resolved for one set of parameters."""

import copy
import logging
import os
from typing import Any

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

from . import TEMPLATE
from .identity import NAME_PROPERTY, REGION, identity
from .intrinsics import Resolver
from .shape import Resource, Side

# It warns of metrics about itself that nobody sends.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


def read() -> dict:
    return yaml_parse(TEMPLATE.read_text())


class NoManagedPolicies:
    """The translator asks for AWS's managed policies. The template uses none."""

    def load(self) -> dict:
        return {}


def translated(template: dict) -> dict:
    """The template without what only SAM knows."""
    template = copy.deepcopy(template)
    for name, resource in template["Resources"].items():
        if "CodeUri" in resource.get("Properties", {}):
            # As after an upload: the translator takes nothing else.
            resource["Properties"]["CodeUri"] = f"s3://packages/{name}.zip"
    # It asks for a region, which nothing here depends on.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    return transform(template, {}, NoManagedPolicies())


def defaults(template: dict) -> dict[str, str]:
    """The parameters' defaults, as texts: CloudFormation compares nothing else."""
    return {name: as_text(parameter["Default"]) for name, parameter in template["Parameters"].items()}


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def conditions(template: dict, parameters: dict[str, str]) -> dict[str, bool]:
    resolver = Resolver(template, parameters, "stack", lambda logical, _: logical)
    return {name: resolver.holds(name) for name in template["Conditions"]}


def side(translated_template: dict, parameters: dict[str, str], stack: str, generated: dict[str, str]) -> Side:
    """The resources and outputs of a stack. `generated` has the names that CloudFormation would make up."""
    resources = translated_template["Resources"]

    def identify(logical: str, attribute: str) -> str:
        kind, properties = resources[logical]["Type"], resources[logical].get("Properties", {})
        name = properties.get(NAME_PROPERTY.get(kind, ""))
        name = generated.get(logical, logical) if name is None else resolver.resolve(name)
        return identity(kind, name)[attribute]

    resolver = Resolver(translated_template, parameters, stack, identify)

    def is_there(part: dict) -> bool:
        return "Condition" not in part or resolver.holds(part["Condition"])

    present = {logical: resource for logical, resource in resources.items() if is_there(resource)}
    outputs = {name: output for name, output in translated_template["Outputs"].items() if is_there(output)}
    return Side(
        {
            logical: Resource(one["Type"], resolver.resolve(one.get("Properties", {})), one.get("DeletionPolicy"))
            for logical, one in present.items()
        },
        {name: resolver.resolve(output["Value"]) for name, output in outputs.items()},
    )


