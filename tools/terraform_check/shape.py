"""The one shape that both sides are brought into before they are compared: CloudFormation's resources and properties."""

import json
from dataclasses import dataclass
from typing import Any

# What AWS assumes where a property is not given.
ASSUMED: dict[str, dict[str, Any]] = {
    "AWS::SQS::Queue": {
        "ContentBasedDeduplication": False,
        "DelaySeconds": 0,
        "FifoQueue": False,
        "MaximumMessageSize": 1048576,
        "ReceiveMessageWaitTimeSeconds": 0,
        "VisibilityTimeout": 30,
    },
    "AWS::Lambda::Function": {"PackageType": "Zip"},
    "AWS::Lambda::EventSourceMapping": {"Enabled": True},
    "AWS::IAM::Role": {"MaxSessionDuration": 3600, "Path": "/"},
    "AWS::CloudWatch::Alarm": {"ActionsEnabled": True},
    "AWS::ApiGatewayV2::Api": {
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "DisableExecuteApiEndpoint": False,
        "RouteSelectionExpression": "$request.method $request.path",
    },
    "AWS::ApiGatewayV2::Integration": {"ConnectionType": "INTERNET"},
    "AWS::ApiGatewayV2::Route": {"ApiKeyRequired": False},
}

# Lists whose order has no meaning.
SETS = {"Action", "Resource", "sourceQueueArns", "dynamodb:LeadingKeys", "dynamodb:Attributes", "AllowHeaders", "AllowMethods"}
SETS |= {"AllowOrigins", "ExposeHeaders", "FunctionResponseTypes", "Queues"}

# Lists whose entries have a name, by which a difference is easier to find.
NAMED = ("Sid", "PolicyName", "AttributeName", "Id", "Key", "Name")


@dataclass(frozen=True)
class Resource:
    kind: str
    properties: dict[str, Any]
    deletion_policy: str | None = None


@dataclass(frozen=True)
class Side:
    """The resources of a deployment by logical id, and its outputs."""

    resources: dict[str, Resource]
    outputs: dict[str, Any]


def flat(resource: Resource) -> dict[str, str]:
    """The properties by path, each value a text: `180` is the same as `"180"`, as in CloudFormation."""
    found: dict[str, str] = {}
    flatten("", {**ASSUMED.get(resource.kind, {}), **resource.properties}, found)
    return found


def flatten(path: str, value: Any, found: dict[str, str]) -> None:
    key = path.rpartition(".")[2]
    if key == "DashboardBody" and isinstance(value, str):
        value = json.loads(value)
    if key in SETS:
        value = sorted(map(text, value if isinstance(value, list) else [value]))
    if isinstance(value, list):
        value = by_name(value, is_ordered=key == "KeySchema")
    if not isinstance(value, dict):
        found[path] = text(value)
        return
    for name, one in value.items():
        flatten(f"{path}.{name}" if path else str(name), one, found)


def by_name(values: list, is_ordered: bool) -> dict[str, Any]:
    for key in NAMED:
        names = [one.get(key) for one in values if isinstance(one, dict)]
        if not is_ordered and values and len(set(names)) == len(values) and None not in names:
            return dict(zip(map(str, names), values, strict=True))
    return {str(index): one for index, one in enumerate(values)}


def text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
