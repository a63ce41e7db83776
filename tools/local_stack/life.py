"""A stack's life: its beginning, whole or not at all, and its end."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import tempfile
import uuid
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from . import ROOT, TOOLS, StackError, processes
from .deploy import Deployment
from .servers import Servers

# Where the stacks of `tools/stack run` are.
OWN_STACKS = ROOT / ".local" / "run"

# How much of a log is shown when something went wrong.
LOG_TAIL_LINES = 8

# The directories whose stacks end when a signal ends this process, and how they do.
ENDING_WITH_US = {}


def up(state, programs):
    """Brings up a stack in a directory, unless it is running there.

    Says what is where, whether it is new, and which servers of the one before had died.
    """
    state.mkdir(parents=True, exist_ok=True)
    state = state.resolve()
    with locked(state):
        facts, died = found(state)
        if facts and not died:
            return facts, False, died
        end(state)
        with ending_with_us(state, end):
            return begin(state, programs, ends_with_caller=False), True, died


def down(state):
    """Ends a directory's stack. Says whether there was anything to end."""
    if not state.is_dir():
        return False
    with locked(state):
        return end(state)


def standing(state):
    """What is where in a stack that is running. None if it is not, or not wholly."""
    facts, died = found(state)
    return None if died else facts


def found(state):
    """What is where in a stack that was brought up, or None, and which of its servers have died."""
    try:
        facts = json.loads((state / "stack.json").read_text())
    except FileNotFoundError:
        return None, []
    running = set(processes.running(facts["stack_id"]))
    return facts, [name for name, pid in facts["pids"].items() if pid not in running]


def older_builds(facts, programs):
    """The names of a stack's programs that are not those at the paths. A path where there is none does not count."""
    return [name for name, program in programs.items() if program.exists() and is_older(facts, name, program)]


def is_older(facts, name, program):
    return facts["program_sha256"].get(name) != digest(program)


def digest(program):
    return hashlib.sha256(program.read_bytes()).hexdigest()


@contextlib.contextmanager
def own_stack(programs):
    """A stack in a directory of its own, both gone afterwards. Clears away what is left of those that were killed."""
    OWN_STACKS.mkdir(parents=True, exist_ok=True)
    with locked(OWN_STACKS):
        for left in OWN_STACKS.iterdir():
            if left.is_dir() and is_abandoned(left):
                discard(left)
        state = Path(tempfile.mkdtemp(dir=OWN_STACKS))
        lock = lock_file(state)
        fcntl.flock(lock, fcntl.LOCK_EX)
    with ending_with_us(state, discard):
        try:
            yield begin(state, programs, ends_with_caller=True)
        finally:
            discard(state)
            os.close(lock)


@contextlib.contextmanager
def ending_with_us(state, finish):
    ENDING_WITH_US[state] = finish
    try:
        yield
    finally:
        del ENDING_WITH_US[state]


def stop_on_signals():
    """Has this process end, with its stacks, when it is told to."""

    def stop(signum, _frame):
        # Not by an exception: Python drops one that is raised while it discards an object.
        for state, finish in ENDING_WITH_US.items():
            finish(state)
        os._exit(128 + signum)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)


def begin(state, programs, ends_with_caller):
    """Brings up a stack, or nothing."""
    check(programs)
    stack_id = uuid.uuid4().hex
    # Before anything is started, so that it can be ended whatever happens.
    (state / "id").write_text(stack_id)
    for log in state.glob("*.log"):
        log.unlink()
    servers = Servers(stack_id, state, ends_with_caller)
    try:
        servers.start()
        facts = Deployment(servers).deploy(programs)
    except BaseException as error:
        told = explained(error, servers)
        end(state)
        raise told from error
    facts |= {"stack_id": stack_id, "state_directory": str(state), "pids": servers.pids()}
    facts |= {"program_sha256": {name: digest(program) for name, program in programs.items()}}
    # Whole or not at all, for those who read it meanwhile.
    (state / "stack.json.new").write_text(json.dumps(facts, indent=2) + "\n")
    (state / "stack.json.new").rename(state / "stack.json")
    return facts


def check(programs):
    if not (TOOLS / "dynamodb-local" / "DynamoDBLocal.jar").exists():
        raise StackError("install what it runs with first: tools/install")
    for program in programs.values():
        if not os.access(program, os.X_OK):
            raise StackError(f"there is no program at {program}: `make build` builds it, --programs names another folder")


def end(state):
    """Ends the processes that were started in a directory's name. Its logs stay, for who wants to know."""
    try:
        stack_id = (state / "id").read_text()
    except FileNotFoundError:
        return False
    processes.end(stack_id)
    shutil.rmtree(state / "tmp", ignore_errors=True)
    (state / "stack.json").unlink(missing_ok=True)
    (state / "id").unlink(missing_ok=True)
    return True


def discard(state):
    end(state)
    shutil.rmtree(state, ignore_errors=True)


def is_abandoned(state):
    lock = lock_file(state)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


def lock_file(directory):
    return os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def locked(directory):
    """Two at once wait for one another."""
    lock = lock_file(directory)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def explained(error, servers):
    """The error, with the end of the log that says more of it."""
    if isinstance(error, (BotoCoreError, ClientError)):
        error = StackError(str(error), "ministack")
    if not isinstance(error, StackError) or not error.server:
        return error
    lines = servers.log(error.server).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return StackError("\n".join([f"{error}", f"The end of {error.server}'s log:", *(f"  {line}" for line in lines)]))
