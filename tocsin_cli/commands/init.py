"""Begin a configuration folder: tocsin.toml, one signature of your own with its runbook, and a GitHub workflow.

Asks a few questions on a terminal, or takes flags. With AWS credentials it offers the log groups, dead-letter queues, alarms
and APIs that it finds, those first that usually matter. It never writes over a file, and changes nothing in AWS.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tocsin_cli.aws_errors import is_aws_error
from tocsin_cli.product import version
from tocsin_cli.shown_paths import shown
from tocsin_cli.stack.target import STACK, region_or_environment
from tocsin_cli.starter.account import Found, look
from tocsin_cli.starter.files import SLACK_SECRET, Answers, files

DEFAULT_REGION = "us-east-1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="where (default: here)"
    )
    parser.add_argument("--stack", default=STACK, metavar="NAME", help="default: %(default)s")
    parser.add_argument("--region", help="the stack's Region (default: that of the environment)")
    parser.add_argument(
        "--log-group", action="append", default=[], metavar="NAME", help="watch it; may be repeated"
    )
    parser.add_argument(
        "--dlq", action="append", default=[], metavar="NAME", help="a dead-letter queue; may be repeated"
    )
    parser.add_argument(
        "--alarm-prefix", action="append", default=[], metavar="TEXT", help="how names of alarms begin"
    )
    parser.add_argument(
        "--rest-api",
        action="append",
        default=[],
        metavar="NAME",
        help="alarms on a REST API; may be repeated",
    )
    parser.add_argument("--slack-secret", default=SLACK_SECRET, metavar="NAME", help="default: %(default)s")
    parser.add_argument("--email", default="", help="who is notified when Slack cannot be reached")
    parser.add_argument(
        "--health-data",
        action="store_true",
        help="the logs may hold data of patients: show only what is known to be harmless",
    )
    parser.add_argument("--runbooks", default="", metavar="URL", help="where your team reads runbooks")
    parser.add_argument("--no-aws", action="store_true", help="do not look into the AWS account")
    parser.add_argument(
        "--yes", action="store_true", help="ask nothing: what flags do not say is taken as it is found"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the folder; 1 where a file is there already, or where nothing can be written."""
    region = region_or_environment(arguments.region) or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    found = Found() if arguments.no_aws or arguments.log_group else _found(region)
    ask = not arguments.yes and sys.stdin.isatty()
    choose = partial(_choose, ask=ask)
    answers = Answers(
        stack=arguments.stack,
        region=region,
        log_groups=choose("Log groups to watch", arguments.log_group, found.log_groups),
        dead_letter_queues=choose("Dead-letter queues", arguments.dlq, found.dead_letter_queues),
        alarm_prefixes=choose("Alarms whose names begin so", arguments.alarm_prefix, found.alarm_prefixes),
        rest_apis=choose("REST APIs", arguments.rest_api, found.rest_apis),
        slack_secret=_text("Name of the Slack secret", arguments.slack_secret, ask=ask),
        email=_text("E-mail for the day Slack fails (empty: none)", arguments.email, ask=ask),
        runbooks_url=arguments.runbooks,
        health_data=arguments.health_data
        or (ask and _yes("May the logs hold data of patients or other health data?")),
        version=version(),
    )
    written = {arguments.folder / name: text for name, text in files(answers).items()}
    ignored = arguments.folder / ".gitignore"
    if ignored.is_file():
        written.pop(ignored)
    if there := [path for path in written if path.exists()]:
        print(
            f"tocsin init: nothing was written: {', '.join(map(shown, there))} {'is' if len(there) == 1 else 'are'} there already",
            file=sys.stderr,
        )
        return 1
    try:
        for path, text in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        print(f"tocsin init: {error}", file=sys.stderr)
        return 1
    for path in written:
        print(f"wrote {shown(path)}")
    print(_next_steps(answers, arguments.folder))
    return 0


def _choose(question: str, given: Sequence[str], found: Sequence[str], *, ask: bool) -> tuple[str, ...]:
    """What was given, else of what was found what is chosen."""
    if given or not found or not ask:
        return tuple(given or found)
    print(f"\n{question}, the most useful first:")
    for number, name in enumerate(found, start=1):
        print(f"  {number:>2}  {name}")
    while True:
        answer = input("Numbers with commas, empty for all, - for none: ").strip()
        if not answer:
            return tuple(found)
        if answer == "-":
            return ()
        words = [word.strip() for word in answer.split(",")]
        if all(word.isdecimal() and 1 <= int(word) <= len(found) for word in words):
            return tuple(found[int(word) - 1] for word in words)
        print(f"not understood; write for example 1,2 (up to {len(found)})")


def _text(question: str, given: str, *, ask: bool) -> str:
    return (input(f"{question} [{given}]: ").strip() if ask else "") or given


def _yes(question: str) -> bool:
    return input(f"{question} [y/N]: ").strip().lower() in {"y", "yes"}


def _found(region: str) -> Found:
    """What the account holds; nothing, said on standard error, where it may not be asked."""
    import boto3
    from botocore.config import Config

    quick = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})
    session = boto3.Session(region_name=region)
    client: Callable[[str], Any] = partial(session.client, config=quick)
    try:
        if session.get_credentials() is None:
            print("no AWS credentials: nothing is looked up", file=sys.stderr)
            return Found()
        return look(client)
    except Exception as error:
        if not is_aws_error(error):
            raise
        print(
            f"the account cannot be looked into ({error}); name log groups with --log-group", file=sys.stderr
        )
        return Found()


def _next_steps(answers: Answers, folder: Path) -> str:
    go = "" if folder == Path() else f"cd {shown(folder)}, then "
    steps = [
        *([] if answers.log_groups else ["tocsin.toml: name the log groups to watch, in LogGroupNames"]),
        f"put the Slack credential into Secrets Manager as {answers.slack_secret}",
        f"{go}tocsin check",
        "tocsin plan: what a deploy would change",
        "tocsin deploy",
    ]
    return "Next:\n" + "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, start=1))
