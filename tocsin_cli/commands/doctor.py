"""Look at a deployed stack, or at `tocsin local`, end to end: say what is wrong, why it matters, and how to fix it.

Reads only, but for CloudFormation's drift detection, which changes nothing. Never posts to Slack, never says what is in
a secret. Exits with 1 where something is broken.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from tocsin.core.sanitize import one_line
from tocsin_cli.doctor import actions as doctor_actions
from tocsin_cli.doctor import egress, ingress
from tocsin_cli.doctor import stack as stack_checks
from tocsin_cli.doctor.findings import Check, Examined, Finding, Level, Resource, findings
from tocsin_cli.options import add_root, configuration_here
from tocsin_cli.product import product_root
from tocsin_cli.stack import target as deployed_module
from tocsin_cli.stack.target import Deployed, add_deployed, deployed, region_or_environment

if TYPE_CHECKING:
    from tocsin.adapters.files.configuration import Configuration

TEMPLATE = product_root() / "template.yaml"
NOT_CHECKED_LOCALLY = (
    "who is notified when Slack cannot be reached: tocsin local sends no e-mail",
    "whether items of the incident table expire: the embedded cloud keeps them all",
)
"""What only AWS has, so that `tocsin local` can be neither well nor ill there."""
_MARKS = {Level.OK: "ok  ", Level.WARN: "WARN", Level.FAIL: "FAIL"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_deployed(parser)
    add_root(parser)
    parser.add_argument(
        "--json", action="store_true", help="print JSON: level, check, what, why, fix of each finding"
    )
    parser.add_argument(
        "--no-drift",
        action="store_true",
        help="do not ask CloudFormation for drift, which takes up to a minute and a half",
    )


def run(arguments: argparse.Namespace) -> int:
    """Examine; 1 where something is broken, 2 where the stack cannot be found or asked."""
    configuration = configuration_here(arguments.root)
    with deployed(arguments) as tocsin:
        stack = examined(tocsin, arguments)
        send = _send_locally(stack) if arguments.local else doctor_actions.send_over_http
        checks = all_checks(configuration, drift=not arguments.no_drift, local=arguments.local, send=send)
        found = list(findings(checks, stack))
    if arguments.json:
        print(json.dumps({"stack": stack.name, "findings": [asdict(each) for each in found]}, indent=2))
    else:
        print(report(stack, found, not_checked=NOT_CHECKED_LOCALLY if arguments.local else ()))
    return int(any(each.level is Level.FAIL for each in found))


def all_checks(
    configuration: Configuration,
    *,
    drift: bool = True,
    local: bool = False,
    send: doctor_actions.Send = doctor_actions.send_over_http,
) -> dict[str, Check]:
    """Every check by its name, in the order of the way that a log line goes.

    Args:
        configuration: What the stack is expected to run.
        drift: Whether CloudFormation is asked for drift.
        local: Whether `tocsin local` is looked at, which leaves out ``NOT_CHECKED_LOCALLY``.
        send: Calls the address that Slack calls.
    """
    signatures, settings = configuration
    checks: dict[str, Check] = {
        "stack": stack_checks.status,
        "template": partial(stack_checks.template, local=TEMPLATE),
        "function": stack_checks.functions,
        "log-group": ingress.log_groups,
        "filter-pattern": partial(
            ingress.filter_pattern_is_current, signatures=signatures, errors=settings.errors
        ),
        "permission": ingress.permissions,
        "alarm-topic": ingress.alarm_topic,
        "alarm-rule": ingress.alarm_rules,
        "changes": ingress.changes,
        "stream": ingress.stream,
        "key": stack_checks.key,
        "table": partial(stack_checks.table, expiry=not local),
        "schedule": stack_checks.schedule,
        "topic": egress.topics,
        "queue-policy": egress.queue_policy,
        "event-source": egress.event_source,
        "secret": partial(egress.credentials, settings=settings),
        "slack-actions": partial(doctor_actions.acting, settings=settings, send=send),
        "ops-topic": egress.ops_topic,
        "dead-letters": egress.dead_letters,
        "alarm": stack_checks.alarms,
        "heartbeat": partial(stack_checks.heartbeat, local=local),
        "errors": stack_checks.errors,
    }
    if local:
        del checks["ops-topic"]
    return checks | ({"drift": stack_checks.drift} if drift else {})


def examined(tocsin: Deployed, arguments: argparse.Namespace) -> Examined:
    """The stack with all that CloudFormation knows of it."""
    client, name = _clients(arguments)
    cloudformation = client("cloudformation")
    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = {
        each["LogicalResourceId"]: Resource(
            each.get("PhysicalResourceId", ""), each["ResourceType"], each["ResourceStatus"]
        )
        for page in pages
        for each in page["StackResourceSummaries"]
    }
    return Examined(name, tocsin.name, str(cloudformation.meta.region_name), client, described, resources)


def _clients(arguments: argparse.Namespace) -> tuple[Callable[[str], Any], str]:
    if arguments.local:
        from tocsin_cli.local_aws.cloud import STACK, embedded_client

        ready = json.loads(deployed_module.LOCAL_FILE.read_text("utf-8"))
        return partial(embedded_client, str(ready["aws_endpoint"])), str(ready.get("stack", STACK))
    import boto3

    session = boto3.Session(region_name=region_or_environment(arguments.region))
    make: Callable[[str], Any] = session.client  # type: ignore[assignment] # one of many, named at run time
    return cache(make), arguments.stack


def _send_locally(stack: Examined) -> doctor_actions.Send:
    """What calls the function itself: `tocsin local` serves no address of it."""
    from tocsin_cli.local_aws.cloud import CloudError, answer_request

    def send(_url: str, headers: Mapping[str, str], body: str) -> int:
        try:
            function = stack.outputs["RespondFunctionName"]
            return int(answer_request(stack.client("lambda"), function, headers, body)["statusCode"])
        except CloudError:
            return 502

    return send


def report(stack: Examined, found: Iterable[Finding], not_checked: Iterable[str] = ()) -> str:
    """The findings for people: the worst last, where a terminal ends.

    Args:
        stack: What was examined.
        found: The findings.
        not_checked: What could not be examined, a sentence each.
    """
    order: Mapping[Level, int] = {Level.OK: 0, Level.WARN: 1, Level.FAIL: 2}
    ranked = sorted(found, key=lambda finding: order[finding.level])
    lines = [f"--    not checked: {each}" for each in not_checked]
    for each in ranked:
        lines.append(f"{_MARKS[each.level]}  {one_line(each.what)}")
        lines += [f"      {one_line(text)}" for text in (each.why, each.fix and f"fix: {each.fix}") if text]
    counts = {level: sum(each.level is level for each in ranked) for level in Level}
    verdict = (
        "broken"
        if counts[Level.FAIL]
        else "works, with something to look at"
        if counts[Level.WARN]
        else "well"
    )
    lines.append(
        f"{stack.where}: {verdict} ({counts[Level.OK]} ok, {counts[Level.WARN]} warnings, {counts[Level.FAIL]} failures)"
    )
    return "\n".join(lines)
