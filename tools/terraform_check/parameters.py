"""Parameters of the template and variables of the module: the same names, defaults and bounds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import MODULE, snake
from .template import as_text, conditions, defaults

LIMITS = "limit = [{code = 'DAILY_COUNT', measure = 'count', window = 'day', max = 3}]"

# Variables that the template has no parameter for: a stack has a name, and SAM knows where it builds.
OWN_VARIABLES = {"name", "package_directory"}

# The name of every deployment that is compared: not the default.
STACK = "compared"

# Every parameter other than its default.
OTHERS = {
    "Architecture": "x86_64",
    "CorrelationTableName": "Records",
    "LoadTableName": "Usage",
    "LimitTableName": "OwnLimits",
    "DecisionLogTableName": "Log",
    "DecisionLogDays": "90",
    "UsageRetentionDays": "366",
    "TableCapacity": "Provisioned",
    "ReadUnitsMin": "2900",
    "ReadUnitsMax": "5800",
    "WriteUnitsMin": "2600",
    "WriteUnitsMax": "5200",
    "CapacityUtilization": "60",
    "LimitStreamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/existing",
    "LimitStreamParallelization": "7",
    "InputRetentionSeconds": "345600",
    "CorrelationTtlHours": "120",
    "Limits": LIMITS,
    "Currency": "EUR",
    "IncreaseDelayHours": "72",
    "IncreaseNeedsConfirmation": "true",
    "MaxConcurrency": "50",
    "AssignConcurrency": "9",
    "ApiAllowedOrigins": "https://one.example,https://two.example",
    "ApiConcurrency": "5",
    "LogLevel": "DEBUG",
    "LogRetentionDays": "365",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:on-duty",
}

# What is compared, by the name of the deployment. Together they turn every condition, and change every parameter; the last three
# have the retentions that are left, each with its alarm.
SETS: dict[str, dict[str, str]] = {
    "defaults": {},
    "others": OTHERS,
    "without": {**OTHERS, "OwnLimits": "false", "LimitStreamArn": ""},
    "hours": {"InputRetentionSeconds": "43200", "CorrelationTtlHours": "24"},
    "day": {"InputRetentionSeconds": "86400", "CorrelationTtlHours": "48"},
    "week": {"InputRetentionSeconds": "604800", "CorrelationTtlHours": "192"},
}

# Parameters that Terraform judges together with another one, and not at all where that one is wrong.
JUDGED_TOGETHER = ("CorrelationTtlHours", "ReadUnitsMax", "WriteUnitsMax")

# Each is right alone, and wrong beside the other: a day, and no longer, which the template's rules refuse; and a maximum below its
# minimum, which only Application Auto Scaling refuses, as CloudFormation compares no numbers.
WRONG_TOGETHER = {
    "InputRetentionSeconds": "86400",
    "CorrelationTtlHours": "24",
    "ReadUnitsMin": "200",
    "ReadUnitsMax": "199",
    "WriteUnitsMin": "200",
    "WriteUnitsMax": "199",
}

# What Terraform must say of these.
SAID_TOGETHER = {
    "CorrelationTtlHours": "must be longer than input_retention_seconds",
    "ReadUnitsMax": "must not be below read_units_min",
    "WriteUnitsMax": "must not be below write_units_min",
}


def uncovered(template: dict) -> Iterator[str]:
    """What the sets leave as it is: then a side that ignores it would go unseen."""
    plain = defaults(template)
    for name in plain:
        if all(changed.get(name, plain[name]) == plain[name] for changed in SETS.values()):
            yield f"parameter {name}: no set of tools/terraform_check/parameters.py has another value than its default"
    seen = [conditions(template, {**plain, **changed}) for changed in SETS.values()]
    for name in template["Conditions"]:
        if len({one[name] for one in seen}) < 2:
            yield f"condition {name}: no set of tools/terraform_check/parameters.py turns it"


def differences(template: dict, variables: dict[str, dict], module: Path = MODULE) -> Iterator[str]:
    parameters = {snake(name): one for name, one in template["Parameters"].items()}
    for name in sorted(parameters.keys() ^ (variables.keys() - OWN_VARIABLES)):
        has, lacks = ("template", "terraform") if name in parameters else ("terraform", "template")
        yield f"variable {name}: {has} has it, {lacks} does not"
    for name in sorted(parameters.keys() & variables.keys()):
        ours, theirs = as_text(parameters[name]["Default"]), as_text(variables[name].get("default"))
        if ours != theirs:
            yield f"variable {name}.default: template says {ours or 'nothing'}, terraform says {theirs or 'nothing'}"
        yield from unbounded(name, parameters[name], module)


def unbounded(name: str, parameter: dict, module: Path) -> Iterator[str]:
    """The bounds that the variable does not have: Terraform shows none of them, so they are read in its text."""
    text = (module / "variables.tf").read_text()
    block = text.partition(f'variable "{name}" {{')[2].partition("\n}\n")[0]
    for bound in bounds(name, parameter):
        if f" = {bound}\n" not in block:
            yield f"variable {name}.validation: template bounds it, terraform does not say `condition = {bound}`"


def bounds(name: str, parameter: dict) -> Iterator[str]:
    variable = f"var.{name}"
    if "AllowedValues" in parameter and set(parameter["AllowedValues"]) != {"true", "false"}:
        yield f"contains({json.dumps(parameter['AllowedValues'])}, {variable})"
    if "AllowedPattern" in parameter:
        yield f"can(regex({json.dumps('^(?:' + parameter['AllowedPattern'] + ')$')}, {variable}))"
    if "MinValue" in parameter:
        yield f"{variable} >= {parameter['MinValue']} && {variable} <= {parameter['MaxValue']}"
    if "MaxLength" in parameter:
        yield f"length({variable}) <= {parameter['MaxLength']}"


def refused(parameter: dict) -> Any:
    """A value that the parameter does not allow. None where it allows all of its type."""
    if "MaxValue" in parameter:
        return int(parameter["MaxValue"]) + 1
    if "AllowedPattern" in parameter:
        return "!"
    allowed = parameter.get("AllowedValues", [])
    if not allowed or set(allowed) == {"true", "false"}:
        return None
    return max(allowed) + 1 if parameter["Type"] == "Number" else "neither"
