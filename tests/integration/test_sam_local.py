"""``sam local invoke``: a dry run by itself, and a part of a running ``tocsin local`` where there is one."""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from conftest import LAMBDA_IMAGE

from lambda_package import own_files
from tocsin.adapters.files.compiled_search import COMPILED, COMPILED_SEARCH, stale_files
from tocsin.adapters.files.configuration import packaged_configuration
from tocsin.adapters.sam_local import BRIDGE_PORT, Forwarding, join_local_cloud
from tocsin.core.model import Severity
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import EmbeddedCloud
from tocsin_cli.local_aws.sam_bridge import SamLocalBridge

if TYPE_CHECKING:
    from tocsin_cli.local_aws.cloud import Deployment

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.minutes
SAM = Path(sys.executable).with_name("sam")
LINE = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


def answering(body):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, host="127.0.0.1"):
    """What the operating system answers; 0 where somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port))


def test_without_a_tocsin_local_the_function_is_a_dry_run():
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "DetectFunction"}
    assert not join_local_cloud(environment, host="127.0.0.1", port=closed_port())
    assert environment["TOCSIN_DRY_RUN"] == "true"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"functions": {"OtherFunction": {"A": "b"}}, "ports": []}']
)
def test_somebody_else_behind_the_bridge_makes_it_a_dry_run_too(body):
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "DetectFunction", "TOCSIN_TABLE": "IncidentTable"}
    with answering(body) as server:
        assert not join_local_cloud(environment, host="127.0.0.1", port=server.server_address[1])
        server.shutdown()
    assert environment["TOCSIN_DRY_RUN"] == "true"
    assert environment["TOCSIN_TABLE"] == "IncidentTable"


def test_with_a_tocsin_local_the_function_takes_over_the_environment_of_its_twin():
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": "DetectFunction",
        "AWS_SESSION_TOKEN": "mine",
        "TOCSIN_DRY_RUN": "true",
    }
    twin = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_SESSION_TOKEN": "",
        "TOCSIN_TABLE": "tocsin-IncidentTable-1",
    }
    with answering(json.dumps({"functions": {"DetectFunction": twin}, "ports": []}).encode()) as server:
        assert join_local_cloud(environment, host="127.0.0.1", port=server.server_address[1])
        server.shutdown()
    assert environment == {"AWS_LAMBDA_FUNCTION_NAME": "DetectFunction", **twin}


def test_a_forwarded_port_carries_both_directions_to_their_ends():
    with socket.create_server(("127.0.0.1", 0)) as echo:

        def answer_once():
            near, _ = echo.accept()
            with near:
                received = b""
                while data := near.recv(65536):
                    received += data
                near.sendall(received[::-1])

        threading.Thread(target=answer_once, daemon=True).start()
        with Forwarding(("127.0.0.1", 0), echo.getsockname()) as forwarding:
            sent = os.urandom(1_000_000)
            with socket.create_connection(forwarding.server_address, timeout=10) as client:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                received = b""
                while data := client.recv(65536):
                    received += data
    assert received == sent[::-1]


def test_a_connection_to_nobody_is_closed_and_the_next_is_still_taken():
    with Forwarding(("127.0.0.1", 0), ("127.0.0.1", closed_port())) as forwarding:
        for _ in range(2):
            with socket.create_connection(forwarding.server_address, timeout=10) as client:
                assert client.recv(1) == b""


def test_a_forwarded_port_is_free_again_at_once():
    port = closed_port()
    for _ in range(3):
        with Forwarding(("127.0.0.1", port), ("127.0.0.1", 9)):
            pass
        assert connect(port) != 0


@pytest.mark.cloud
def test_the_bridge_says_what_the_deployed_functions_run_with(cloud: Deployment, local_slack: LocalSlack):
    with SamLocalBridge(cloud, local_slack.url, port=0) as bridge:
        environment = {
            "AWS_LAMBDA_FUNCTION_NAME": "NotifyFunction",
            "AWS_ACCESS_KEY_ID": "AKIAREALLYMINE000000",
        }
        host, _, port = bridge.address.partition(":")
        with pytest.raises(OSError, match="in use"):
            # On this machine the cloud's own ports are taken, of course: in a container they are free.
            join_local_cloud(environment, host=host, port=int(port))
        deployed = bridge.environments["NotifyFunction"]
    assert deployed["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert deployed["AWS_ACCESS_KEY_ID"] == "test"
    assert deployed["TOCSIN_TABLE"] == cloud.table
    assert deployed["TOCSIN_SLACK_API_URL"] == local_slack.api_url
    assert connect(int(port), host) != 0  # closed again


# ---------------------------------------------------------------- in the container


@pytest.fixture(scope="module")
def built(built):
    """The built project, with an event beside it."""
    (built / "event.json").write_text(json.dumps(envelope(LINE)))
    return built


def envelope(line):
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/lambda/backend",
        "logStream": "2026/02/02/[$LATEST]0123456789abcdef0123456789abcdef",
        "subscriptionFilters": ["tocsin-detect"],
        "logEvents": [
            {
                "id": "38000000000000000000000000000000000000000000000000000001",
                "timestamp": 1770000000000,
                "message": line,
            }
        ],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()}}


def outside_aws():
    """The environment of a command that knows no account."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**environment, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}


def sam(project, *arguments):
    done = subprocess.run(
        [SAM, *arguments],
        cwd=project,
        env=outside_aws(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def invoke(project):
    return json.loads(sam(project, "local", "invoke", "DetectFunction", "-e", "event.json").splitlines()[-1])


@pytest.fixture
def no_tocsin_local():
    if connect(BRIDGE_PORT) == 0:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("a `tocsin local` runs on this machine and would be joined")


@pytest.mark.docker
def test_the_package_brings_no_boto3_and_fits_both_processors(built):
    package = built / ".aws-sam" / "build" / "DetectFunction"
    assert not [path for name in ("boto3", "botocore", "s3transfer") for path in package.glob(f"{name}*")]
    assert {path.name.split("-")[-3] for path in package.glob("re2/_re2.*.so")} == {"x86_64", "aarch64"}
    size = sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
    assert size < 20 * 1024 * 1024


@pytest.mark.docker
def test_every_module_of_ours_can_be_imported_by_the_runtimes_own_python(built):
    """What `tocsin build` found by reading, found by doing: nothing but the container's Python and the package."""
    package = built / ".aws-sam" / "build" / "DetectFunction"
    modules = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in own_files(ROOT / "functions")
               if path.suffix == ".py"]  # fmt: skip
    doing = f"import importlib, sys\nfor name in {modules!r}:\n    importlib.import_module(name)\nprint(sys.version_info[:2])"
    command = ["docker", "run", "--rm", "--network=none", "--volume", f"{package}:/var/task:ro", "--workdir=/var/task",
               "--env=LD_LIBRARY_PATH=/var/lang/lib", "--env=PYTHONPATH=/var/task:/var/runtime",
               "--entrypoint", "/var/lang/bin/python3", LAMBDA_IMAGE, "-c", doing]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "(3, 13)"), done.stderr
    assert len(modules) > 50


@pytest.mark.docker
@pytest.mark.usefixtures("no_tocsin_local")
def test_in_the_container_it_is_a_dry_run(built):
    answer = invoke(built)
    assert answer.get("dry_run") is True, answer
    assert [each["reason"] for each in answer["notifications"]] == ["opened"]


@pytest.mark.docker
@pytest.mark.cloud
@pytest.mark.usefixtures("no_tocsin_local")
def test_the_same_command_goes_through_to_the_local_slack(built, tmp_path):
    with LocalSlack() as slack, EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as embedded:
        deployed = embedded.deploy({"webhook_url": slack.webhook_url})
        with SamLocalBridge(deployed, slack.url):
            answer = invoke(built)
        assert answer["sent"] == {"backend": ["opened"]}
        (told,) = slack.wait_for(bool)
    assert "mangum" in json.dumps(told["blocks"])


@pytest.mark.docker
@pytest.mark.usefixtures("no_tocsin_local")
@pytest.mark.parametrize("function", ["DetectFunction", "ReconcileFunction"])
@pytest.mark.parametrize("change", ["form away", "settings changed"])
def test_in_the_container_no_function_starts_with_a_stale_form_and_it_says_what_to_run(
    built, tmp_path, function, change
):
    project = tmp_path / "project"
    shutil.copytree(built, project)
    package = project / ".aws-sam" / "build" / function
    if change == "form away":
        for name in (COMPILED, COMPILED_SEARCH):
            (package / name).unlink()
    else:
        with (package / "tocsin.toml").open("a") as file:
            file.write("# changed after the build\n")
    done = subprocess.run(
        [SAM, "local", "invoke", function, "-e", "event.json"],
        cwd=project, env={**os.environ, "SAM_CLI_TELEMETRY": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "ConfigurationError" in said
    assert "signatures/compiled.json: -: missing, or made for other signatures or another tocsin.toml" in said
    assert "run sam build (or tocsin build), and deploy again" in said
    assert "dry_run" not in said


@pytest.mark.docker
def test_a_bare_sam_build_makes_the_form_of_settings_that_nobody_checked(built, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(built, project, ignore=shutil.ignore_patterns(".aws-sam"))
    with (project / "functions" / "tocsin.toml").open("a") as file:
        file.write('[override.lambda-timeout]\nseverity = "low"\n')
    sam(project, "build", "ReconcileFunction")
    package = project / ".aws-sam" / "build" / "ReconcileFunction"
    assert packaged_configuration(package, {}).signatures["lambda-timeout"].severity is Severity.LOW
    assert stale_files(package) == []


DECISIONS = {
    # For each kind of event file: the function it is for, and what the answer must say without an AWS account.
    "logs": ("DetectFunction", "occurrences"),
    "kinesis": ("DetectFunction", "occurrences"),
    "alarm": ("DetectFunction", "occurrences"),
    "change": ("DetectFunction", "changes"),
    "notify": ("NotifyFunction", "would_post"),
    "reconcile": ("ReconcileFunction", "services"),
}


@pytest.mark.docker
@pytest.mark.usefixtures("no_tocsin_local")
@pytest.mark.parametrize("event", ["notify-dlq-depth", "reconcile-schedule"])
def test_the_same_command_runs_the_other_functions(built, event):
    function, key = DECISIONS[event.partition("-")[0]]
    path = ROOT / "events" / f"{event}.json"
    answer = json.loads(sam(built, "local", "invoke", function, "-e", str(path)).splitlines()[-1])
    assert answer["dry_run"] is True
    assert key in answer


@pytest.fixture(scope="module")
def warm(built):
    """A client of SAM's own Lambda, which keeps a container for each function: a second and a half saved for each event."""
    port = closed_port()
    client = boto3.client(
        "lambda", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    command = [
        SAM, "local", "start-lambda", "--port", str(port), "--warm-containers", "LAZY", "--skip-pull-image",
        "--add-host", "host.docker.internal:host-gateway", "--parameter-overrides", "Architecture=x86_64",
    ]  # fmt: skip
    with (
        (built / "warm.log").open("wb") as log,
        subprocess.Popen(command, cwd=built, env=outside_aws(), stdout=log, stderr=log) as service,
    ):
        try:
            while connect(port):
                assert service.poll() is None, (built / "warm.log").read_text()
                time.sleep(0.1)
            yield client
        finally:
            service.terminate()  # takes its containers with it


@pytest.mark.docker
@pytest.mark.usefixtures("no_tocsin_local")
@pytest.mark.parametrize("event", sorted((ROOT / "events").glob("*.json")), ids=lambda path: path.stem)
def test_every_event_file_runs_in_the_container_and_says_what_it_decided(warm, event):
    kind, _, signature = event.stem.partition("-")
    function, key = DECISIONS[kind]
    answer = json.loads(warm.invoke(FunctionName=function, Payload=event.read_bytes())["Payload"].read())
    assert answer["dry_run"] is True
    assert key in answer
    if kind in {"logs", "kinesis"} and (ROOT / "runbooks" / f"{signature}.md").exists():
        assert signature in answer["occurrences"]
        assert answer["notifications"][0]["reason"] == "opened"
    if event.stem.endswith("dlq-depth-alarm"):
        assert answer["occurrences"] == {"dlq-depth": 1}
    if kind == "change":
        assert answer["changes"] == 1
    if kind == "notify":
        (shown,) = answer["would_post"]
        assert shown["bot"]["message"]["blocks"]
        assert shown["webhook"]["message"]["blocks"]
