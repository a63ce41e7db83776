"""The whole comparison of terraform/ with template.yaml."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import MODULE, module, parameters, plans, proof, snake, template
from .compare import Difference, differences, unexpected
from .module import Plan
from .shape import Side
from .terraform import Terraform

# Sets whose every setting is changed in turn: together they have all resources and properties.
PROVED = ("others", "defaults")


def run(terraform: Terraform, folder: Path = MODULE) -> tuple[list[str], str]:
    """What is to be mended, and what was compared."""
    source = template.read()
    with tempfile.TemporaryDirectory(prefix="loadgate-terraform-") as temporary:
        work = Path(temporary)
        packages = plans.write_placeholders(work / "zips")
        plans.write_root(work, plans.calls(parameters.SETS, packages), folder)
        terraform.init(work)
        plan = plans.complete(terraform, work)
        problems = [*parameters.uncovered(source), *of_plan(source, plan, folder), *destroyed(terraform, work, source)]
        known = {name: one for name, one in source["Parameters"].items() if snake(name) in module.variables(plan, "defaults")}
        problems += accepted(terraform, work / "refused", known, packages, folder)
    blind, changes = blindness(template.translated(source), plan) if not problems else ([], 0)
    problems += blind
    resources = len(pair(template.translated(source), plan, "defaults")[0].resources)
    sets = len(parameters.SETS)
    done = f"{resources} resources and {len(source['Parameters'])} parameters, with {sets} sets of their values"
    return problems, f"{done}; each of {changes} changes would be named"


def blindness(translated: dict, plan: Plan) -> tuple[list[str], int]:
    """The changes that the comparison would not see, and how many it was tried with."""
    told, changes, proved = [], 0, set()
    for name in PROVED:
        ours, theirs = pair(translated, plan, name)
        found, count = proof.unseen(ours, plan, name, proved)
        told, changes, proved = told + found, changes + count, proved | theirs.resources.keys()
    return told, changes


def of_plan(source: dict, plan: Plan, folder: Path = MODULE) -> list[str]:
    found = list(all_differences(template.translated(source), plan))
    variables = module.variables(plan, "defaults")
    return [*parameters.differences(source, variables, folder), *unexpected(found)]


def all_differences(translated: dict, plan: Plan) -> Iterator[Difference]:
    for name in parameters.SETS:
        yield from differences(*pair(translated, plan, name))


def pair(translated: dict, plan: Plan, name: str) -> tuple[Side, Side]:
    """Both sides with one set of parameters."""
    theirs = module.side(plan, name)
    values = {**template.defaults(translated), **parameters.SETS[name]}
    return template.side(translated, values, parameters.STACK, generated_names(theirs)), theirs


def generated_names(side: Side) -> dict[str, str]:
    """What the template leaves to CloudFormation to name."""
    named = {"AWS::Lambda::Function": "FunctionName", "AWS::IAM::Role": "RoleName"}
    found = {logical: one.properties.get(named[one.kind]) for logical, one in side.resources.items() if one.kind in named}
    return {logical: name for logical, name in found.items() if name}


def destroyed(terraform: Terraform, work: Path, source: dict) -> Iterator[str]:
    """What the template retains and `terraform destroy` would take. Uses the state that says that everything exists."""
    said = plans.refusals(terraform, work, "-destroy", "-refresh=false")
    for logical, resource in source["Resources"].items():
        label = f".{snake(logical)}"
        if resource.get("DeletionPolicy", "Delete") != "Delete" and not said_of(label, said):
            yield f"{logical}.DeletionPolicy: template says {resource['DeletionPolicy']}, terraform has no `prevent_destroy = true`"


def said_of(label: str, said: str) -> bool:
    # Terraform breaks its lines anywhere.
    return any(f"module.defaults.{kind}{label}" in "".join(said.split()) for kind in ("aws_dynamodb_table", "aws_kinesis_stream"))


def accepted(terraform: Terraform, work: Path, known: dict[str, dict], packages: Path, folder: Path) -> Iterator[str]:
    """The parameters of which Terraform takes a value that the template refuses."""
    wrong = {name: parameters.refused(one) for name, one in known.items()}
    wrong = {name: str(value) for name, value in wrong.items() if value is not None}
    # Those that are judged together with another one say nothing where that one is wrong.
    dependent = {name: wrong.pop(name) for name in parameters.JUDGED_TOGETHER}
    said = refused(terraform, work / "wrong", {"wrong": wrong}, packages, folder)
    said += refused(terraform, work / "dependent", {"wrong": dependent}, packages, folder)
    said += refused(terraform, work / "together", {"together": parameters.WRONG_TOGETHER}, packages, folder)
    for name, value in {**wrong, **dependent}.items():
        if f"var.{snake(name)} is " not in said:
            yield f"variable {snake(name)}: template refuses {value}, terraform does not"
    for name, sentence in parameters.SAID_TOGETHER.items():
        if sentence not in " ".join(said.split()):
            yield f"variable {snake(name)}: terraform does not say that it {sentence}"


def refused(terraform: Terraform, work: Path, sets: dict[str, dict[str, str]], packages: Path, folder: Path) -> str:
    plans.write_root(work, plans.calls(sets, packages), folder)
    terraform.init(work)
    return plans.refusals(terraform, work)
