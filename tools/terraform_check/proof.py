"""Changes each setting of a plan in turn, and each property of the template: the comparison has to name every change.

A comparison that overlooks something says "the same" for ever. So each run of it proves that it overlooks nothing.
"""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from .compare import Difference, is_known, of_resource
from .fields import FIELDS
from .module import Plan, by_logical_id, configured, joined
from .shape import Resource, Side

# Texts of JSON, whose parts are settings.
DOCUMENTS = {"policy", "assume_role_policy", "redrive_policy", "redrive_allow_policy", "dashboard_body"}
DOCUMENTS |= {"DashboardBody"}

# What the list of known differences allows whatever it says.
ALWAYS_KNOWN = ("Code.", "Tags.")

Parts = dict[str, list[dict]]
Settings = dict[str, set[str]]


def unseen(template: Side, plan: Plan, module: str, proved: set[str]) -> tuple[list[str], int]:
    """The changes that no difference names, and how many changes there were, without those of resources that are proved."""
    told, count = [], 0
    left = {logical: parts for logical, parts in by_logical_id(plan, module).items() if logical not in proved}
    settings = configured(plan, module)
    for where, found in chain(of_terraform(template, left, settings), of_template(template, left, settings)):
        count += 1
        if all(is_known(one) for one in found):
            told.append(f"{where}: the comparison does not see that it was changed: mend tools/terraform_check")
    return told, count


def of_terraform(template: Side, left: Parts, settings: Settings) -> Iterator[tuple[str, list[Difference]]]:
    for logical, parts in left.items():
        for index, part in enumerate(parts):
            for path, changed in changed_parts(part):
                together = [*parts[:index], changed, *parts[index + 1 :]]
                found = of_resource(logical, template.resources[logical], joined(together, settings))
                yield f"{part['address']}.{path}", list(found)


def changed_parts(part: dict) -> Iterator[tuple[str, dict]]:
    values = part["values"]
    if part["type"] == "aws_cloudformation_stack":
        # What a stack's outputs say goes into other resources: the plan has it there.
        resources = json.loads(values["template_body"])["Resources"]
        for path, changed in variants(resources):
            yield f"template_body{path}", {**part, "values": {**values, "template_body": json.dumps({"Resources": changed})}}
        return
    for name in sorted(FIELDS[part["type"]][1]):
        for path, value in variants(values.get(name), name in DOCUMENTS):
            yield f"{name}{path}", {**part, "values": {**values, name: value}}


def of_template(template: Side, left: Parts, settings: Settings) -> Iterator[tuple[str, list[Difference]]]:
    for logical, parts in left.items():
        ours, theirs = template.resources[logical], joined(parts, settings)
        for path, value in variants(ours.properties):
            if not path.startswith(tuple(f".{known}" for known in ALWAYS_KNOWN)):
                yield f"{logical}{path}", list(of_resource(logical, Resource(ours.kind, value), theirs))


def variants(value: Any, is_document: bool = False, path: str = "") -> Iterator[tuple[str, Any]]:
    """The value with one part of it changed, or one entry of a list left out, for each."""
    if is_document and value:
        yield from ((one, json.dumps(changed)) for one, changed in variants(json.loads(value), path=path))
    elif isinstance(value, dict):
        for key, inner in value.items():
            for one, changed in variants(inner, key in DOCUMENTS, f"{path}.{key}"):
                yield one, {**value, key: changed}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}.{index} left out", value[:index] + value[index + 1 :]
            for one, changed in variants(inner, path=f"{path}.{index}"):
                yield one, [*value[:index], changed, *value[index + 1 :]]
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int | float):
        yield path, value + 1
    elif value:
        yield path, f"{value}x"
