"""The embedded cloud: MiniStack in processes of our own, and the real template deployed onto it.

Nothing here needs Docker or an AWS account, and nothing can reach one: the processes get an environment
without the user's AWS settings, and every client is bound to the embedded endpoint.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from tocsin.adapters.files.configuration import compiled_form
from tocsin.core.config.settings import FILE
from tocsin_cli.product import work_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

REGION = "us-east-1"
ACCOUNT = "000000000000"
STACK = "tocsin"
_BUCKET = "tocsin-artifacts"
_TEMPLATE_CODE = "CodeUri: functions/"
_READY_WITHIN = 60.0
_DEPLOYED_WITHIN = 120.0
_FUNCTIONS = {
    "detect": "DetectFunctionName",
    "reconcile": "ReconcileFunctionName",
    "notify": "NotifyFunctionName",
    "respond": "RespondFunctionName",
}

# Runs MiniStack, and ends its whole process group (the Lambda workers too) once our end of its standard input
# is gone: closed by stop(), or by the kernel however this process died.
_PROCESS = """
import functools, os, runpy, signal, sys, threading
def watch():
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()

# Every policy is evaluated (AUTH below). Where the emulator judges otherwise than AWS does, it is set right here,
# and nowhere else: each of these is small enough to be reported upstream in one sentence.
from ministack.core import iam_actions, iam_evaluator
origin, resource = iam_evaluator.pin_request_origin, iam_actions.extract_resource_arn
# 1. It is spoken to by plain HTTP and would refuse it: aws:SecureTransport is true here.
iam_evaluator.pin_request_origin = lambda address, secure: origin(address, True)
# 2. A call about a log group is judged on `log-group:NAME`; AWS judges it on `log-group:NAME:*` or on its stream.
def resource_of(service, *request):
    arn = resource(service, *request)
    return arn + ":*" if service == "logs" and ":log-group:" in arn and not arn.endswith(":*") else arn
iam_actions.extract_resource_arn = resource_of
# 3. It starts a process for each log group that speaks at the same time: a hundred of them starve a machine of a few
#    cores. Lines wait for one of a few environments of their function, as in Lambda's own queue for a busy function.
from ministack.services import lambda_svc
run, environments = lambda_svc._execute_function_with_config_scope, threading.Semaphore(int(os.environ["ENVIRONMENTS"]))
def run_in_turn(function, event):
    if "awslogs" not in event:
        return run(function, event)
    with environments:
        return run(function, event)
lambda_svc._execute_function_with_config_scope = run_in_turn
# 4. It reads every policy of the caller from its JSON, twice for each call: a twentieth of its processor time.
read_policy, read_before = iam_evaluator.parse_policy_document, functools.cache(iam_evaluator.parse_policy_document)
iam_evaluator.parse_policy_document = lambda of: read_before(of) if isinstance(of, str) else read_policy(of)

sys.argv = ["ministack"]
runpy.run_module("ministack", run_name="__main__", alter_sys=True)
"""


class CloudError(Exception):
    """The embedded cloud did not start, or the template did not deploy; the message says where to look."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What exists in the account before Tocsin comes, by the name of its service.

    Attributes:
        log_groups: Log group names.
        dlqs: Names of dead-letter queues; each gets a source queue named without its ``-dlq``.
    """

    log_groups: Mapping[str, str] = field(
        default_factory=lambda: {"backend": "/aws/lambda/backend", "worker": "/aws/lambda/worker"}
    )
    dlqs: Mapping[str, str] = field(
        default_factory=lambda: {"backend": "backend-dlq", "worker": "worker-dlq"}
    )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed stack: what to talk to, and by what name.

    Attributes:
        endpoint: The AWS endpoint, ``http://127.0.0.1:…``.
        region: The Region.
        stack: The stack's name.
        outputs: The stack's outputs by name.
        functions: Function names by ``detect``, ``reconcile``, ``notify``, and ``respond`` where people can act.
        log_groups: Watched log groups by service.
        dlqs: Watched dead-letter queues by service.
    """

    endpoint: str
    region: str
    stack: str
    outputs: Mapping[str, str]
    functions: Mapping[str, str]
    log_groups: Mapping[str, str]
    dlqs: Mapping[str, str]

    @property
    def table(self) -> str:
        """The incident table's name."""
        return self.outputs["TableName"]

    @property
    def alarm_topic(self) -> str:
        """The ARN of the topic that alarms come in by."""
        return self.outputs["AlarmTopicArn"]

    @property
    def alerts_topic(self) -> str:
        """The ARN of the topic that notifications go out by."""
        return self.outputs["AlertsTopicArn"]

    def dlq_alarm(self, service: str) -> str:
        """The name of the depth alarm of a service's dead-letter queue."""
        return f"{self.stack}-dlq-depth-{self.dlqs[service]}"

    def client(self, service: str) -> Any:
        """A boto3 client for the embedded cloud; the same one for every call."""
        return embedded_client(self.endpoint, service)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke ``detect``, ``reconcile`` or ``notify`` and wait for its answer.

        Raises:
            CloudError: The function failed; the message is what it raised.
        """
        return _invoke(self.client("lambda"), self.functions[function], function, event)

    def reconcile(self) -> Any:
        """Run ``reconcile`` now instead of at the next full minute."""
        return self.invoke("reconcile", {})


def answer_request(client: Any, function: str, headers: Mapping[str, str], body: str) -> Any:
    """Hand a function what its Function URL would, and return its answer.

    Args:
        client: For Lambda.
        function: The function's name.
        headers: The request's, in lower case.
        body: The request's.

    Raises:
        CloudError: The function failed.
    """
    return _invoke(client, function, function, request_event(headers, body))


def _invoke(client: Any, function: str, shown: str, event: Mapping[str, Any]) -> Any:
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise CloudError(f"{shown}: {payload.get('errorType')}: {payload.get('errorMessage')}")
    return payload


def request_event(headers: Mapping[str, str], body: str) -> dict[str, Any]:
    """What Lambda gives a function for a request to its Function URL, which the embedded cloud does not serve itself."""
    return {
        "version": "2.0",
        "rawPath": "/",
        "headers": dict(headers),
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        "body": base64.b64encode(body.encode()).decode(),
        "isBase64Encoded": True,
    }


class EmbeddedCloud:
    """MiniStack in processes of its own; a context manager that leaves none of them behind.

    Args:
        root: The repository: where ``template.yaml`` and ``functions/`` are.
        functions: Other code to deploy instead of ``functions/``.
        log: Where its output goes; by default ``cloud.log`` in the work folder.
    """

    def __init__(self, root: Path, *, functions: Path | None = None, log: Path | None = None) -> None:
        self._root = root
        self._functions = functions or root / "functions"
        self._log = log or work_folder() / "cloud.log"
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = ""

    def __enter__(self) -> Self:
        """Start it, and wait until it answers.

        Raises:
            CloudError: It did not come up; the message holds the end of its log.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def client(self, service: str) -> Any:
        """A boto3 client for the embedded cloud; the same one for every call."""
        return embedded_client(self.endpoint, service)

    def deploy(
        self,
        slack_secret: Mapping[str, str],
        watched: Watched | None = None,
        parameters: Mapping[str, str] | None = None,
        more_secrets: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Deployment:
        """Create what exists in an account before Tocsin comes, and deploy the template next to it.

        Args:
            slack_secret: The content of the Slack secret.
            watched: The log groups and queues of the watched services.
            parameters: Template parameters that differ from the template's defaults.
            more_secrets: The content of the Slack secrets of further destinations, by the secret's name.

        Raises:
            CloudError: The stack failed; the message lists the resources that did and why.
        """
        watched = watched or Watched()
        given = {
            "LogGroupNames": ",".join(watched.log_groups.values()),
            "DeadLetterQueueNames": ",".join(watched.dlqs.values()),
            "SlackSecretName": "tocsin/slack",
            "MoreSlackSecretNames": ",".join(more_secrets or {}),
            # MiniStack refuses alarms with metric maths, which the two rates of functions are, and with queries.
            "FunctionErrorPercent": "0",
            "FunctionSuccessPercent": "0",
            "WatchDeliveryErrors": "no",
            **(parameters or {}),
        }
        self._create_watched(watched)
        for name, secret in {given["SlackSecretName"]: slack_secret, **(more_secrets or {})}.items():
            self.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(dict(secret)))
        outputs = self._create_stack(given)
        return Deployment(
            endpoint=self.endpoint,
            region=REGION,
            stack=STACK,
            outputs=outputs,
            functions={name: outputs[output] for name, output in _FUNCTIONS.items() if output in outputs},
            log_groups=dict(watched.log_groups),
            dlqs=dict(watched.dlqs),
        )

    def stop(self) -> None:
        """End every process and remove every file of the embedded cloud. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            try:
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait(5)
            finally:
                _kill_group(process)
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.cleanup()

    def _start(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="tocsin-cloud-", ignore_cleanup_errors=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        port = _free_port()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROCESS],
                cwd=self._directory.name,
                env=_environment(port, self._directory.name),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop the group in order
            )
        self.endpoint = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _READY_WITHIN
        while not answers(f"{self.endpoint}/_ministack/health"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise CloudError(
                    f"the embedded cloud did not start; the end of {self._log}:\n{self._log_end()}"
                )
            time.sleep(0.05)

    def _log_end(self) -> str:
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else "(no log)"

    def _create_watched(self, watched: Watched) -> None:
        logs, sqs = self.client("logs"), self.client("sqs")
        for log_group in watched.log_groups.values():
            logs.create_log_group(logGroupName=log_group)
        for dlq in watched.dlqs.values():
            fifo = {"FifoQueue": "true"} if dlq.endswith(".fifo") else {}
            retention = {"MessageRetentionPeriod": "1209600"}
            url = sqs.create_queue(QueueName=dlq, Attributes=fifo | retention)["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})}
            sqs.create_queue(QueueName=dlq.replace("-dlq", ""), Attributes=fifo | redrive)

    def _create_stack(self, parameters: Mapping[str, str]) -> dict[str, str]:
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        s3.create_bucket(Bucket=_BUCKET)
        s3.put_object(Bucket=_BUCKET, Key="functions.zip", Body=_zipped(self._functions))
        template = packaged(self._root / "template.yaml", f"s3://{_BUCKET}/functions.zip")
        s3.put_object(Bucket=_BUCKET, Key="template.yaml", Body=template.encode())
        cloudformation.create_stack(
            StackName=STACK,
            # By its address, as `sam deploy` does: in the call itself a template may have 51,200 bytes at most.
            TemplateURL=f"{self.endpoint}/{_BUCKET}/template.yaml",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        deadline = time.monotonic() + _DEPLOYED_WITHIN
        while True:
            stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
            status: str = stack["StackStatus"]
            if status == "CREATE_COMPLETE":
                return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
            if status != "CREATE_IN_PROGRESS" or time.monotonic() > deadline:
                events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
                raise CloudError(f"the stack is {status}:\n{_failures(events)}")
            time.sleep(0.1)


def packaged(template: Path, code: str) -> str:
    """The template with its code where CloudFormation can fetch it: what ``sam package`` does, and no more.

    Args:
        template: The template's file.
        code: The ``s3://`` address of the zipped functions.

    Raises:
        CloudError: The template does not name its code in the one place it should.
    """
    text = template.read_text()
    if text.count(_TEMPLATE_CODE) != 1:
        raise CloudError(f"{template}: must say `{_TEMPLATE_CODE}` once")
    return text.replace(_TEMPLATE_CODE, f"CodeUri: {code}")


@cache
def embedded_client(endpoint: str, service: str) -> Any:
    """A boto3 client for an embedded cloud, which no setting of the user can lead elsewhere; the same for every call."""
    import boto3
    import botocore.session
    from botocore.config import Config

    # The user's profile, files and proxies have no say: the endpoint is on this machine, and is the only one.
    alone = botocore.session.Session(
        session_vars={
            "profile": (None, [], None, None),
            "config_file": (None, [], os.devnull, None),
            "credentials_file": (None, [], os.devnull, None),
        }
    )
    return boto3.Session(botocore_session=alone).client(
        service,  # type: ignore[call-overload] # one of many, named at run time
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - MiniStack's documented non-secret
        config=Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}, proxies={}),
    )


def _environment(port: int, directory: str) -> dict[str, str]:
    """The cloud's environment: nothing of the user's AWS settings, so nothing can reach a real account."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TMPDIR": directory,
        "STATE_DIR": f"{directory}/state",
        "S3_DATA_DIR": f"{directory}/s3",
        # Each function runs under its role, and every policy is evaluated: a missing grant fails here as on AWS.
        "AUTH": "true",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # What it would start for services that are not used here: containers, MQTT, SFTP.
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Keep workers warm for as long as anybody looks.
        "LAMBDA_WARM_TTL_SECONDS": "86400",
        "ENVIRONMENTS": str(max(2, os.cpu_count() or 2)),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(address: str) -> bool:
    """Whether something answers at an address of this machine, with HTTP's 200, within a second."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(address, timeout=1) as response:
            return bool(response.status == 200)  # HTTP's OK
    except (urllib.error.URLError, OSError):
        return False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _zipped(directory: Path) -> bytes:
    """The package of a folder as it is now: what a build would check and compile is compiled here."""
    form = compiled_form(directory) if (directory / FILE).is_file() else {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and name not in form:
                archive.write(path, name)
        for name, content in form.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _failures(events: Sequence[Mapping[str, Any]]) -> str:
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
    return "\n".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed
    )
