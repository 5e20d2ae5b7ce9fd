"""An operator's day through the real command: what is open, mute it, look at it, end the mute; on `tocsin local`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from outside import PATIENCE, ROOT, Outside

pytestmark = pytest.mark.cloud

FAULT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


class Operator:
    """A shell beside a running `tocsin local`, in the same folder."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self.tocsin = folder, Outside(*flags, folder=folder)

    def run(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "tocsin_cli.main", *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=180,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'functions'}{os.pathsep}{ROOT}", **environment},
        )  # fmt: skip

    def answer(self, *arguments, **environment):
        done = self.run(*arguments, "--json", **environment)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    @property
    def as_if_on_aws(self):
        """The environment that leads boto3 to the same stack."""
        return {
            "AWS_ENDPOINT_URL": self.tocsin.ready["aws_endpoint"], "AWS_REGION": self.tocsin.ready["region"],
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.devnull,
        }  # fmt: skip


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(ROOT / "functions" / "tocsin.toml", folder)
    operator = Operator(folder, "--set", "resolve_after=1h", "--set", "group_interval=2s")
    yield operator
    operator.tocsin.stop()


def test_an_incident_is_found_muted_looked_at_and_unmuted(operator):
    operator.tocsin.put("worker", FAULT, FAULT)
    operator.tocsin.wait_for(lambda messages: len(messages) == 1)
    (message,) = operator.tocsin.roots()

    (row,) = operator.answer("incidents", "list", "--local")["incidents"]
    assert (row["service"], row["severity"], row["occurrences"]) == ("worker", "critical", 2)

    made = operator.answer(
        "silence", "add", "--local", "--signature", "import-*", "--field", "module=mangum", "--for", "2h",
        "--reason", "the release of tonight fixes it", "--author", "Ada",
    )  # fmt: skip
    assert (made["state"], made["firing_alerts"]) == ("active", 1)

    on_aws = operator.answer(
        "silence", "list", "--stack", operator.tocsin.ready["stack"], **operator.as_if_on_aws
    )
    assert on_aws == {"silences": [made]}

    shown = operator.answer("incidents", "show", "worker", "--local")
    assert shown["id"] == row["id"]
    assert [alert["silenced_by"] for alert in shown["alerts"]] == [[made["id"]]]
    assert shown["slack"][0]["message"] == message["ts"]
    for_people = operator.run("incidents", "show", row["id"], "--local").stdout
    assert f"by {made['id']}: the release of tonight fixes it" in for_people

    assert operator.answer("silence", "expire", made["id"], "--local")["state"] == "expired"
    assert operator.run("silence", "list", "--local").stdout == "Nothing is silenced.\n"
    everything = operator.answer("silence", "list", "--all", "--local")["silences"]
    assert [silence["id"] for silence in everything] == [made["id"]]
    assert operator.answer("incidents", "list", "--local")["incidents"][0]["alerts_silenced"] == 0


def test_what_is_silenced_is_counted_and_told_when_the_silence_ends_and_it_still_fires(operator):
    made = operator.answer(
        "silence",
        "add",
        "--local",
        "--service",
        "backend",
        "--for",
        "1h",
        "--reason",
        "a release",
        "--author",
        "Ada",
    )
    operator.tocsin.clear()
    operator.tocsin.put("backend", *[FAULT] * 7)

    def backend():
        return [
            row
            for row in operator.answer("incidents", "list", "--local")["incidents"]
            if row["service"] == "backend"
        ]

    deadline = time.monotonic() + PATIENCE
    while not (rows := backend()):
        assert time.monotonic() < deadline, "the silenced incident is not listed"
    assert (rows[0]["occurrences"], rows[0]["alerts_firing"], rows[0]["alerts_silenced"]) == (7, 1, 1)
    assert operator.tocsin.messages() == []

    operator.answer("silence", "expire", made["id"], "--local")
    operator.tocsin.wait_for(lambda messages: len(messages) == 2)
    (root,) = operator.tocsin.roots()
    assert "backend" in root["text"]
    assert "7" in json.dumps(root["blocks"])
    assert backend()[0]["alerts_silenced"] == 0


def test_a_tocsin_local_that_has_stopped_is_not_found_any_more(operator):
    file = operator.folder / ".tocsin" / "local.json"
    assert json.loads(file.read_text()) == operator.tocsin.ready
    assert operator.tocsin.stop() == 0
    assert not file.exists()
    done = operator.run("incidents", "list", "--local")
    assert done.returncode == 2
    assert "no `tocsin local` is running" in done.stderr
