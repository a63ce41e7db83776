"""template.yaml in MiniStack, and its tables in DynamoDB Local."""

import io
import json
import platform
import time
import zipfile
from dataclasses import dataclass

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

from . import ROOT, StackError
from .servers import REGION

TEMPLATE = ROOT / "template.yaml"
STACK = "loadgate"
BUCKET = "loadgate-code"


@dataclass(frozen=True)
class Function:
    """A function of the template, by its logical ids, and an event that changes nothing."""

    resource: str
    log_group: str
    probe: dict


GET_OPENAPI = {
    "version": "2.0",
    "routeKey": "GET /openapi.json",
    "rawPath": "/openapi.json",
    "rawQueryString": "",
    "headers": {},
    "requestContext": {
        "accountId": "000000000000",
        "apiId": "probe",
        "domainName": "probe",
        "domainPrefix": "probe",
        "http": {
            "method": "GET",
            "path": "/openapi.json",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "probe",
        },
        "requestId": "probe",
        "routeKey": "GET /openapi.json",
        "stage": "$default",
        "time": "05/Jan/2026:10:00:00 +0000",
        "timeEpoch": 1767607200000,
    },
    "isBase64Encoded": False,
}

# The template's functions, by their programs' names.
FUNCTIONS = {
    "decide": Function("LoadgateFunction", "FunctionLogGroup", {"Records": []}),
    "limits": Function("LimitsFunction", "LimitsFunctionLogGroup", {"Records": []}),
    "assign": Function("AssignFunction", "AssignFunctionLogGroup", {"Records": []}),
    "api": Function("ApiFunction", "ApiFunctionLogGroup", GET_OPENAPI),
}

# Deploying takes a second.
DEPLOY_S = 60.0


def client(service, url):
    """A client of a server on this machine, which looks at no credentials."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 2}, connect_timeout=2, read_timeout=60),
    )


def known_to_ministack(template):
    """The template without alarms on metric math, which MiniStack refuses. Numbers of mappings are written out: it takes a
    parameter's value for a text, and then reads no queue at all."""
    resources = template["Resources"].items()
    template["Resources"] = {key: one for key, one in resources if "Metrics" not in one.get("Properties", {})}
    for resource in template["Resources"].values():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            scaling = event["Properties"].get("ScalingConfig", {})
            for key, value in scaling.items():
                scaling[key] = int(template["Parameters"][value["Ref"]]["Default"])
    return template


class Deployment:
    """The template's stack."""

    def __init__(self, servers):
        self.servers = servers
        self.template = known_to_ministack(yaml_parse(TEMPLATE.read_text()))
        self.cloudformation = client("cloudformation", servers.ministack_url)
        self.lambda_ = client("lambda", servers.ministack_url)
        self.s3 = client("s3", servers.ministack_url)

    def deploy(self, programs):
        """Deploys, and waits until messages are decided. Says what is where."""
        self.s3.create_bucket(Bucket=BUCKET)
        for name, program in programs.items():
            self.upload(name, program)
        outputs = self.create_stack()
        self.create_tables()
        functions = {name: self.physical_id(function.resource) for name, function in FUNCTIONS.items()}
        for name, function in functions.items():
            self.point_function_at_dynamodb(function)
            self.wait_for_function(function)
            self.check_that_function_starts(function, FUNCTIONS[name].probe)
        return {
            "dynamodb_endpoint_url": self.servers.dynamodb_url,
            "sqs_endpoint_url": self.servers.ministack_url,
            "lambda_endpoint_url": self.servers.ministack_url,
            "input_queue_url": outputs["InputQueueUrl"],
            "decisions_queue_url": outputs["DecisionsQueueUrl"],
            "dead_letter_queue_url": outputs["DeadLetterQueueUrl"],
            "limit_dead_letter_queue_url": outputs["LimitDeadLetterQueueUrl"],
            "assignment_queue_url": outputs["AssignmentQueueUrl"],
            "assignment_dead_letter_queue_url": outputs["AssignmentDeadLetterQueueUrl"],
            "kinesis_endpoint_url": self.servers.ministack_url,
            "limit_stream": outputs["LimitStreamName"],
            # Not the API's own address: nobody resolves the names of its hosts here.
            "api_url": f"{self.servers.ministack_url}/_aws/execute-api/{self.physical_id('HttpApi')}",
            "function_names": functions,
            "log_group_names": {name: self.physical_id(one.log_group) for name, one in FUNCTIONS.items()},
            "correlation_table": outputs["CorrelationTableName"],
            "load_table": outputs["LoadTableName"],
            "limit_table": outputs["LimitTableName"],
            "decision_log_table": outputs["DecisionLogTableName"],
        }

    def upload(self, name, program):
        """Packages a program as `sam package` does, and lets the template say where it is."""
        package = io.BytesIO()
        # Uncompressed: it goes nowhere.
        with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
            archive.write(program, "bootstrap")
        package.seek(0)
        self.s3.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=package)
        self.template["Resources"][FUNCTIONS[name].resource]["Properties"]["CodeUri"] = f"s3://{BUCKET}/{name}.zip"

    def create_stack(self):
        architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
        # The decision log is on, so that it can be looked at. MiniStack takes the number as text, as CloudFormation does.
        parameters = {"Architecture": architecture, "DecisionLogDays": "30"}
        # By way of a bucket, as `sam deploy` does it: it is longer than a request may be.
        self.s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(self.template).encode())
        self.cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=f"{self.servers.ministack_url}/{BUCKET}/template.json",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        stack = self.wait_for("the stack", self.stack, lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"))
        if stack["StackStatus"] != "CREATE_COMPLETE":
            raise StackError(f"the template was not deployed: {stack['StackStatus']}: {self.reason()}", "ministack")
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def stack(self):
        return self.cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]

    def reason(self):
        """What went wrong first."""
        events = self.cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]
        return reasons[-1] if reasons else "no reason given"

    def create_tables(self):
        """Makes the template's tables in DynamoDB Local: MiniStack has a DynamoDB of its own, but not the real one."""
        dynamodb = client("dynamodb", self.servers.dynamodb_url)
        for logical_id, resource in self.template["Resources"].items():
            if resource["Type"] == "AWS::DynamoDB::Table":
                properties = resource["Properties"]
                name = self.physical_id(logical_id)
                taken_over = {key: properties[key] for key in ("KeySchema", "AttributeDefinitions")}
                # On demand, whatever TableCapacity says: DynamoDB Local throttles nothing.
                dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **taken_over)
                if "TimeToLiveSpecification" in properties:
                    time_to_live = properties["TimeToLiveSpecification"]
                    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=time_to_live)

    def physical_id(self, logical_id):
        detail = self.cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return detail["StackResourceDetail"]["PhysicalResourceId"]

    def point_function_at_dynamodb(self, function):
        """SQS it finds by itself: MiniStack tells its functions where it is."""
        configuration = self.lambda_.get_function_configuration(FunctionName=function)
        variables = configuration["Environment"]["Variables"]
        variables["AWS_ENDPOINT_URL_DYNAMODB"] = self.servers.dynamodb_url
        self.lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": variables})

    def wait_for_function(self, function):
        def configuration():
            return self.lambda_.get_function_configuration(FunctionName=function)

        def mappings():
            return self.lambda_.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]

        def is_ready(configuration):
            return configuration["State"] == "Active" and configuration["LastUpdateStatus"] == "Successful"

        self.wait_for("the function", configuration, is_ready)
        # The function of the API has none.
        self.wait_for("the event source mapping", mappings, lambda all_: all(one["State"] == "Enabled" for one in all_))

    def check_that_function_starts(self, function, probe):
        """Otherwise, a program for another processor would only be noticed by silence."""
        answer = self.lambda_.invoke(FunctionName=function, Payload=json.dumps(probe))
        payload = answer["Payload"].read().decode()
        if answer.get("FunctionError"):
            raise StackError(f"{function} does not start: {payload}", "ministack")

    def wait_for(self, what, get, is_ready):
        deadline = time.monotonic() + DEPLOY_S
        while True:
            found = get()
            if is_ready(found):
                return found
            if time.monotonic() > deadline:
                raise StackError(f"{what} was not ready within {DEPLOY_S:.0f} s", "ministack")
            time.sleep(0.05)


def log_lines(facts, functions=tuple(FUNCTIONS)):
    """The functions' log, in order."""
    logs = client("logs", facts["lambda_endpoint_url"])
    events = []
    for group in [facts["log_group_names"][name] for name in functions]:
        try:
            streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        except ClientError as error:
            raise StackError(f"there is no log: {error}") from error
        for stream in streams:
            name = stream["logStreamName"]
            events += logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
    return [event["message"] for event in sorted(events, key=lambda event: event["timestamp"])]
