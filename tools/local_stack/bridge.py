"""A way from Docker's containers to servers that listen on loopback only."""

import contextlib
import ipaddress
import json
import shutil
import socket
import subprocess
import threading

from . import StackError

CHUNK_BYTES = 64 * 1024


def docker_gateway():
    """This machine's address in Docker's own network, which nobody else reaches."""
    if not shutil.which("docker"):
        raise StackError("there is no Docker on this machine; `make invoke` does without")
    inspect = ["docker", "network", "inspect", "bridge", "--format", "{{json (index .IPAM.Config 0)}}"]
    result = subprocess.run(inspect, capture_output=True, text=True, check=False)
    if result.returncode:
        raise StackError(f"no Docker engine answers: {result.stderr.strip()} `make invoke` does without")
    network = json.loads(result.stdout)
    # Older engines do not say it; it is the first of the network.
    return network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))


class Bridge:
    """Passes connections on while it is open."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.listening = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listening:
            listener.close()

    def to(self, url):
        """The URL by which containers reach a server."""
        host, port = url.removeprefix("http://").split(":")
        listener = socket.create_server((self.gateway, 0))
        self.listening.append(listener)
        threading.Thread(target=accept, args=(listener, (host, int(port))), daemon=True).start()
        return f"http://{self.gateway}:{listener.getsockname()[1]}"


def accept(listener, server):
    # Closing the listener ends it.
    with contextlib.suppress(OSError):
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(server)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source, sink):
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
