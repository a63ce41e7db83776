"""Differences between the two sides, each with its name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from . import snake
from .shape import Resource, Side, flat

NOTHING = "nothing"


@dataclass(frozen=True)
class Difference:
    where: str
    template: str
    terraform: str

    def __str__(self) -> str:
        return f"{self.where}: template says {self.template}, terraform says {self.terraform}"


@dataclass(frozen=True)
class Known:
    """A difference that is meant to be: patterns of what it looks like, and the reason."""

    where: str
    template: str
    terraform: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        pairs = [(self.where, difference.where), (self.template, difference.template), (self.terraform, difference.terraform)]
        return all(re.fullmatch(pattern, text) for pattern, text in pairs)


KNOWN = [
    Known(
        r"\w+Function\.Code\.S3(Bucket|Key)",
        r".+",
        NOTHING,
        "SAM uploads a package to a bucket; Terraform hands the zip file to Lambda itself.",
    ),
    Known(
        r"\w+Function\.FunctionName",
        NOTHING,
        r"[a-z0-9-]+-(decide|limits|assign|api)",
        "CloudFormation makes a function's name up; Terraform has to be given one.",
    ),
    Known(
        r"\w*FunctionRole\.RoleName",
        NOTHING,
        r"[a-z0-9-]+-(decide|limits|assign|api)-role",
        "CloudFormation makes a role's name up; Terraform does so from a prefix.",
    ),
    Known(
        r"\w+Function\.Tags\.lambda:createdBy\.(Key|Value)",
        r"lambda:createdBy|SAM",
        NOTHING,
        "SAM marks what it has made.",
    ),
    Known(
        r"(Decisions|Assignment|AssignmentDeadLetter)Queue\.MaximumMessageSize",
        "1048576",
        "262144",
        "Version 5 of the provider allows 256 KiB at most. Decisions and steps are far shorter.",
    ),
    Known(
        r"HttpApiIntegration\.IntegrationMethod",
        NOTHING,
        "POST",
        "API Gateway sets it for a function; without it, each of Terraform's plans would take it away.",
    ),
    Known(
        r"HttpApiStage\.DefaultRouteSettings\.(DataTraceEnabled|DetailedMetricsEnabled)|HttpApi\.CorsConfiguration\.AllowCredentials",
        NOTHING,
        "false",
        "The provider writes out what API Gateway assumes.",
    ),
]


def differences(template: Side, terraform: Side) -> Iterator[Difference]:
    for logical in sorted(template.resources.keys() | terraform.resources.keys()):
        ours, theirs = template.resources.get(logical), terraform.resources.get(logical)
        if ours is None or theirs is None:
            yield Difference(logical, kind_of(ours), kind_of(theirs))
        else:
            yield from of_resource(logical, ours, theirs)
    yield from of_outputs(template, terraform)


def kind_of(resource: Resource | None) -> str:
    return NOTHING if resource is None else resource.kind


def of_resource(logical: str, template: Resource, terraform: Resource) -> Iterator[Difference]:
    if template.kind != terraform.kind:
        yield Difference(logical, template.kind, terraform.kind)
        return
    ours, theirs = flat(template), flat(terraform)
    for path in sorted(ours.keys() | theirs.keys()):
        if ours.get(path) != theirs.get(path):
            yield Difference(f"{logical}.{path}", ours.get(path, NOTHING), theirs.get(path, NOTHING))


def of_outputs(template: Side, terraform: Side) -> Iterator[Difference]:
    ours = {snake(name): str(value) for name, value in template.outputs.items()}
    theirs = {name: str(value) for name, value in terraform.outputs.items() if value is not None}
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield Difference(f"output {name}", ours.get(name, NOTHING), theirs.get(name, NOTHING))


def is_known(difference: Difference) -> bool:
    return any(known.covers(difference) for known in KNOWN)


def unexpected(found: list[Difference]) -> list[str]:
    """What is to be mended: differences that are not known, and known ones that are none any more."""
    told = [str(one) for one in found if not is_known(one)]
    unused = [known for known in KNOWN if not any(known.covers(one) for one in found)]
    told += [f"{known.where}: it is listed as a known difference, and there is none: {known.reason}" for known in unused]
    return list(dict.fromkeys(told))
