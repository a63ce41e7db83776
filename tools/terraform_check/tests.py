"""Tests of the comparison itself. They need no Terraform: plans are written out here, as small as they can be."""

import contextlib
import json
import os
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

from . import CheckError, Missing, camel, module, packages, parameters, plans, proof, snake, template, terraform
from .compare import KNOWN, differences, unexpected
from .identity import identity
from .intrinsics import Resolver
from .shape import Resource, Side, flat

STAY = {"FifoQueue": True, "QueueName": "x-input.fifo", "VisibilityTimeout": 180}
QUEUE = {"name": "x-input.fifo", "fifo_queue": True, "visibility_timeout_seconds": 180, "max_message_size": 1048576}
TABLE_ARN = identity("AWS::DynamoDB::Table", "Records")["Arn"]
STATEMENT = {"Sid": "Read", "Effect": "Allow", "Action": ["dynamodb:Query", "dynamodb:GetItem"], "Resource": TABLE_ARN}
ROLE = Resource("AWS::IAM::Role", {"Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [STATEMENT]}}]})


def plan(*resources: dict, settings: dict[str, list[str]] | None = None) -> dict:
    """A plan of these resources in `module.x`, each of which sets what it has."""
    all_ = [{"mode": "managed", "address": f"module.x.{one['type']}.{one['name']}", **one} for one in resources]
    given = {f"{one['type']}.{one['name']}": list(one["values"]) for one in resources} | (settings or {})
    configuration = [{"address": address, "expressions": dict.fromkeys(names, {})} for address, names in given.items()]
    return {
        "planned_values": {
            "root_module": {"child_modules": [{"address": "module.x", "resources": all_}]},
            "outputs": {"x": {"value": {}}},
        },
        "configuration": {"root_module": {"module_calls": {"x": {"module": {"resources": configuration, "variables": {}}}}}},
    }


def queue(**changed: object) -> dict:
    return {"type": "aws_sqs_queue", "name": "input_queue", "values": {**QUEUE, **changed}}


def role(statement: dict = STATEMENT, of: str = "r") -> list[dict]:
    policy = json.dumps({"Statement": [statement]})
    return [
        {"type": "aws_iam_role", "name": "role", "values": {"name": "r"}},
        {"type": "aws_iam_role_policy", "name": "role", "values": {"name": "p", "role": of, "policy": policy}},
    ]


def told(template_resources: dict[str, Resource], *resources: dict, **more: dict) -> list[str]:
    ours = Side(template_resources, {})
    return [str(one) for one in differences(ours, module.side(plan(*resources, **more), "x"))]


class Differences(unittest.TestCase):
    def test_equal_resources_have_none(self) -> None:
        self.assertEqual(told({"InputQueue": Resource("AWS::SQS::Queue", STAY)}, queue()), [])

    def test_a_changed_property_is_named_with_both_values(self) -> None:
        found = told({"InputQueue": Resource("AWS::SQS::Queue", STAY)}, queue(visibility_timeout_seconds=30))
        self.assertEqual(found, ["InputQueue.VisibilityTimeout: template says 180, terraform says 30"])

    def test_a_missing_property_is_what_aws_assumes(self) -> None:
        ours = {key: value for key, value in STAY.items() if key != "VisibilityTimeout"}
        found = told({"InputQueue": Resource("AWS::SQS::Queue", ours)}, queue())
        self.assertEqual(found, ["InputQueue.VisibilityTimeout: template says 30, terraform says 180"])

    def test_a_resource_of_one_side_is_named(self) -> None:
        table = Resource("AWS::DynamoDB::Table", {"TableName": "DecisionLog"})
        found = told({"InputQueue": Resource("AWS::SQS::Queue", STAY), "DecisionLogTable": table}, queue())
        self.assertEqual(found, ["DecisionLogTable: template says AWS::DynamoDB::Table, terraform says nothing"])
        self.assertEqual(told({}, queue()), ["InputQueue: template says nothing, terraform says AWS::SQS::Queue"])

    def test_an_attribute_that_nobody_knows_is_named(self) -> None:
        found = told({"InputQueue": Resource("AWS::SQS::Queue", STAY)}, queue(brand_new=0))
        self.assertIn("InputQueue.brand_new: template says nothing, terraform says 0, which", found[0])

    def test_a_statement_is_named_by_its_sid(self) -> None:
        role_name = "Role.RoleName: template says nothing, terraform says r"
        self.assertEqual(told({"Role": ROLE}, *role()), [role_name])
        wider = {**STATEMENT, "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"]}
        action = "Role.Policies.p.PolicyDocument.Statement.Read.Action.2: template says nothing, terraform says dynamodb:Scan"
        self.assertEqual(told({"Role": ROLE}, *role(wider)), [action, role_name])

    def test_a_policy_of_another_role_is_named(self) -> None:
        self.assertIn("aws_iam_role_policy.role: template says nothing, terraform says other", str(told({"Role": ROLE}, *role(of="other"))))

    def test_an_output_of_another_value_is_named(self) -> None:
        found = differences(Side({}, {"InputQueueUrl": "a", "ApiUrl": "b"}), Side({}, {"input_queue_url": "c", "api_url": "b"}))
        self.assertEqual([str(one) for one in found], ["output input_queue_url: template says a, terraform says c"])

    def test_a_known_difference_that_is_none_any_more_is_named(self) -> None:
        self.assertEqual(len(unexpected([])), len(KNOWN))


class Proof(unittest.TestCase):
    def test_every_change_is_named(self) -> None:
        ours = Side({"InputQueue": Resource("AWS::SQS::Queue", STAY), "Role": ROLE}, {})
        found, count = proof.unseen(ours, plan(queue(), *role()), "x", set())
        self.assertEqual(found, [])
        self.assertGreater(count, 20)

    def test_a_comparison_that_overlooks_an_attribute_is_found_out(self) -> None:
        fields = {**proof.FIELDS["aws_sqs_queue"][1], "visibility_timeout_seconds": lambda _: {"VisibilityTimeout": 180}}
        with mock.patch.dict(proof.FIELDS, {"aws_sqs_queue": ("AWS::SQS::Queue", fields)}):
            found, _ = proof.unseen(Side({"InputQueue": Resource("AWS::SQS::Queue", STAY)}, {}), plan(queue()), "x", set())
        self.assertEqual(len(found), 1)
        self.assertIn("visibility_timeout_seconds: the comparison does not see that it was changed", found[0])


class Template(unittest.TestCase):
    def test_names_are_translated_and_back(self) -> None:
        for logical in ("InputQueue", "HttpApiStage", "DailyLoad2"):
            self.assertEqual(camel(snake(logical)), logical)
        self.assertEqual(camel("input-age_alarm"), "InputAgeAlarm")

    def test_functions_of_cloudformation_are_resolved(self) -> None:
        source = {"Conditions": {"Has": {"Fn::Not": [{"Fn::Equals": [{"Ref": "P"}, ""]}]}}, "Mappings": {"M": {"a": {"K": 7}}}}
        for value, here in (("", "none"), ("a", 7)):
            resolver = Resolver(source, {"P": value}, "stack", lambda logical, attribute: f"<{logical}.{attribute}>")
            self.assertEqual(resolver.resolve({"Fn::If": ["Has", {"Fn::FindInMap": ["M", {"Ref": "P"}, "K"]}, "none"]}), here)
        self.assertEqual(resolver.resolve({"Fn::Sub": "${AWS::StackName}-${Q.Arn}-${Q}"}), "stack-<Q.Arn>-<Q.Ref>")
        self.assertEqual(resolver.resolve([{"Ref": "AWS::NoValue"}, 1]), [1])
        with self.assertRaisesRegex(CheckError, "does not know Fn::Cidr"):
            resolver.resolve({"Fn::Cidr": []})

    def test_the_sets_of_parameters_change_every_parameter_and_turn_every_condition(self) -> None:
        source = template.read()
        self.assertEqual(list(parameters.uncovered(source)), [])
        source["Parameters"]["New"] = {"Default": "x"}
        source["Conditions"]["IsNew"] = {"Fn::Equals": [{"Ref": "New"}, "x"]}
        self.assertEqual([one.split(":")[0] for one in parameters.uncovered(source)], ["parameter New", "condition IsNew"])

    def test_the_rules_allow_what_the_variable_allows(self) -> None:
        source = template.read()
        allowed = {name: source["Parameters"][name]["AllowedValues"] for name in ("InputRetentionSeconds", "CorrelationTtlHours")}
        for seconds in allowed["InputRetentionSeconds"]:
            for hours in allowed["CorrelationTtlHours"]:
                given = {"InputRetentionSeconds": str(seconds), "CorrelationTtlHours": str(hours)}
                resolver = Resolver(source, given, "stack", lambda logical, _: logical)
                rules = [one for one in source["Rules"].values() if resolver.resolve(one["RuleCondition"])]
                is_allowed = all(resolver.resolve(one["Assertions"][0]["Assert"]) for one in rules)
                self.assertEqual(is_allowed, hours * 3600 > seconds, given)

    def test_a_translated_template_has_what_sam_makes(self) -> None:
        resources = template.translated(template.read())["Resources"]
        self.assertEqual(resources["LoadgateFunctionInput"]["Type"], "AWS::Lambda::EventSourceMapping")

    def test_a_list_without_order_compares_by_its_entries(self) -> None:
        pair = [Resource("x", {"Action": actions}) for actions in (["a", "b"], ["b", "a"])]
        self.assertEqual(flat(pair[0]), flat(pair[1]))


class Variables(unittest.TestCase):
    def test_missing_defaults_and_bounds_are_named(self) -> None:
        source = {"Parameters": {"MaxLoad": {"Type": "Number", "Default": 5, "MinValue": 2, "MaxValue": 9}}}
        with tempfile.TemporaryDirectory() as folder:
            bounded = 'variable "max_load" {\n  validation {\n    condition     = var.max_load >= 2 && var.max_load <= 9\n  }\n}\n'
            (Path(folder) / "variables.tf").write_text(bounded)
            self.assertEqual(list(parameters.differences(source, {"max_load": {"default": 5}}, Path(folder))), [])
            (Path(folder) / "variables.tf").write_text(bounded.replace("9", "8"))
            found = list(parameters.differences(source, {"max_load": {"default": 6}, "more": {}}, Path(folder)))
        self.assertEqual(
            found,
            [
                "variable more: terraform has it, template does not",
                "variable max_load.default: template says 5, terraform says 6",
                "variable max_load.validation: template bounds it, terraform does not say "
                "`condition = var.max_load >= 2 && var.max_load <= 9`",
            ],
        )


class Finding(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def mirror(self, name: str, version: str) -> Path:
        made = self.folder / name / "host" / "hashicorp" / "aws" / version
        made.mkdir(parents=True)
        return self.folder / name

    def test_the_own_setting_comes_first_and_must_be_right(self) -> None:
        right, wrong = self.mirror("right", "5.100.0"), self.mirror("wrong", "6.1.0")
        with mock.patch.dict(os.environ, {terraform.OWN_SETTING: str(right)}):
            self.assertEqual(terraform.find_plugins(), right.resolve())
        with mock.patch.dict(os.environ, {terraform.OWN_SETTING: str(wrong)}), self.assertRaisesRegex(CheckError, "TF_PLUGIN_DIR"):
            terraform.find_plugins()

    def test_without_a_provider_the_check_is_skipped_with_a_reason(self) -> None:
        old = self.mirror("old", "5.99.0")
        with self.without_setting(), mock.patch.object(terraform, "places", lambda: [old]):
            with self.assertRaisesRegex(Missing, "5.100.0 or later, below 6.0.0.*TF_PLUGIN_DIR=DIR"):
                terraform.find_plugins()

    def test_without_terraform_the_check_is_skipped_with_a_reason(self) -> None:
        with mock.patch("shutil.which", lambda _: None), self.assertRaisesRegex(Missing, "no terraform command"):
            terraform.find()

    def test_a_packed_mirror_is_found(self) -> None:
        packed = self.folder / "packed" / "host" / "hashicorp" / "aws"
        packed.mkdir(parents=True)
        (packed / "terraform-provider-aws_5.101.2_linux_amd64.zip").touch()
        with self.without_setting(), mock.patch.object(terraform, "places", lambda: [self.folder / "packed"]):
            self.assertEqual(terraform.find_plugins(), self.folder / "packed")

    @staticmethod
    def without_setting() -> contextlib.AbstractContextManager:
        return mock.patch.dict(os.environ, {terraform.OWN_SETTING: ""})


class Packages(unittest.TestCase):
    def test_a_package_of_the_same_program_is_the_same(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program, first, second = (Path(folder) / name for name in ("program", "a.zip", "b.zip"))
            program.write_bytes(b"program")
            packages.write(program, first)
            os.utime(program, (0, 0))
            packages.write(program, second)
            self.assertEqual(first.read_bytes(), second.read_bytes())
            [entry] = zipfile.ZipFile(first).infolist()
            self.assertEqual((entry.filename, entry.external_attr >> 16), ("bootstrap", 0o100755))


class Unknown(unittest.TestCase):
    def test_a_plan_that_leaves_a_setting_unknown_is_no_basis(self) -> None:
        change = {"type": "aws_sqs_queue", "change": {"after_unknown": {"redrive_policy": True, "arn": True, "delay_seconds": True}}}
        self.assertEqual(plans.unknown_of(change, {"redrive_policy"}), ["redrive_policy"])
        self.assertEqual(plans.unknown_of(change, set()), [])


if __name__ == "__main__":
    unittest.main()
