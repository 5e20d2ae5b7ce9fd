"""For tests that deploy by command: an account with log groups and a secret and no Tocsin, and a command that reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import EmbeddedCloud, Watched

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def slack():
    with LocalSlack() as slack:
        yield slack


@pytest.fixture(scope="module")
def account(tmp_path_factory, slack):
    """An account in which there are log groups and a secret, and no Tocsin."""
    with EmbeddedCloud(ROOT, log=tmp_path_factory.mktemp("cloud") / "cloud.log") as embedded:
        embedded._create_watched(Watched())
        secret = {"bot_token": slack.bot_token, "channel": slack.channel_id}
        embedded.client("secretsmanager").create_secret(Name="tocsin/slack", SecretString=json.dumps(secret))
        yield embedded


def run_tocsin(account, folder, *arguments, **more):
    """Run the command in a folder, as somebody who has this account; ``more`` goes into its environment."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name != "PARAMETERS"
    }
    environment |= {
        "AWS_ENDPOINT_URL": account.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        **more,
    }
    return subprocess.run(
        [sys.executable, "-m", "tocsin_cli.main", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
