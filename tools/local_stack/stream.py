"""Limit events on a stack's stream."""

import json

from . import StackError
from .deploy import client

# Of a line that names no user: the function reports what is wrong with it.
NO_USER = "unknown"


def put(facts, path):
    """Puts each line of a file on the stream, in order. Says how many there were."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise StackError(f"could not read the limit events: {error}") from error
    kinesis = client("kinesis", facts["kinesis_endpoint_url"])
    for line in lines:
        # One by one: of a request with several records, some may be refused, and others get ahead of them.
        kinesis.put_record(StreamName=facts["limit_stream"], PartitionKey=partition_key(line), Data=line)
    return len(lines)


def partition_key(line):
    """The user, as producers of limit events have it: each user's events stay in order."""
    try:
        return str(json.loads(line)["payload"]["userId"]) or NO_USER
    except (ValueError, KeyError, TypeError):
        return NO_USER
