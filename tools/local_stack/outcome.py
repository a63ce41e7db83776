"""What came out of a stack, for people to read."""

from .deploy import client

QUEUES = {"decisions": "decisions_queue_url", "dead letters": "dead_letter_queue_url"}


def tell(facts):
    """Prints what is in the queues that the function sends to, and empties them."""
    sqs = client("sqs", facts["sqs_endpoint_url"])
    for what, queue in QUEUES.items():
        print(f"\n{what}")
        for message in messages(sqs, facts[queue]):
            attributes = message.get("MessageAttributes", {})
            values = [f"{name}: {attributes[name]['StringValue']}" for name in sorted(attributes)]
            print("\n    ".join([f"  {message['Body']}", *values]))


def messages(sqs, url):
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        if not answer.get("Messages"):
            return
        for message in answer["Messages"]:
            yield message
            # So that its customer's next one can be received.
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
