"""A whole Tocsin on this machine: embedded cloud, deployed stack, local Slack."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tocsin.adapters.files.settings_file import load_settings
from tocsin.core.config.routing import DEFAULT
from tocsin_cli.configuration_folder import default_root, project_of
from tocsin_cli.fake_slack.server import DEFAULT_CHANNELS, LocalSlack
from tocsin_cli.local_aws.cloud import CloudError, Deployment, EmbeddedCloud, Watched, request_event
from tocsin_cli.local_aws.sam_bridge import SamLocalBridge

if TYPE_CHECKING:
    from tocsin_cli.fake_slack.channel import Message


RECONCILE_EVERY = 1.0
"""Seconds. A minute on AWS; shorter here, so that intervals of seconds can be seen at work."""


class LocalTocsin:
    """Everything running on this machine; a context manager that leaves nothing behind.

    Each destination in ``tocsin.toml`` has a channel of its own in the local Slack.

    Args:
        slack_mode: ``bot`` (one message per incident, edited in place) or ``webhook``.
        parameters: Template parameters that differ from the defaults.
        watched: The services whose log groups and dead-letter queues exist.
        slack_port: The local Slack's port; 0 takes a free one.
        sam_port: Where ``sam local invoke`` finds it; None for nowhere.
        root: The configuration folder; by default that of the working directory.
        on_message: Called with each new Slack message.
        on_edit: Called with each edited Slack message.

    Raises:
        ConfigurationError: ``tocsin.toml`` is wrong.
    """

    def __init__(
        self,
        *,
        slack_mode: str = "bot",
        parameters: Mapping[str, str] | None = None,
        watched: Watched | None = None,
        slack_port: int = 0,
        sam_port: int | None = None,
        root: Path | None = None,
        on_message: Callable[[Message], None] | None = None,
        on_edit: Callable[[Message], None] | None = None,
    ) -> None:
        self._mode, self._parameters, self._watched = slack_mode, dict(parameters or {}), watched
        self._sam_port = sam_port
        self._root = root or default_root()
        destinations = load_settings(self._root, os.environ).routing.destinations.values()
        further = [destination for destination in destinations if destination.name != DEFAULT]
        rooms = {_channel_id(number, each.name): each for number, each in enumerate(further, 1)}
        self._rooms = {each.secret: channel for channel, each in rooms.items()}
        self.slack = LocalSlack(
            port=slack_port,
            channels=DEFAULT_CHANNELS | {channel: each.name for channel, each in rooms.items()},
            on_message=on_message,
            on_edit=on_edit,
        )
        self._stack = contextlib.ExitStack()
        self._stopping = threading.Event()
        self.deployment: Deployment

    def __enter__(self) -> Self:
        """Start the Slack and the cloud, deploy, and keep time.

        Raises:
            CloudError: The cloud did not start or the stack did not deploy.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.slack)
            cloud = stack.enter_context(EmbeddedCloud(project_of(self._root)))
            self.deployment = cloud.deploy(
                self._secret(self.slack.channel_id),
                self._watched,
                {
                    "SlackApiUrl": self.slack.api_url,
                    "SlackActions": "yes" if self._mode == "bot" else "no",
                    **self._parameters,
                },
                {name: self._secret(channel) for name, channel in self._rooms.items()},
            )
            if "respond" in self.deployment.functions:
                self.slack.interactivity.connect(self._send_to_app)
            if self._sam_port is not None:
                self._open_bridge(stack, self._sam_port)
            clock = threading.Thread(target=self._keep_time, name="reconcile", daemon=True)
            clock.start()
            stack.callback(clock.join)
            stack.callback(self._stopping.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._stack.close()

    def _open_bridge(self, stack: contextlib.ExitStack, port: int) -> None:
        """Let the containers of ``sam local invoke`` in; without it everything else works too."""
        try:
            stack.enter_context(SamLocalBridge(self.deployment, self.slack.url, port=port))
        except OSError:
            print(
                "tocsin local: another one is running; `sam local invoke` reaches that one", file=sys.stderr
            )

    def ready(self) -> dict[str, Any]:
        """The line that ``tocsin local`` prints when it is ready."""
        deployment = self.deployment
        return {
            "ready": True,
            "aws_endpoint": deployment.endpoint,
            "region": deployment.region,
            "slack_url": self.slack.url,
            "log_groups": dict(deployment.log_groups),
            "dlqs": dict(deployment.dlqs),
            "dlq_alarms": {name: deployment.dlq_alarm(name) for name in deployment.dlqs},
            "table": deployment.table,
            "alerts_topic": deployment.alerts_topic,
            "alarm_topic": deployment.alarm_topic,
            "functions": dict(deployment.functions),
            "stack": deployment.stack,
        }

    def _secret(self, channel: str) -> dict[str, str]:
        if self._mode == "webhook":
            return {"webhook_url": self.slack.webhook_url_of(channel)}
        return {"bot_token": self.slack.bot_token, "channel": channel, **self.slack.signing}

    def _send_to_app(self, headers: Mapping[str, str], body: str) -> tuple[int, str]:
        """Hand what somebody did in the local Slack to the deployed function."""
        try:
            answer = self.deployment.invoke("respond", request_event(headers, body))
        except CloudError:  # what Lambda answers for a function that failed
            return 502, ""
        return int(answer["statusCode"]), str(answer.get("body") or "")

    def _keep_time(self) -> None:
        while not self._stopping.wait(RECONCILE_EVERY):
            try:
                self.deployment.reconcile()
            except Exception as error:  # said, and tried again a second later, as on AWS
                if not self._stopping.is_set():
                    print(f"tocsin local: reconcile: {error}", file=sys.stderr)


def _channel_id(number: int, name: str) -> str:
    return f"C{number:02}{re.sub('[^A-Z0-9]', '', name.upper())}"
