"""DynamoDB Local and MiniStack, on free ports of loopback."""

import random
import socket
import sys
import time
import urllib.error
import urllib.request

from . import TOOLS, StackError, processes

# Starting takes two seconds on an idle machine.
START_S = 60.0

REGION = "us-east-1"

# Below those that Linux gives to outgoing connections: one of these might take a port between its choice and its use.
PORTS = range(15_000, 32_000)


def free_ports(count):
    """Ports that nobody listens on."""
    return [port for port in random.sample(PORTS, 100) if is_free(port)][:count]


def is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


class Servers:
    """The two servers of one stack."""

    def __init__(self, stack_id, state, ends_with_caller):
        self.stack_id, self.state, self.ends_with_caller = stack_id, state, ends_with_caller
        dynamodb_port, ministack_port = free_ports(2)
        self.dynamodb_url = f"http://127.0.0.1:{dynamodb_port}"
        self.ministack_url = f"http://127.0.0.1:{ministack_port}"
        self.started = {}

    def start(self):
        """Starts both, and waits until they answer."""
        self.start_dynamodb()
        self.start_ministack()
        # An unsigned request is refused: that is an answer.
        self.wait_for("dynamodb", self.dynamodb_url)
        self.wait_for("ministack", f"{self.ministack_url}/_ministack/health")

    def pids(self):
        return {name: process.pid for name, process in self.started.items()}

    def log(self, name):
        return self.state / f"{name}.log"

    def launch(self, name, command, environment, directory):
        self.started[name] = processes.start(
            self.stack_id, command, self.log(name), environment, directory, self.ends_with_caller
        )

    def start_dynamodb(self):
        directory = TOOLS / "dynamodb-local"
        port = self.dynamodb_url.rpartition(":")[2]
        # Of the options of Java, some are for a quick start; IPv4 is what loopback.c knows.
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx1g", "-Djava.net.preferIPv4Stack=true"]
        program = [f"-Djava.library.path={directory}/DynamoDBLocal_lib", "-jar", f"{directory}/DynamoDBLocal.jar"]
        options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", port]
        environment = {"LD_PRELOAD": str(TOOLS / "dynamodb" / "loopback.so")}
        self.launch("dynamodb", java + program + options, environment, directory)

    def start_ministack(self):
        temporary = self.state / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {
            "GATEWAY_PORT": self.ministack_url.rpartition(":")[2],
            "BIND_HOST": "127.0.0.1",
            # In the URLs of queues: `localhost` may be IPv6, where nobody listens.
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            # MiniStack removes containers that it takes for its own. There are none: let it find no engine.
            "DOCKER_HOST": f"unix://{temporary}/no-docker",
            # What the function calls, unless its own environment names another endpoint for a service.
            "AWS_ENDPOINT_URL": self.ministack_url,
            "TMPDIR": str(temporary),
            "HOME": str(temporary),
        }
        self.launch("ministack", [sys.executable, "-m", "ministack"], environment, self.state)

    def wait_for(self, name, url):
        deadline = time.monotonic() + START_S
        while True:
            if self.started[name].poll() is not None:
                raise StackError(f"{name} ended at once", name)
            try:
                urllib.request.urlopen(url, timeout=1).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise StackError(f"{name} did not answer within {START_S:.0f} s", name) from None
                time.sleep(0.05)
