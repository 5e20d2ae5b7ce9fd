"""Routes through the whole stack: the deployed template, a log line, and two channels that hear of it."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tocsin.core.problems import ConfigurationError
from tocsin_cli.local_aws.local_tocsin import LocalTocsin

ROOT = Path(__file__).resolve().parents[2]
ROUTES = """
[destinations.on-call]
secret = "team/slack-oncall"
mention = "S0ONCALL1"
[[routes]]
match = { severity = ["critical"], service = ["backend"] }
destination = "on-call"
continue = true
[[routes]]
"""
FAULT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


@pytest.fixture
def project(tmp_path):
    """A deployment root of its own, whose ``tocsin.toml`` has routes."""
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", tmp_path)
    settings = tmp_path / "functions" / "tocsin.toml"
    settings.write_text(settings.read_text("utf-8") + ROUTES, "utf-8")
    return tmp_path


@pytest.mark.cloud
@pytest.mark.parametrize("mode", ["bot", "webhook"])
def test_a_critical_failure_reaches_both_channels_and_calls_in_one(project, mode):
    with LocalTocsin(root=project / "functions", slack_mode=mode) as tocsin:
        logs, group = tocsin.deployment.client("logs"), tocsin.deployment.log_groups["backend"]
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        logs.put_log_events(
            logGroupName=group, logStreamName="s", logEvents=[{"timestamp": time.time_ns() // 1_000_000, "message": FAULT}]
        )  # fmt: skip
        messages = tocsin.slack.wait_for(lambda found: len({each["channel"] for each in found}) == 2, 30)
        mains = {each["channel"]: each for each in messages if not each["thread_ts"]}
        assert set(mains) == {"C0ALERTS", "C01ONCALL"}
        assert "<!subteam^S0ONCALL1>" in json.dumps(mains["C01ONCALL"]["blocks"])
        assert "subteam" not in json.dumps(mains["C0ALERTS"]["blocks"])
        assert {each["via"] for each in messages} == {mode}


def test_wrong_routes_are_said_before_anything_starts(project):
    settings = project / "functions" / "tocsin.toml"
    settings.write_text(settings.read_text("utf-8").replace('"on-call"', '"nowhere"'), "utf-8")
    with pytest.raises(ConfigurationError, match=r"routes\[0\]\.destination: no such destination: 'nowhere'"):
        LocalTocsin(root=project / "functions")
