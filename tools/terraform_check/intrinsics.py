"""CloudFormation's functions, as CloudFormation would resolve them for one set of parameters."""

import re
from collections.abc import Callable
from typing import Any

from . import CheckError
from .identity import ACCOUNT, PARTITION, REGION

PSEUDO = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": PARTITION}
# Stands for a property that is not there.
NO_VALUE = object()


class Resolver:
    """Resolves values of a template. `identify` says what `Ref` and `Fn::GetAtt` of a resource give."""

    def __init__(self, template: dict, parameters: dict[str, str], stack: str, identify: Callable[[str, str], str]):
        self.mappings = template.get("Mappings", {})
        self.conditions = template.get("Conditions", {})
        self.parameters = parameters
        self.pseudo = {**PSEUDO, "AWS::StackName": stack}
        self.identify = identify

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name == "Condition" or name.startswith("Fn::"):
                return self.call(name, argument)
        resolved = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not NO_VALUE}

    def call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self.ref(argument)
            case "Condition":
                return self.holds(argument) if isinstance(argument, str) else {name: self.resolve(argument)}
            case "Fn::GetAtt":
                logical, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
                return self.identify(logical, attribute)
            case "Fn::Sub":
                return self.sub(argument)
            case "Fn::If":
                condition, yes, no = argument
                return self.resolve(yes if self.holds(condition) else no)
            case "Fn::FindInMap":
                mapping, first, second = self.resolve(argument)
                return self.mappings[mapping][first][second]
        return self.compute(name, self.resolve(argument))

    def compute(self, name: str, arguments: list) -> Any:
        match name:
            case "Fn::Equals":
                return str(arguments[0]) == str(arguments[1])
            case "Fn::Not":
                return not arguments[0]
            case "Fn::And":
                return all(arguments)
            case "Fn::Or":
                return any(arguments)
            case "Fn::Join":
                return arguments[0].join(map(str, arguments[1]))
            case "Fn::Split":
                return arguments[1].split(arguments[0])
            case "Fn::Select":
                return arguments[1][int(arguments[0])]
            case "Fn::Contains":
                return arguments[1] in arguments[0]
        raise CheckError(f"tools/terraform_check/intrinsics.py does not know {name}, which template.yaml uses")

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        return self.parameters[name] if name in self.parameters else self.identify(name, "Ref")

    def sub(self, argument: Any) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})
        given = self.resolve(given)

        def value(found: re.Match) -> str:
            name = found[1]
            if name in given:
                return str(given[name])
            logical, _, attribute = name.partition(".")
            return str(self.identify(logical, attribute) if attribute else self.ref(name))

        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", value, text)

    def holds(self, condition: str) -> bool:
        return self.resolve(self.conditions[condition])
