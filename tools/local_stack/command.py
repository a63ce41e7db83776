"""What every command of the local stack does first and last. Needs nothing that is installed."""

import os
import sys

from . import TOOLS, StackError

PYTHON = TOOLS / "venv" / "bin" / "python"


def use_installed_python():
    """Goes on with the Python that has what is installed, wherever it was started."""
    if not PYTHON.exists():
        sys.exit(f"{sys.argv[0]}: install what it runs with first: tools/install")
    if sys.executable != str(PYTHON):
        os.execv(PYTHON, [PYTHON, "-B", *sys.argv])
    forget_surroundings()


def forget_surroundings():
    """Keeps the caller's AWS accounts and proxies out of it: everything is on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"


def run(name, body):
    """Runs a command, and tells in one sentence why it could not be done."""
    try:
        body()
        sys.stdout.flush()
    except StackError as error:
        sys.exit(f"{name}: {error}")
    except BrokenPipeError:
        # Who read the output wanted no more. Not by an exception: Python would try to write the rest.
        os._exit(141)
