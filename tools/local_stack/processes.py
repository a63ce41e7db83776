"""The processes of a stack.

Each carries the stack's id in its environment, and so does whatever it starts: the function's processes are MiniStack's
children. So a stack ends exactly what is its own, whoever has died meanwhile and whichever pids have been used again.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

MARK = "LOADGATE_STACK_ID"

# How long a process may take to end by itself.
GRACE_S = 3.0
# How long the kernel may take to end it.
KILL_S = 5.0

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def start(stack_id, command, log, environment, directory, ends_with_parent):
    """Starts a server in a session of its own, out of reach of the terminal's Ctrl-C.

    Nothing of the caller's environment but PATH goes in: no credentials, and no settings of AWS's SDKs.
    """
    environment = {"PATH": os.environ.get("PATH", os.defpath), MARK: stack_id, **environment}

    def die_with_parent():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    with open(log, "ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent if ends_with_parent else None,
        )


def running(stack_id):
    """The pids of a stack's living processes."""
    mark = f"{MARK}={stack_id}".encode()
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and mark in environ(entry)]


def environ(process):
    """A process's variables: none where it has ended, or is somebody else's."""
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def end(stack_id):
    """Ends a stack's processes: asks them to, and makes those that do not."""
    for signum, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, KILL_S)):
        deadline = time.monotonic() + patience_s
        for pid in running(stack_id):
            send(pid, signum)
        while running(stack_id):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"processes {running(stack_id)} do not end")


def send(pid, signum):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)
