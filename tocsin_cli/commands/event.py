"""Write an event for ``sam local invoke``: one from log lines of your own, or all of ``events/``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.options import add_root
from tocsin_cli.sample_events.events import (
    BACKEND,
    DLQ,
    FUNCTION,
    SHAPES,
    STACK,
    event_text,
    new_event,
    write_events,
)
from tocsin_cli.shown_paths import shown


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "shape", choices=[*SHAPES, "all"], help="the event's shape; all writes events/*.json again"
    )
    parser.add_argument(
        "--line",
        action="append",
        default=[],
        metavar="TEXT",
        help="a log event, may be given several times; without it, the lines of standard input",
    )
    parser.add_argument(
        "--log-group", default=BACKEND, help="where the lines come from (default: %(default)s)"
    )
    parser.add_argument(
        "--queue", default=DLQ, help="for alarms: the dead-letter queue (default: %(default)s)"
    )
    parser.add_argument(
        "--state", default="ALARM", choices=["ALARM", "OK", "INSUFFICIENT_DATA"], help="for alarms"
    )
    parser.add_argument(
        "--function",
        default=FUNCTION,
        help="for change-function: whose code is updated (default: %(default)s)",
    )
    parser.add_argument(
        "--stack", default=STACK, help="for change-stack: the stack that is updated (default: %(default)s)"
    )
    parser.add_argument(
        "--events", type=Path, default=Path("events"), help="for all: the folder (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one event, or write them all."""
    if arguments.shape == "all":
        for path in write_events(arguments.events, read_configuration(arguments.root)):
            print(shown(path))
        return 0
    lines = arguments.line
    if not lines and arguments.shape in {"logs", "kinesis"}:
        lines = [line for line in sys.stdin.read().splitlines() if line]
    now = time.time_ns() // 1_000_000
    event = new_event(
        arguments.shape,
        lines,
        log_group=arguments.log_group,
        at=now,
        queue=arguments.queue,
        state=arguments.state,
        function=arguments.function,
        stack=arguments.stack,
    )
    sys.stdout.write(event_text(event))
    return 0
