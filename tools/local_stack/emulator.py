"""AWS Lambda's own emulator of its runtime, which `sam local invoke` runs in a container. It needs none."""

import json
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from . import TOOLS, StackError, processes
from .deploy import client
from .servers import REGION, free_ports

# Nobody looks at them, but the SDKs want some.
CREDENTIALS = {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

# Starting takes a tenth of a second.
START_S = 10.0


def invoke(facts, function, program, event):
    """Runs one event through a program, with the settings of a stack's function. Says its answer, and its log."""
    configuration = client("lambda", facts["lambda_endpoint_url"]).get_function_configuration(
        FunctionName=facts["function_names"][function]
    )
    address, runtime_address = (f"127.0.0.1:{port}" for port in free_ports(2))
    command = [TOOLS / "aws-lambda-rie", "--log-level", "error"]
    command += ["--runtime-interface-emulator-address", address, "--runtime-api-address", runtime_address]
    emulator_id = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        command.append(Path(program).resolve())
        processes.start(emulator_id, command, log, environment(facts, configuration), directory, ends_with_parent=True)
        try:
            answer = post(address, event, configuration["Timeout"])
        finally:
            processes.end(emulator_id)
            lines = log.read_text(errors="replace").splitlines()
    return answer, lines


def environment(facts, configuration):
    return {
        **CREDENTIALS,
        **configuration["Environment"]["Variables"],
        "AWS_ENDPOINT_URL_DYNAMODB": facts["dynamodb_endpoint_url"],
        "AWS_ENDPOINT_URL_SQS": facts["sqs_endpoint_url"],
        "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(configuration["Timeout"]),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
    }


def post(address, event, timeout_s):
    request = urllib.request.Request(f"http://{address}/2015-03-31/functions/function/invocations", data=event)
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=timeout_s + START_S) as answer:
                return json.dumps(json.load(answer))
        except urllib.error.HTTPError as error:
            return error.read().decode(errors="replace")
        except OSError as error:
            if time.monotonic() > deadline:
                raise StackError(f"the emulator did not answer: {error}") from error
            time.sleep(0.02)
