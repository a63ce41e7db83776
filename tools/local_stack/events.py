"""Events, and the functions that get them."""

import json

from . import StackError

# By the service that the records of an event come from.
FUNCTIONS = {"aws:sqs": "decide", "aws:kinesis": "limits"}


def function_of(event):
    """The name of the program of the function that gets events of this kind."""
    event = json.loads(event)
    if isinstance(event, dict) and "routeKey" in event:
        return "api"
    try:
        return FUNCTIONS[event["Records"][0]["eventSource"]]
    except (KeyError, IndexError, TypeError):
        raise StackError("the event does not tell which function it is for: name it: FUNCTION=decide, or --function decide") from None
