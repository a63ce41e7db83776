"""Events, and the functions that get them."""

import json

from . import StackError

# By the service that the records of an event come from.
FUNCTIONS = {"aws:sqs": "decide", "aws:kinesis": "limits"}


def is_step(record):
    """Whether a record is a step of an assignment job: the name of its queue tells."""
    return record["eventSource"] == "aws:sqs" and record.get("eventSourceARN", "").endswith("-assignments")


def function_of(event):
    """The name of the program of the function that gets events of this kind."""
    event = json.loads(event)
    if isinstance(event, dict) and "routeKey" in event:
        return "api"
    try:
        record = event["Records"][0]
        return "assign" if is_step(record) else FUNCTIONS[record["eventSource"]]
    except (KeyError, IndexError, TypeError):
        raise StackError("the event does not tell which function it is for: name it: FUNCTION=decide, or --function decide") from None
