"""The embedded cloud for tests: started once per run, the real template on it, a local Slack behind it.

A test that needs other parameters, another Slack mode or faults that outlive it starts its own
``EmbeddedCloud`` (about two seconds) instead of bending this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import Deployment, EmbeddedCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def local_slack() -> Iterator[LocalSlack]:
    with LocalSlack() as slack:
        yield slack


@pytest.fixture(scope="session")
def cloud(local_slack: LocalSlack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The deployed stack, in bot mode, with the template's defaults."""
    secret = {"bot_token": local_slack.bot_token, "channel": local_slack.channel_id}
    with EmbeddedCloud(ROOT, log=tmp_path_factory.mktemp("cloud") / "cloud.log") as embedded:
        yield embedded.deploy(secret, parameters={"SlackApiUrl": local_slack.api_url})
