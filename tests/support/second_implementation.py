"""Deploys the translated template onto a second implementation of AWS and says what that refuses: LocalStack, in host mode.

``make second`` makes the environment that LocalStack needs, runs this, and writes docs/second-implementation.md. The template
is translated as CloudFormation would get it (loops unrolled, SAM expanded): LocalStack is asked about resources, not about
transforms. DynamoDB is moto's, because LocalStack would download Amazon's own, with Java; and no function runs.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from policies import created_resources
from translated_template import ROOT, translated_with

PYTHON = ROOT / ".venv-second" / "bin" / "python"
PAGE = ROOT / "docs" / "second-implementation.md"
HOME = ROOT / ".tocsin" / "second"
ACCOUNT, REGION, STACK = "123456789012", "us-east-1", "local"
PARAMETERS = {
    "LogGroupNames": "/aws/lambda/backend",
    "DeadLetterQueueNames": "worker-dlq",
    "QueueNames": "jobs",
    "FunctionNames": "backend",
    "AlarmNamePrefixes": "worker-",
    "SlackActions": "yes",
}
CHANGED = {"DeadLetterQueueNames": "worker-dlq,jobs-dlq", "SlackActions": "no"}
"""What the update changes: an alarm more, and everything of one condition gone."""

WAIT = 240
"""Seconds for a deploy, and for an alarm."""

_LAMBDA = "AWS::Lambda::Function"
_LOCALSTACK = """
# No function runs here: nothing is downloaded for one, and no container is prepared.
from localstack.services.lambda_.invocation.docker_runtime_executor import DockerRuntimeExecutor as Executor
Executor.prepare_version = Executor.cleanup_version = classmethod(lambda *_: None)
Executor.validate_environment = classmethod(lambda *_: True)
from localstack.runtime.main import main
main()
"""


@dataclass(slots=True)
class Found:
    """What came of it.

    Attributes:
        version: LocalStack's.
        ended: How the first deploy, an update and the removal ended, as CloudFormation says it.
        expected: The resources that the template makes with these parameters.
        made: Those that are there after the first deploy.
        passed_over: Types that LocalStack accepts and makes nothing of.
        refused: What was refused: the resource, its type, and the reason.
        alarm: The states of the alarm on the dead-letter queue, in order: a message in it, none any more.
        received: What the alarm's topic was told meanwhile: old and new state.
    """

    version: str
    ended: list[str] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    passed_over: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    alarm: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)


def main() -> int:
    """Deploy, look, write the page; 1 where something was refused, or the alarm did not do what it should."""
    with running() as endpoint:
        found = examine(endpoint)
    log = (HOME / "localstack.log").read_text("utf-8", "replace")
    found.passed_over = sorted(set(re.findall(r'No resource provider found for "([\w:]+)"', log)))
    text = page(found)
    PAGE.write_text(text, "utf-8")
    ended, states = [each.partition("_")[2] for each in found.ended], ["ALARM", "OK"]
    is_well = ended == ["COMPLETE"] * 3 and not found.refused and found.alarm == states
    sys.stdout.write(text)
    return int(not is_well)


@contextmanager
def running() -> Iterator[str]:
    """LocalStack, and moto for its tables, until the end; gives LocalStack's address."""
    home = HOME
    home.mkdir(parents=True, exist_ok=True)
    port, tables = _free_port(), _free_port()
    environ = {
        **os.environ,
        "GATEWAY_LISTEN": f"127.0.0.1:{port}", "DYNAMODB_LOCAL_PORT": str(tables), "DISABLE_EVENTS": "1",
        "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES": "1",
        "LOCALSTACK_VOLUME_DIR": str(home / "volume"), "FILESYSTEM_ROOT": str(home / "root"),
        "SKIP_SSL_CERT_DOWNLOAD": "1", "DNS_ADDRESS": "0", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    moto = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{tables}'])"
    started = []
    try:
        for name, program in (("moto", moto), ("localstack", _LOCALSTACK)):
            with (home / f"{name}.log").open("w") as log:
                started.append(
                    subprocess.Popen(
                        [PYTHON, "-c", program],
                        env=environ,
                        cwd=home,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
        endpoint = f"http://127.0.0.1:{port}"
        _until_ready(f"{endpoint}/_localstack/health", home / "localstack.log")
        yield endpoint
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def examine(endpoint: str) -> Found:
    """Deploy, and see which alarms evaluate."""
    with urllib.request.urlopen(f"{endpoint}/_localstack/health") as answer:
        found = Found(str(json.load(answer)["version"]))

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="x",
        )

    _create_what_is_watched(client)
    template = translated_with(PARAMETERS)
    found.expected = {name: each["Type"] for name, each in created_resources(template).items()}
    found.ended.append(_deployed(client, "create_stack", template))
    cloudformation = client("cloudformation")
    found.made = {
        each["LogicalResourceId"]
        for each in cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        if each["ResourceStatus"] == "CREATE_COMPLETE"
    }
    found.refused = [
        (each["LogicalResourceId"], each["ResourceType"], each["ResourceStatusReason"])
        for each in cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        if each["ResourceStatus"].endswith("FAILED") and each.get("ResourceStatusReason")
    ]
    if found.ended == ["CREATE_COMPLETE"]:
        _try_an_alarm(client, found)
        found.ended.append(_deployed(client, "update_stack", translated_with({**PARAMETERS, **CHANGED})))
        cloudformation.delete_stack(StackName=STACK)
        found.ended.append(_end(cloudformation))
    return found


def _deployed(client: Any, operation: str, template: dict[str, Any]) -> str:
    """Create or update the stack; how that ended."""
    client("s3").put_object(
        Bucket="code", Key="template.json", Body=json.dumps(deployable(template)).encode()
    )
    cloudformation = client("cloudformation")
    getattr(cloudformation, operation)(
        StackName=STACK,
        TemplateURL=f"{cloudformation.meta.endpoint_url}/code/template.json",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    return _end(cloudformation)


def _end(cloudformation: Any) -> str:
    """The stack's status once nothing is in progress; of one that is gone, that."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        except cloudformation.exceptions.ClientError:
            return "DELETE_COMPLETE"
        status: str = stack["StackStatus"]
        if not status.endswith("IN_PROGRESS") or time.monotonic() > deadline:
            return status
        time.sleep(1)


def _try_an_alarm(client: Any, found: Found) -> None:
    """A message in the dead-letter queue, and none any more: LocalStack makes the metric, and evaluates the alarm."""
    sqs, sns, cloudwatch = client("sqs"), client("sns"), client("cloudwatch")
    name = f"{STACK}-dlq-depth-worker-dlq"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    ears = sqs.create_queue(QueueName="ears")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=ears, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(
        TopicArn=alarm["AlarmActions"][0],
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    queue = sqs.get_queue_url(QueueName="worker-dlq")["QueueUrl"]
    for wanted, change in (
        ("ALARM", lambda: sqs.send_message(QueueUrl=queue, MessageBody="left over")),
        ("OK", lambda: sqs.purge_queue(QueueUrl=queue)),
    ):
        change()
        deadline = time.monotonic() + WAIT
        while alarm["StateValue"] != wanted and time.monotonic() < deadline:
            time.sleep(2)
            (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        found.alarm.append(alarm["StateValue"])
    told = sqs.receive_message(QueueUrl=ears, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
    changes = sorted((json.loads(each["Body"]) for each in told), key=lambda each: each["StateChangeTime"])
    found.received = [
        f"{each['OldStateValue']} to {each['NewStateValue']}"
        for each in changes
        if each["OldStateValue"] != "INSUFFICIENT_DATA"
    ]


def deployable(template: dict[str, Any]) -> dict[str, Any]:
    """The translated template with code that is there, and with ``Fn::Sub`` where SAM left a reference as text."""
    for resource in template["Resources"].values():
        if resource["Type"] == _LAMBDA:
            resource["Properties"]["Code"] = {"S3Bucket": "code", "S3Key": "code.zip"}
    made: dict[str, Any] = _substituted(template)
    return made


def _substituted(value: Any) -> Any:
    match value:
        case {"Fn::Sub": _}:
            return value
        case dict():
            return {key: _substituted(each) for key, each in value.items()}
        case list():
            return [_substituted(each) for each in value]
        case str() if "${" in value:
            return {"Fn::Sub": value}
    return value


def _create_what_is_watched(client: Any) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        for name in ("detect", "reconcile", "notify", "respond"):
            archive.writestr(f"{name}.py", "def handler(event, context):\n    return {}\n")
    client("s3").create_bucket(Bucket="code")
    client("s3").put_object(Bucket="code", Key="code.zip", Body=code.getvalue())
    client("logs").create_log_group(logGroupName="/aws/lambda/backend")
    for queue in ("worker-dlq", "jobs"):
        client("sqs").create_queue(QueueName=queue)


def page(found: Found) -> str:
    """The page."""
    missing = sorted(set(found.expected) - found.made)
    kinds = Counter(
        kind for name, kind in found.expected.items() if name in found.made and kind not in found.passed_over
    )
    refused = "".join(f"| `{name}` | `{kind}` | {why} |\n" for name, kind, why in found.refused)
    listed = ", ".join(f"{count} {kind.removeprefix('AWS::')}" for kind, count in sorted(kinds.items()))
    return PAGE_TEXT.format(
        version=found.version,
        ended=", ".join(f"`{each}`" for each in found.ended),
        made=sum(kinds.values()),
        passed_over=", ".join(f"`{kind}`" for kind in found.passed_over) or "none",
        expected=len(found.expected),
        listed=listed,
        missing=", ".join(f"`{name}`" for name in missing) or "none",
        refused=f"| resource | type | reason |\n|---|---|---|\n{refused}" if refused else "Nothing.\n",
        alarm=", then ".join(f"`{each}`" for each in found.alarm) or "not tried",
        received=", ".join(f"`{each}`" for each in found.received) or "nothing",
    )


PAGE_TEXT = """# A second implementation

Tocsin's tests run on one emulator, MiniStack. Here is what another one says of the same template: LocalStack {version}
(community edition, in host mode). `make second` repeats it and writes this page; GitHub does it each night, and says when
something is refused. Neither is AWS: [evidence-aws.md](evidence-aws.md).

What it is given is the translated template: loops unrolled, SAM expanded, with one log group, one dead-letter queue, one queue, one
function and `SlackActions=yes`. The tables are moto's, because LocalStack would download Amazon's emulator of DynamoDB, and no
function runs.

| question | answer |
|---|---|
| first deploy, an update, the removal | {ended} |
| resources made, of those that the template asks for | {made} of {expected} |
| accepted, and nothing made of it: types that it does not know | {passed_over} |
| missing | {missing} |
| the alarm on a dead-letter queue, after a message, after a purge | {alarm} |
| what its topic received meanwhile | {received} |

Made: {listed}.

## What it refused

{refused}"""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _until_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit(f"LocalStack did not start; see {log}")


if __name__ == "__main__":
    sys.exit(main())
