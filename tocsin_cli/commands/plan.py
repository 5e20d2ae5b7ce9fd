"""What a deploy would change: resources of the stack, signatures added, changed and removed; nothing is deployed.

Compares with what the stack runs now, or, with `--changed-since REF` and without AWS, with a git reference. With `--backtest
7d` it says what the changed signatures would have made of the last days' logs, with `--backtest FILE` of lines that you have.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import time
from pathlib import Path
from typing import Any

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.problems import ConfigurationError
from tocsin_cli.authoring.changes import Changes, changes
from tocsin_cli.backtest.cloudwatch import time_of
from tocsin_cli.backtest.git_configuration import configuration_at
from tocsin_cli.command_error import CommandError
from tocsin_cli.commands.backtest import replay_cloudwatch, replay_files
from tocsin_cli.commands.build import build, checked_project
from tocsin_cli.commands.deploy import stack_name
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.deployment_file import as_text, read_deployment
from tocsin_cli.options import add_root
from tocsin_cli.package.sam import ask_sam
from tocsin_cli.product import version
from tocsin_cli.shown_paths import shown
from tocsin_cli.stack.deployed_configuration import deployed_configuration
from tocsin_cli.stack.description import describe
from tocsin_cli.stack.parameters import listed, overrides_for_sam
from tocsin_cli.stack.target import region_or_environment
from tocsin_cli.terminal import pluralize

_CHANGE_SET = re.compile(r"arn:aws[\w-]*:cloudformation:\S+:changeSet/\S+")
_MARKS = {"Add": "+", "Modify": "~", "Remove": "-"}
MAX_MESSAGES = 10
"""Signatures whose message is drawn; a new pack may bring many."""


class PlanError(CommandError):
    """It cannot be said what would change; says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument("--env", default="", metavar="NAME", help="a further environment of tocsin.toml")
    parser.add_argument("--stack", metavar="NAME", help="the stack's name (default: that in tocsin.toml)")
    parser.add_argument("--region", help="its Region (default: that in tocsin.toml, or of the environment)")
    parser.add_argument(
        "--changed-since", metavar="REF", help="compare with a git reference instead, without AWS"
    )
    parser.add_argument(
        "--backtest",
        metavar="DURATION|FILE",
        help="also replay that much of the watched log groups, such as 7d, or a file or folder of log lines",
    )
    parser.add_argument("--markdown", action="store_true", help="for a comment on a pull request")
    parser.add_argument(
        "--signatures-only", action="store_true", help="do not build, and do not ask for a change set"
    )


def run(arguments: argparse.Namespace) -> int:
    """Say it; 1 where it cannot be said, or the configuration is wrong."""
    try:
        return _run(arguments)
    except (OSError, ValueError) as error:
        raise PlanError(str(error)) from error


def _run(arguments: argparse.Namespace) -> int:
    after = read_configuration(arguments.root, {})
    deployment = read_deployment(arguments.root, arguments.env)
    region = region_or_environment(arguments.region or deployment.region)
    groups = listed(as_text(deployment.parameters.get("LogGroupNames", "")))
    if arguments.backtest:
        _refuse_what_cannot_be_replayed(arguments.backtest, groups)
    resources: list[str] | None = None
    if arguments.changed_since:
        before: Configuration | None = configuration_at(arguments.changed_since, arguments.root, {})
        compared = arguments.changed_since
    else:
        project = checked_project(arguments.root, arguments.env)
        name = arguments.stack or stack_name(project / "samconfig.toml")
        before, compared = _running(name, region), f"stack {name}"
        if before is not None and not arguments.signatures_only:
            build(project)
            resources = _resources(project, name, region)
    if before is None:
        print(f"{compared} does not exist: a deploy creates it, with {len(after.signatures)} signatures")
        return 0
    found = changes(before, after)
    print(
        _markdown(found, compared, before, after) if arguments.markdown else _text(found, compared, resources)
    )
    if arguments.backtest:
        lines = _backtest([after, before], groups, arguments.backtest, region, compared)
        # In Markdown four blanks make it a block of text, whatever stands in it.
        print("", *(f"    {line}" if arguments.markdown else line for line in lines), sep="\n")
    return 0


def _running(name: str, region: str | None) -> Configuration | None:
    """What the stack runs; None where there is none yet."""
    import boto3

    session = boto3.Session(region_name=region)
    cloudformation = session.client("cloudformation")
    stack = describe(cloudformation, name)
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    try:
        return deployed_configuration(cloudformation, session.client("lambda"), name)
    except ConfigurationError as error:
        raise PlanError(f"what stack {name} runs cannot be read by Tocsin {version()}: {error}") from error


def _resources(project: Path, name: str, region: str | None) -> list[str]:
    """The change set that sam makes of the project, one line for each resource; it is removed again."""
    import boto3

    arguments = [
        *("deploy", "--stack-name", name),
        *(["--region", region] if region else []),
        *("--no-execute-changeset", "--no-confirm-changeset", "--no-progressbar"),
    ]
    with overrides_for_sam(project, os.environ) as overrides:
        status, said = ask_sam([*arguments, *overrides], project)
    if "No changes to deploy" in said or "is up to date" in said:
        return []
    found = _CHANGE_SET.search(said)
    if status or found is None:
        raise PlanError(f"`sam deploy --no-execute-changeset` failed:\n{said[-2000:]}")
    cloudformation: Any = boto3.Session(region_name=region).client("cloudformation")
    pages = cloudformation.get_paginator("describe_change_set").paginate(
        ChangeSetName=found[0], StackName=name
    )
    changed = [each["ResourceChange"] for page in pages for each in page.get("Changes", ())]
    cloudformation.delete_change_set(ChangeSetName=found[0], StackName=name)
    return [
        f"{_MARKS.get(each['Action'], '?')} {each['LogicalResourceId']} ({each['ResourceType']})"
        + (" will be replaced" if each.get("Replacement") == "True" else "")
        for each in changed
    ]


def _text(found: Changes, compared: str, resources: list[str] | None) -> str:
    lines = [f"Tocsin {version()}, compared with {compared}"]
    if resources is not None:
        lines += ["", f"resources: {_count(len(resources))}", *(f"  {each}" for each in resources)]
    count = len(found.added) + len(found.changed) + len(found.removed)
    lines += ["", f"signatures: {_count(count)}"]
    lines += [f"  + {name}" for name in found.added]
    lines += [f"  ~ {name}: {'; '.join(words)}" for name, words in found.changed.items()]
    lines += [f"  - {name}" for name in found.removed]
    if found.settings:
        lines += ["", "settings:", *(f"  ~ {each}" for each in found.settings)]
    return "\n".join(lines)


def _count(number: int) -> str:
    return f"{number or 'no'} change{'' if number == 1 else 's'}"


def _markdown(found: Changes, compared: str, before: Configuration, after: Configuration) -> str:
    if not found:
        return f"### Tocsin: no signature and no setting differs from `{compared}`"
    lines = [f"### Tocsin: what this changes, compared with `{compared}`", ""]
    lines += [f"- added `{name}` ({after.signatures[name].severity})" for name in found.added]
    lines += [f"- changed `{name}`: {'; '.join(words)}" for name, words in found.changed.items()]
    lines += [f"- removed `{name}` ({before.signatures[name].severity})" for name in found.removed]
    lines += [f"- setting {each}" for each in found.settings]
    shown = [*found.added, *found.changed]
    for name in shown[:MAX_MESSAGES]:
        message = _message(after, name)
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", message)), 3)
        lines += ["", f"<details><summary>The message of <code>{name}</code></summary>", ""]
        lines += [f"{fence}text", message, fence, "", "</details>"]
    if len(shown) > MAX_MESSAGES:
        lines += ["", f"{len(shown) - MAX_MESSAGES} more messages: `tocsin preview SIGNATURE`"]
    return "\n".join(lines)


def _message(config: Configuration, name: str) -> str:
    """A signature's first message, as the terminal draws it."""
    from rich.console import Console

    from tocsin_cli.commands.preview import PreviewError, as_posted, messages, preview
    from tocsin_cli.slack_view.terminal import render_message

    try:
        notification = preview(config, name, now=time.time_ns() // 1_000_000)
    except PreviewError as error:
        return str(error)
    drawn = io.StringIO()
    console = Console(file=drawn, width=90, highlight=False, color_system=None)
    for posted in as_posted(notification, *messages(notification, "bot"), "bot"):
        console.print(render_message(posted))
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines())


def _refuse_what_cannot_be_replayed(what: str, groups: list[str]) -> None:
    """Said before anything is built, which takes a minute.

    Raises:
        PlanError: It is neither a file nor a time, or there is no log group to read.
    """
    if Path(what).exists():
        return
    try:
        time_of(what, time.time_ns() // 1_000_000)
    except ValueError as error:
        raise PlanError(f"--backtest: there is no file {what}, and {error}") from error
    if not groups:
        raise PlanError("no log groups to replay: [deploy.parameters] names none in LogGroupNames")


def _backtest(
    configs: list[Configuration], groups: list[str], what: str, region: str | None, compared: str
) -> list[str]:
    """What the messages of these lines would have been, a line for each thing that differs."""
    if Path(what).exists():
        lines, comparison = shown(Path(what)), replay_files(configs, [what], compared)
    else:
        lines, comparison = f"the last {what}", replay_cloudwatch(configs, groups, what, region, compared)
    messages = comparison["messages"]
    return [
        f"{lines}: {pluralize(messages['before'], 'message')} with {compared}, {messages['after']:,} with this",
        *(
            f"  ~ {name}: {pluralize(counts['before'], 'occurrence')}, now {counts['after']:,}"
            for name, counts in comparison["signatures"].items()
        ),
        *(
            f"  {mark} {each['at']} {each['service']} {each['reason']}: {each['title']}"
            for mark, key in (("-", "only_before"), ("+", "only_after"))
            for each in comparison[key]
        ),
    ]
