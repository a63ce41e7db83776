"""Makes template.yaml's queues in compose.yaml's SQS, with all their settings. Safe to repeat.

  python compose_queues.py TEMPLATE

Runs in MiniStack's image. Waits until SQS and DynamoDB answer, so that whatever runs after it need not.
"""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request

import botocore.session
import yaml

# What the template's names are made of. MiniStack's account is always this one.
NAMES = {
    "AWS::StackName": "loadgate",
    "AWS::Partition": "aws",
    "AWS::Region": os.environ["AWS_REGION"],
    "AWS::AccountId": "000000000000",
}

# How long the servers may take to start, on a busy machine.
START_S = 120.0


class Template(yaml.SafeLoader):
    """CloudFormation's YAML. Of its functions it knows what a queue's settings use; names stay `${NAME}`."""


def function(loader, name, node):
    if name == "Sub":
        # With a list of values, it is no setting of a queue.
        return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None
    return f"${{{node.value}}}" if name in ("Ref", "GetAtt") else None


Template.add_multi_constructor("!", function)


def main(template):
    sqs_url = os.environ["AWS_ENDPOINT_URL_SQS"]
    for url in (sqs_url, os.environ["AWS_ENDPOINT_URL_DYNAMODB"]):
        wait_for(url)
    sqs = botocore.session.get_session().create_client("sqs", os.environ["AWS_REGION"], endpoint_url=sqs_url)
    with open(template, encoding="utf-8") as text:
        parsed = yaml.load(text, Template)
    parameters = {key: str(one["Default"]) for key, one in parsed["Parameters"].items()}
    for settings in queues(parsed["Resources"], NAMES | parameters):
        name = settings.pop("QueueName")
        sqs.create_queue(QueueName=name, Attributes={key: attribute(value) for key, value in settings.items()})
        print(f"{name} is there", flush=True)


def queues(resources, names):
    """The settings of all queues, a dead-letter queue before the one that names it."""
    found = {key: one["Properties"] for key, one in resources.items() if one["Type"] == "AWS::SQS::Queue"}
    arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:"
    arns = {f"{key}.Arn": resolved(arn + settings["QueueName"], names) for key, settings in found.items()}
    return sorted(resolved(list(found.values()), names | arns), key=lambda settings: "RedrivePolicy" in settings)


def resolved(value, names):
    return json.loads(re.sub(r"\$\{(.+?)\}", lambda found: names[found[1]], json.dumps(value)))


def attribute(value):
    """As the API wants it: everything is a string. CloudFormation calls the settings by the API's names."""
    return value if isinstance(value, str) else json.dumps(value)


def wait_for(url):
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            # An unsigned request is refused: that is an answer.
            return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{url} does not answer: {error}")
            time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1])
