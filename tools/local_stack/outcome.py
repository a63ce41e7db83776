"""What came out of a stack, for people to read."""

import json

from boto3.dynamodb.types import TypeDeserializer

from .deploy import client

# What each function sends to.
QUEUES = {
    "decide": {"decisions": "decisions_queue_url", "dead letters": "dead_letter_queue_url"},
    "limits": {"limit dead letters": "limit_dead_letter_queue_url"},
    "assign": {},
    "api": {},
}


def tell(facts, function):
    """Prints what is in the queues that a function sends to, and empties them; and the limits, where it writes them."""
    sqs = client("sqs", facts["sqs_endpoint_url"])
    for what, queue in QUEUES[function].items():
        print(f"\n{what}")
        for message in messages(sqs, facts[queue]):
            attributes = message.get("MessageAttributes", {})
            values = [f"{name}: {attributes[name]['StringValue']}" for name in sorted(attributes)]
            print("\n    ".join([f"  {message['Body']}", *values]))
    if function in ("limits", "assign"):
        print("\nlimit table")
        for item in sorted(items(facts), key=lambda item: (item["PK"], item["SK"])):
            print(f"  {json.dumps(item, default=str)}")


def messages(sqs, url):
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        if not answer.get("Messages"):
            return
        for message in answer["Messages"]:
            yield message
            # So that its customer's next one can be received.
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def items(facts):
    dynamodb = client("dynamodb", facts["dynamodb_endpoint_url"])
    plain = TypeDeserializer().deserialize
    for page in dynamodb.get_paginator("scan").paginate(TableName=facts["limit_table"]):
        for item in page["Items"]:
            yield {name: plain(value) for name, value in item.items()}
