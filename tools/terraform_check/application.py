"""terraform/ in MiniStack: applied, used, planned again, and destroyed."""

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack import life
from local_stack.deploy import client
from local_stack.servers import Servers

from . import MODULE, PROGRAMS, ROOT, CheckError, packages, plans
from .terraform import Terraform

SERVICES = ("apigatewayv2", "cloudformation", "cloudwatch", "cloudwatchlogs", "dynamodb", "iam", "kinesis", "lambda", "sqs", "sts")

# Whose settings MiniStack does not give back as it got them: a plan always finds them changed.
ALWAYS_CHANGED = {"aws_cloudwatch_metric_alarm"}

# Queues are waited for, 25 s each: as many as possible at once.
AT_ONCE = "-parallelism=40"

ATTEMPT = {"id": "1", "customer_id": "528", "load_amount": "$3318.47", "time": "2000-01-01T00:00:00Z"}
DECIDE_S = 60.0

# Whose capacity can be switched, by their labels and names. MiniStack has no Application Auto Scaling, so nothing else is applied then.
SWITCHED = {"correlation_table": "EventCorrelationTable", "load_table": "DailyCustomerLoadTable"}
TARGETS = tuple(f"-target=module.loadgate.aws_dynamodb_table.{label}" for label in SWITCHED)


def run(terraform: Terraform, programs: Path | None) -> str:
    life.stop_on_signals()
    found = programs or last_build()
    with tempfile.TemporaryDirectory(prefix="loadgate-terraform-") as temporary, ministack(Path(temporary) / "state") as url:
        work = Path(temporary) / "root"
        prepare(work, found, url)
        terraform.init(work)
        try:
            terraform.run(work, "apply", "-no-color", "-input=false", "-auto-approve", AT_ONCE)
            decided = decide(terraform, work, url) if found else "no program to decide with, as nothing is built"
            unchanged = check_that_nothing_changes(terraform, work)
            switched = check_that_a_switch_keeps_the_tables(terraform, work, url)
        finally:
            # Also what an apply that broke off has made.
            terraform.run(work, "destroy", "-no-color", "-input=false", "-auto-approve", "-refresh=false", AT_ONCE)
        check_that_nothing_is_left(url)
    return f"applied; {decided}; {unchanged}; {switched}; destroyed"


def last_build() -> Path | None:
    """The folder of the newest build that has all programs."""
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    built = [one for one in (target / "debug", target / "release") if all((one / name).exists() for name in PROGRAMS)]
    return max(built, key=lambda one: (one / PROGRAMS[0]).stat().st_mtime, default=None)


@contextmanager
def ministack(state: Path) -> Iterator[str]:
    """MiniStack on a free port. It ends with this process, whatever happens."""
    state.mkdir()
    stack_id = uuid.uuid4().hex
    (state / "id").write_text(stack_id)
    servers = Servers(stack_id, state, ends_with_caller=True)
    with life.ending_with_us(state, life.end):
        try:
            servers.start_ministack()
            servers.wait_for("ministack", f"{servers.ministack_url}/_ministack/health")
            yield servers.ministack_url
        finally:
            life.end(state)


def prepare(work: Path, programs: Path | None, url: str) -> None:
    """A root whose provider finds MiniStack, over a copy of the module that lets its tables and its stream be destroyed."""
    module = work / "module"
    shutil.copytree(MODULE, module, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    for file in module.glob("*.tf"):
        text = file.read_text()
        for protection in ("prevent_destroy", "deletion_protection_enabled"):
            text = text.replace(f"{protection} = true", f"{protection} = false")
        file.write_text(text)
    zips = pack(programs, work / "zips") if programs else plans.write_placeholders(work / "zips")
    endpoints = "".join(f'    {service} = "{url}"\n' for service in SERVICES)
    provider = plans.PROVIDER.rstrip().removesuffix("}") + f"\n  endpoints {{\n{endpoints}  }}\n}}\n"
    given = {"package_directory": str(zips), "architecture": "arm64" if platform.machine() == "aarch64" else "x86_64"}
    plans.write_root(work, {"loadgate": given}, "./module", provider)


def switch(terraform: Terraform, work: Path, capacity: str) -> None:
    """Applies another capacity to the tables."""
    set_capacity(work, capacity)
    terraform.run(work, "apply", "-no-color", "-input=false", "-auto-approve", *TARGETS)


def set_capacity(work: Path, capacity: str) -> None:
    calls = work / "calls.tf.json"
    parts = json.loads(calls.read_text())
    parts["module"]["loadgate"]["table_capacity"] = capacity
    calls.write_text(json.dumps(parts))


def pack(programs: Path, zips: Path) -> Path:
    """The packages of programs of this machine, without their symbols: a debug build is large."""
    for name in PROGRAMS:
        program = programs / name
        if not program.exists():
            raise CheckError(f"there is no program at {program}: `make build` builds it, --programs names another folder")
        if shutil.which("strip"):
            zips.mkdir(parents=True, exist_ok=True)
            subprocess.run(["strip", "--strip-all", "-o", zips / name, program], check=True)
            program = zips / name
        packages.write(program, zips / f"{name}.zip", level=1)
    return zips


def decide(terraform: Terraform, work: Path, url: str) -> str:
    """Sends an attempt, and waits for its decision."""
    said = json.loads(terraform.run(work, "output", "-json").stdout)
    outputs = said["loadgate"]["value"]
    sqs = client("sqs", url)
    sqs.send_message(
        QueueUrl=outputs["input_queue_url"],
        MessageBody=json.dumps(ATTEMPT),
        MessageGroupId=ATTEMPT["customer_id"],
        MessageDeduplicationId=ATTEMPT["id"],
    )
    deadline = time.monotonic() + DECIDE_S
    while time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=outputs["decisions_queue_url"], WaitTimeSeconds=2)
        for message in answer.get("Messages", []):
            decision = json.loads(message["Body"])
            if (decision["id"], decision["accepted"]) != (ATTEMPT["id"], True):
                raise CheckError(f"another decision than that of {ATTEMPT}: {decision}")
            return "an attempt on the input queue was decided"
    raise CheckError(f"an attempt on the input queue was not decided within {DECIDE_S:.0f} s")


def check_that_nothing_changes(terraform: Terraform, work: Path) -> str:
    """A second plan changes nothing: what AWS gives back is what the module says."""
    ended = terraform.run(
        work, "plan", "-no-color", "-input=false", "-out=again", "-detailed-exitcode", AT_ONCE, accepted=(0, 2)
    )
    if ended.returncode == 0:
        return "a second plan changes nothing"
    changes = json.loads(terraform.run(work, "show", "-json", "again").stdout)["resource_changes"]
    changed = [one for one in changes if one["change"]["actions"] not in (["no-op"], ["read"])]
    told = [f"{one['address']}: {differing(one['change'])}" for one in changed if one["type"] not in ALWAYS_CHANGED]
    if told:
        raise CheckError("a second plan changes what the first has made:\n  " + "\n  ".join(told))
    return f"a second plan changes nothing but the {len(changed)} alarms, which MiniStack does not give back as they are"


def check_that_a_switch_keeps_the_tables(terraform: Terraform, work: Path, url: str) -> str:
    """To provisioned capacity and back, with what auto scaling does in between."""
    dynamodb = client("dynamodb", url)

    def tables() -> list[dict]:
        return [dynamodb.describe_table(TableName=name)["Table"] for name in SWITCHED.values()]

    def check(mode: str) -> None:
        found = {one["TableName"]: one["BillingModeSummary"]["BillingMode"] for one in tables()}
        if set(found.values()) != {mode}:
            raise CheckError(f"the tables are not {mode} after a switch: {found}")
        if [one["TableId"] for one in tables()] != before:
            raise CheckError(f"a switch to {mode} replaces a table")

    before = [one["TableId"] for one in tables()]
    switch(terraform, work, "Provisioned")
    check("PROVISIONED")
    units = tables()[0]["ProvisionedThroughput"]["WriteCapacityUnits"]
    scaled = {"ReadCapacityUnits": 700, "WriteCapacityUnits": 900}
    for name in SWITCHED.values():
        dynamodb.update_table(TableName=name, ProvisionedThroughput=scaled)
    check_that_the_tables_stay(terraform, work, "a plan takes back what auto scaling has set")
    switch(terraform, work, "OnDemand")
    check("PAY_PER_REQUEST")
    for name in SWITCHED.values():
        dynamodb.update_table(TableName=name, BillingMode="PROVISIONED", ProvisionedThroughput=scaled)
    set_capacity(work, "Provisioned")
    check_that_the_tables_stay(terraform, work, "a plan changes tables that were switched by hand")
    switch(terraform, work, "OnDemand")
    return f"a switch to provisioned capacity, which begins with {units} unit, and back keeps the tables and what auto scaling sets"


def check_that_the_tables_stay(terraform: Terraform, work: Path, otherwise: str) -> None:
    ended = terraform.run(work, "plan", "-no-color", "-input=false", "-detailed-exitcode", *TARGETS, accepted=(0, 2))
    if ended.returncode:
        raise CheckError(f"{otherwise}:\n{ended.stdout}")


def differing(change: dict) -> str:
    before, after = change["before"] or {}, change["after"] or {}
    names = [name for name in after if after[name] != before.get(name)]
    return ", ".join(f"{name} from {before.get(name)} to {after[name]}" for name in names) or ", ".join(change["actions"])


def check_that_nothing_is_left(url: str) -> None:
    left = client("sqs", url).list_queues().get("QueueUrls", [])
    left += client("dynamodb", url).list_tables()["TableNames"]
    left += [one["FunctionName"] for one in client("lambda", url).list_functions()["Functions"]]
    left += client("kinesis", url).list_streams()["StreamNames"]
    left += [one["RoleName"] for one in client("iam", url).list_roles()["Roles"]]
    if left:
        raise CheckError(f"terraform destroy leaves {', '.join(left)}")
