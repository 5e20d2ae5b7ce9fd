"""Signatures in test mode through the whole stack: a log line, no alert, and one digest in Slack."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from tocsin_cli.local_aws.local_tocsin import LocalTocsin

ROOT = Path(__file__).resolve().parents[2]
TEST_MODE_GROUP = "2026-02-02T00:00:00Z 8f50 Task timed out after 30.00 seconds"
STABLE = "S3 bucket 'credmate-documents-dev' is not accessible (error: 404)."


@pytest.fixture
def project(tmp_path):
    """A deployment root of its own, with one signature in test mode."""
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", tmp_path)
    rules = tmp_path / "functions" / "signatures" / "lambda.toml"
    text = rules.read_text("utf-8").replace("[lambda-timeout]\n", '[lambda-timeout]\nstatus = "test"\n')
    rules.write_text(text, "utf-8")
    # The same line is an error by its own words too, and what is learned in the first day is told in a digest of its own.
    settings = tmp_path / "functions" / "tocsin.toml"
    settings.write_text(re.sub(r"(?m)^tell .*", 'tell = "off"', settings.read_text("utf-8")), "utf-8")
    return tmp_path


@pytest.mark.cloud
@pytest.mark.parametrize("mode", ["bot", "webhook"])
def test_a_signature_on_trial_is_told_once_in_a_digest_and_never_alone(project, mode):
    with LocalTocsin(
        root=project / "functions", slack_mode=mode, parameters={"DigestInterval": "5s", "ResolveAfter": "1h"}
    ) as tocsin:
        logs = tocsin.deployment.client("logs")

        def put(service, *lines):
            logs.put_log_events(
                logGroupName=tocsin.deployment.log_groups[service], logStreamName="s",
                logEvents=[{"timestamp": time.time_ns() // 1_000_000, "message": line} for line in lines],
            )  # fmt: skip

        for group in tocsin.deployment.log_groups.values():
            logs.create_log_stream(logGroupName=group, logStreamName="s")
        put("worker", TEST_MODE_GROUP, TEST_MODE_GROUP, TEST_MODE_GROUP)
        first = tocsin.slack.wait_for(lambda found: len(found) == 1, 30)[0]
        assert first["text"] == "🧪 1 signature in test mode · seen 3 times"
        assert (first["via"], first["edits"], first["thread_ts"]) == (mode, [], None)
        shown = json.dumps(first["blocks"], ensure_ascii=False)
        assert "`lambda-timeout` in `worker`" in shown
        assert "timed out after 30.00" in shown

        # What is stable is told at once, and beside it the next digest counts from nothing.
        put("backend", STABLE, TEST_MODE_GROUP)
        both = tocsin.slack.wait_for(
            lambda found: sum("in test mode" in each["text"] for each in found) == 2, 30
        )
        digests = [each for each in both if "in test mode" in each["text"]]
        assert digests[1]["text"] == "🧪 1 signature in test mode · seen once"
        assert "`lambda-timeout` in `backend`" in json.dumps(digests[1]["blocks"])
        alerts = [each for each in both if each not in digests]
        assert alerts
        assert not [each for each in alerts if "timed out after 30.00" in json.dumps(each["blocks"])]
