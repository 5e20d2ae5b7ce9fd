"""``tocsin local``: the embedded cloud with the deployed stack and a local Slack, until stopped."""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from tocsin.adapters.sam_local import BRIDGE_PORT
from tocsin.core.config.settings import Intervals
from tocsin.core.times import parse_duration
from tocsin_cli.local_aws.local_tocsin import RECONCILE_EVERY, LocalTocsin
from tocsin_cli.product import product_root
from tocsin_cli.stack.target import LOCAL_FILE, remove_ready_file, write_ready_file

HIGHEST_PORT = 65_535


def parameter_name(key: str) -> str:
    """The template's name of a key of ``tocsin.toml``: ``GroupWait`` for ``group_wait``; its own stays as it is."""
    return "".join(word[:1].upper() + word[1:] for word in key.split("_"))


INTERVALS = frozenset(map(parameter_name, Intervals.__struct_fields__))


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
        "--sam-port",
        type=port,
        default=BRIDGE_PORT,
        metavar="PORT",
        help=f"where `sam local invoke` finds this one (default: {BRIDGE_PORT}; 0: nowhere, so that another one can run)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the line of JSON on a terminal too; into a pipe it always is",
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
    """Run until interrupted; when everything is ready print one line of JSON, or on a terminal what to do next."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with LocalTocsin(
        slack_mode=arguments.slack_mode,
        parameters=dict(arguments.set),
        slack_port=arguments.slack_port,
        sam_port=arguments.sam_port or None,
    ) as local:
        ready = local.ready()
        write_ready_file(ready)
        try:
            print(
                for_people(ready) if sys.stdout.isatty() and not arguments.json else json.dumps(ready),
                flush=True,
            )
            while not stop.wait(RECONCILE_EVERY):
                if not LOCAL_FILE.exists():  # one that ran beside this took its own file away
                    write_ready_file(ready)
        finally:
            remove_ready_file(ready)
    return 0


def for_people(ready: Mapping[str, Any]) -> str:
    """What a terminal shows: the page, a command to paste, and how to stop.

    Args:
        ready: The ready line.
    """
    group = next(iter(ready["log_groups"].values()))
    command = (
        f"AWS_ENDPOINT_URL={ready['aws_endpoint']} AWS_REGION={ready['region']} AWS_ACCESS_KEY_ID=test "
        f"AWS_SECRET_ACCESS_KEY=test sh -c 'aws logs create-log-stream --log-group-name {group} --log-stream-name mine; "
        f"aws logs put-log-events --log-group-name {group} --log-stream-name mine --log-events "
        f'"timestamp=$(date +%s)000,message=Unable to import module handler: No module named mangum"\''
    )
    return (
        f"Slack, live:   {ready['slack_url']}\nTry an outage:\n{command}\n"
        "Without aws:   tocsin drill --local, in another terminal and this folder\nStop:          Ctrl-C"
    )


def parameter(text: str) -> tuple[str, str]:
    """Read ``KEY=VALUE``, the key as the template has it (``GroupInterval``) or as ``tocsin.toml`` (``group_interval``).

    Raises:
        argparse.ArgumentTypeError: There is no such parameter; the message names those there are.
    """
    key, equals, value = text.partition("=")
    name = parameter_name(key.strip())
    known = re.findall(
        r"^  (\w+):\n    Type:",
        (product_root() / "template.yaml").read_text("utf-8").partition("\nConditions:")[0],
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
