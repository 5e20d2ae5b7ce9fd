"""The embedded cloud itself: it comes up, it is alone, and it leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tocsin_cli.local_aws.cloud import CloudError, EmbeddedCloud

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import signal, sys, time
from pathlib import Path
from tocsin_cli.local_aws.cloud import EmbeddedCloud
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
with EmbeddedCloud(Path(sys.argv[1]), functions=Path(sys.argv[2]), log=Path(sys.argv[3])) as cloud:
    deployed = cloud.deploy({"webhook_url": "http://127.0.0.1:9/"})
    deployed.invoke("detect", {})  # a Lambda worker runs from here on
    print(cloud.endpoint, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def functions(tmp_path):
    """The least code that the template's three functions can be."""
    for name in ("detect", "reconcile", "notify"):
        (tmp_path / f"{name}.py").write_text(
            "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
        )
    return tmp_path


def members(marker):
    """Processes of this machine that carry a marker in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            environment = (each / "environ").read_bytes()
        except OSError:
            continue  # gone, or not ours
        if marker.encode() in environment:
            found.append(int(each.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for left-over processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_no_process_is_left_however_its_owner_ends(end, functions, tmp_path_factory):
    directory = tmp_path_factory.mktemp("owner")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(ROOT), str(functions), str(directory / "cloud.log")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory), "PYTHONPATH": str(ROOT)},
    )
    with owner:
        endpoint = owner.stdout.readline().strip()
        assert endpoint, (directory / "cloud.log").read_text()
        marker = f"GATEWAY_PORT={endpoint.rpartition(':')[2]}"
        assert len(members(marker)) >= 2  # MiniStack and the worker
        owner.send_signal(end)
        owner.wait(15)
    deadline = time.monotonic() + 10
    while members(marker) and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel closes the pipe, the group ends: milliseconds, but not ours to time
    assert members(marker) == []


def test_stopping_ends_the_endpoint_and_removes_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as cloud:
        assert list(tmp_path.glob("tocsin-cloud-*"))
        endpoint = cloud.endpoint
    assert not list(tmp_path.glob("tocsin-cloud-*"))
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(endpoint, timeout=1)
    cloud.stop()  # again is no error


def test_nothing_of_the_users_aws_settings_gets_into_the_cloud(functions, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALLYMINE000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "really-mine")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://example.com")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with EmbeddedCloud(ROOT, functions=functions, log=tmp_path_factory.mktemp("log") / "cloud.log") as cloud:
        seen = cloud.deploy({"webhook_url": "http://127.0.0.1:9/"}).invoke("detect", {})
    assert "AWS_PROFILE" not in seen
    assert "mine" not in str(seen).lower()
    assert seen["AWS_ENDPOINT_URL"] == cloud.endpoint


def test_a_function_that_raises_is_an_error_with_its_words(functions, tmp_path_factory):
    (functions / "reconcile.py").write_text(
        "def handler(event, context):\n    raise ValueError('no table')\n"
    )
    with EmbeddedCloud(ROOT, functions=functions, log=tmp_path_factory.mktemp("log") / "cloud.log") as cloud:
        deployed = cloud.deploy({"webhook_url": "http://127.0.0.1:9/"})
        with pytest.raises(CloudError, match=r"reconcile: .*no table"):
            deployed.reconcile()


def test_a_function_may_do_only_what_its_role_allows(functions, tmp_path_factory):
    (functions / "detect.py").write_text(
        "import boto3\ndef handler(event, context):\n    return boto3.client('dynamodb').scan(TableName=event['table'])['Count']\n"
    )
    with EmbeddedCloud(ROOT, functions=functions, log=tmp_path_factory.mktemp("log") / "cloud.log") as cloud:
        deployed = cloud.deploy({"webhook_url": "http://127.0.0.1:9/"})
        with pytest.raises(CloudError, match=r"not authorized to perform: dynamodb:Scan"):
            deployed.invoke("detect", {"table": deployed.table})


def test_a_cloud_that_does_not_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("tocsin_cli.local_aws.cloud._PROCESS", "raise SystemExit('no port for me')")
    log = tmp_path / "cloud.log"
    with pytest.raises(CloudError, match="no port for me"), EmbeddedCloud(ROOT, log=log):
        pass
