"""``tocsin local``: the embedded cloud with the deployed stack and a local Slack, until stopped."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cli.cloud import Deployment, EmbeddedCloud, Watched
from cli.deployed import LOCAL_FILE, say_where, take_back
from cli.sam_local_door import SamLocalDoor
from cli.slack_server import DEFAULT_CHANNELS, LocalSlack
from tocsin.adapters.settings_file import load_settings
from tocsin.core.durations import parse_duration
from tocsin.core.problems import ConfigurationError
from tocsin.core.routing import DEFAULT
from tocsin.core.settings import Intervals

if TYPE_CHECKING:
    from cli.slack_channel import Message

ROOT = Path(__file__).resolve().parent.parent
"""The repository: where the template and the functions are."""

HIGHEST_PORT = 65_535


def parameter_name(key: str) -> str:
    """The template's name of a key of ``tocsin.toml``: ``GroupWait`` for ``group_wait``; its own stays as it is."""
    return "".join(word[:1].upper() + word[1:] for word in key.split("_"))


INTERVALS = frozenset(parameter_name(each.name) for each in fields(Intervals))

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
        on_message: Callable[[Message], None] | None = None,
        on_edit: Callable[[Message], None] | None = None,
    ) -> None:
        self._mode, self._parameters, self._watched = slack_mode, dict(parameters or {}), watched
        destinations = load_settings(ROOT / "functions", os.environ).routing.destinations.values()
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
            cloud = stack.enter_context(EmbeddedCloud(ROOT))
            self.deployment = cloud.deploy(
                self._secret(self.slack.channel_id),
                self._watched,
                {"SlackApiUrl": self.slack.api_url, **self._parameters},
                {name: self._secret(channel) for name, channel in self._rooms.items()},
            )
            try:
                stack.enter_context(SamLocalDoor(self.deployment, self.slack.url))
            except OSError:
                print(  # another one has the door: everything but `sam local invoke` works here too
                    "tocsin local: another one is running; `sam local invoke` reaches that one",
                    file=sys.stderr,
                )
            clock = threading.Thread(target=self._keep_time, name="reconcile", daemon=True)
            clock.start()
            stack.callback(clock.join)
            stack.callback(self._stopping.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._stack.close()

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
        return {"bot_token": self.slack.bot_token, "channel": channel}

    def _keep_time(self) -> None:
        while not self._stopping.wait(RECONCILE_EVERY):
            try:
                self.deployment.reconcile()
            except Exception as error:  # noqa: BLE001 - said, and tried again a second later, as on AWS
                if not self._stopping.is_set():
                    print(f"tocsin local: reconcile: {error}", file=sys.stderr)


def _channel_id(number: int, name: str) -> str:
    return f"C{number:02}{re.sub('[^A-Z0-9]', '', name.upper())}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of ``tocsin local``."""
    parser.add_argument(
        "--slack-mode", choices=["bot", "webhook"], default="bot", help="how Slack is spoken to"
    )
    parser.add_argument(
        "--slack-port",
        type=port,
        default=0,
        metavar="PORT",
        help="the local Slack's port (default: a free one)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=parameter,
        metavar="KEY=VALUE",
        help="a template parameter, such as group_interval=5s or ResolveAfter=20s; may be repeated",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until interrupted; print one line of JSON when everything is ready."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        tocsin = LocalTocsin(
            slack_mode=arguments.slack_mode, parameters=dict(arguments.set), slack_port=arguments.slack_port
        )
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    with tocsin as local:
        ready = local.ready()
        say_where(ready)
        try:
            print(json.dumps(ready), flush=True)
            while not stop.wait(RECONCILE_EVERY):
                if not LOCAL_FILE.exists():  # one that ran beside this took its own file away
                    say_where(ready)
        finally:
            take_back(ready)
    return 0


def parameter(text: str) -> tuple[str, str]:
    """Read ``KEY=VALUE``, the key as the template has it (``GroupInterval``) or as ``tocsin.toml`` (``group_interval``).

    Raises:
        argparse.ArgumentTypeError: There is no such parameter; the message names those there are.
    """
    key, equals, value = text.partition("=")
    name = parameter_name(key.strip())
    known = re.findall(
        r"^  (\w+):\n    Type:",
        (ROOT / "template.yaml").read_text("utf-8").partition("\nConditions:")[0],
        re.MULTILINE,
    )
    if not equals or name not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE with KEY one of {', '.join(known)}")
    value = value.strip()
    if name in INTERVALS and (name, value) != ("DigestInterval", "off"):
        try:
            parse_duration(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{key.strip()}: {error}") from error
    return name, value


def port(text: str) -> int:
    """Read a TCP port, 0 for a free one.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a port; give 0 to {HIGHEST_PORT}, 0 for a free one"
        )
    return int(text)
