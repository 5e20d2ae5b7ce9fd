"""A fire drill: write one harmless line to a watched log group and follow it to Slack, step by step, until it is resolved.

The message in Slack says that it is a drill, and calls nobody. With --alarm or --dlq an alarm is set to ALARM in its place, and
put back: that message says who set it, but it is the alarm's, and calls whom the alarm calls. Exits with 1 where the drill did
not come through, 2 where the stack cannot be found or asked.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path

from tocsin.core.sanitize import one_line
from tocsin_cli.commands.doctor import examined
from tocsin_cli.doctor.findings import Examined
from tocsin_cli.drill.alarm import AlarmDrill, alarm_of_queue
from tocsin_cli.drill.steps import Drill, Step, report
from tocsin_cli.stack.target import DeployedError, add_deployed, deployed


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_deployed(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--log-group", metavar="NAME", help="a watched log group (default: the first one)")
    what.add_argument(
        "--dlq", metavar="QUEUE", help="set the alarm of this dead-letter queue instead; no message is sent"
    )
    what.add_argument("--alarm", metavar="NAME", help="set this alarm instead; it calls whom it calls")
    parser.add_argument(
        "--within",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="how long to wait for each step (default: 120)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write versions, Region, times and verdicts, and no names, as JSON",
    )


def run(arguments: argparse.Namespace) -> int:
    """Drill; 1 where it stopped, 2 where the stack cannot be found or asked."""
    steps: list[Step] = []
    with deployed(arguments) as tocsin:
        stack = examined(tocsin, arguments)
        drill = _drill(stack, arguments)
        print(f"fire drill of {stack.where}; it takes two to three minutes", flush=True)
        for step in drill.run():
            steps.append(step)
            print(_line(step), flush=True)
    if arguments.report:
        versions = {"tocsin": version("tocsin"), "python": platform.python_version()}
        arguments.report.write_text(json.dumps(report(drill, steps, versions), indent=2) + "\n", "utf-8")
    last = steps[-1]
    begin = "an alarm" if isinstance(drill, AlarmDrill) else "a log line"
    print(f"the path works, from {begin} to Slack and back" if last.passed else f"stopped at: {last.name}")
    return int(not last.passed)


def _drill(stack: Examined, arguments: argparse.Namespace) -> Drill:
    alarm = arguments.alarm or (alarm_of_queue(stack, arguments.dlq) if arguments.dlq else "")
    if alarm:
        return AlarmDrill(stack, alarm, arguments.within)
    return Drill(stack, arguments.log_group or _first_log_group(stack), arguments.within)


def _first_log_group(stack: Examined) -> str:
    """The first watched log group.

    Raises:
        DeployedError: None is watched by name.
    """
    if names := stack.names("LogGroupNames"):
        return names[0]
    raise DeployedError("no log group is watched by name: give one with --log-group")


def _line(step: Step) -> str:
    took = f"{step.seconds:8.1f} s" if step.seconds is not None else "   STOP   "
    return f"{took}  {step.name:<12}  {one_line(step.text)}"
