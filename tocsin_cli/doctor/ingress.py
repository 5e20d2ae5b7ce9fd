"""The doctor on what comes in: log groups, subscriptions and their two slots, permissions, alarms, the stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from tocsin.core.config.error_settings import ErrorSettings
from tocsin.core.matching.unknown_error import ErrorFinder
from tocsin.core.signatures.signature import Signature
from tocsin_cli.authoring.filter_pattern import Style, filter_pattern
from tocsin_cli.aws_errors import if_there, is_aws_error
from tocsin_cli.doctor.findings import Examined, Finding, Resource, fail, ok, principals, warn
from tocsin_cli.doctor.fixes import redeploy, restore, set_parameter
from tocsin_cli.stack.subscription_slots import MAX_FILTERS

_LOGS = "what is logged there is not seen, and no alert can come of it"


def log_groups(stack: Examined) -> Iterator[Finding]:
    """Each watched log group exists and hands its lines to us, once."""
    logs = stack.client("logs")
    destinations = _destinations(stack)
    account_wide = _subscribed_account_wide(logs, destinations)
    right = 0
    for group in stack.names("LogGroupNames"):
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if group not in {each["logGroupName"] for each in found}:
            yield fail(
                "log-group",
                f"the log group {group} does not exist",
                _LOGS,
                "is its name right, and has its function ever run? Then deploy again, which subscribes it: "
                + redeploy(),
            )
            continue
        filters = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
        ours = [each for each in filters if each["destinationArn"] in destinations]
        if not ours and not account_wide:
            yield _not_subscribed(stack, group, filters)
        elif len(ours) + account_wide > 1:
            names = ", ".join(each["filterName"] for each in ours) + (
                " and the account's policy" if account_wide else ""
            )
            yield warn(
                "subscription",
                f"{group} is subscribed {len(ours) + account_wide} times: {names}",
                "each line counts as many times",
                _delete(group, ours[-1]["filterName"]),
            )
        elif ours and ours[0].get("filterPattern", "") != stack.parameters.get("FilterPattern", ""):
            yield warn(
                "filter-pattern",
                f"the subscription of {group} has another filter pattern than the stack's parameter",
                "somebody changed it; lines may be kept back that matter",
                _put(stack, group),
            )
        else:
            right += 1
    if right:
        yield ok("subscription", f"{right} watched log groups exist and are subscribed once")
    elif not stack.names("LogGroupNames"):
        yield warn(
            "log-group",
            "no log group is watched",
            "only alarms and a stream, if there is one, can raise an alert",
            set_parameter("LogGroupNames", "/aws/lambda/one", "/aws/lambda/two"),
        )


def _destinations(stack: Examined) -> set[str]:
    return {stack.outputs.get(name, "") for name in ("DetectFunctionArn", "EnvelopeStreamArn")} - {""}


def _subscribed_account_wide(logs: Any, destinations: set[str]) -> int:
    """How many account-level policies lead to us: one or none."""
    try:
        policies = logs.describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")["accountPolicies"]
    except Exception as error:
        if not is_aws_error(error):
            raise
        return 0  # not allowed to look, or a cloud that has no such thing
    documents = [json.loads(each["policyDocument"]) for each in policies]
    return int(any(each.get("DestinationArn") in destinations for each in documents))


def _not_subscribed(stack: Examined, group: str, filters: Sequence[Mapping[str, str]]) -> Finding:
    if len(filters) < MAX_FILTERS:
        named = [each for each in filters if each["filterName"] == f"{stack.name}-detect"]
        who = f"its filter leads to {named[0]['destinationArn']}" if named else "somebody deleted it"
        return fail(
            "subscription", f"{group} has no subscription to Tocsin ({who})", _LOGS, _put(stack, group)
        )
    taken = "; ".join(f"{each['filterName']} to {each['destinationArn']}" for each in filters)
    return fail(
        "subscription-slots",
        f"{group} has no subscription to Tocsin, and both of its two slots are taken: {taken}",
        _LOGS + "; a deploy that adds it fails with LimitExceededException",
        f"free one: {_delete(group, filters[0]['filterName'])} and then {_put(stack, group)}; or let one of them write to a "
        "Kinesis stream that both read, leave the group out of LogGroupNames and give the stream as KinesisStreamArn",
    )


def _put(stack: Examined, group: str) -> str:
    destination = stack.outputs.get("EnvelopeStreamArn") or stack.outputs.get("DetectFunctionArn", "")
    role = (
        f" --role-arn {stack.outputs['LogsToStreamRoleArn']} --distribution Random"
        if "EnvelopeStreamArn" in stack.outputs
        else ""
    )
    return (
        f"aws logs put-subscription-filter --log-group-name '{group}' --filter-name '{stack.name}-detect' "
        f"--filter-pattern '{stack.parameters.get('FilterPattern', '')}' --destination-arn {destination}{role}"
    )


def _delete(group: str, name: str) -> str:
    return f"aws logs delete-subscription-filter --log-group-name '{group}' --filter-name '{name}'"


def permissions(stack: Examined) -> Iterator[Finding]:
    """Whoever hands something to detect may invoke it."""
    function = stack.outputs["DetectFunctionName"]
    answer = if_there(lambda: stack.client("lambda").get_policy(FunctionName=function))
    policy = json.loads(answer["Policy"]) if answer else {}
    admitted = {service for service, _ in principals(policy, "lambda:InvokeFunction")}
    lost = {
        "logs.amazonaws.com": "CloudWatch Logs cannot hand over a line, does not try again after AccessDenied, and the lines are lost",
        "sns.amazonaws.com": "alarms that name the alarm topic do not arrive",
        "events.amazonaws.com": "state changes of existing alarms do not arrive",
        "lambda.alarms.cloudwatch.amazonaws.com": "alarms that name the function itself do not arrive",
    }
    for service, why in lost.items():
        if service not in admitted:
            account, region = stack.outputs["DetectFunctionArn"].split(":")[4], stack.region
            source = {
                "logs.amazonaws.com": f"arn:aws:logs:{region}:{account}:log-group:*",
                "sns.amazonaws.com": stack.outputs["AlarmTopicArn"],
                "events.amazonaws.com": f"arn:aws:events:{region}:{account}:rule/*",
                "lambda.alarms.cloudwatch.amazonaws.com": f"arn:aws:cloudwatch:{region}:{account}:alarm:*",
            }[service]
            yield fail(
                "permission",
                f"{service} may not invoke {function}",
                why,
                f"aws lambda add-permission --function-name {function} --statement-id doctor-{service.split('.')[0]} "
                f"--action lambda:InvokeFunction --principal {service} --source-account {account} --source-arn '{source}'",
            )
    if not set(lost) - admitted:
        yield ok("permission", "CloudWatch Logs, alarms, EventBridge and the alarm topic may invoke detect")


def alarm_topic(stack: Examined) -> Iterator[Finding]:
    """What is published to the alarm topic reaches detect."""
    topic, function = stack.outputs["AlarmTopicArn"], stack.outputs["DetectFunctionArn"]
    subscriptions = if_there(lambda: subscriptions_of(stack, topic))
    if subscriptions is None:
        yield fail(
            "alarm-topic", f"the alarm topic {topic} is gone", "no alarm reaches Tocsin by it", restore()
        )
        return
    if any(each["Protocol"] == "lambda" and each["Endpoint"] == function for each in subscriptions):
        yield ok("alarm-topic", "detect is subscribed to the alarm topic")
    else:
        yield fail(
            "alarm-topic",
            "detect is not subscribed to the alarm topic",
            "no notification is sent for alarms of dead-letter queues, nor for those that name the topic",
            f"aws sns subscribe --topic-arn {topic} --protocol lambda --notification-endpoint {function}",
        )


def subscriptions_of(stack: Examined, topic: str) -> list[dict[str, str]]:
    """All subscriptions of a topic."""
    pages = stack.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [each for page in pages for each in page["Subscriptions"]]


def alarm_rules(stack: Examined) -> Iterator[Finding]:
    """The rules that pick up existing alarms are there and enabled."""
    rules = {
        name: each
        for name, each in stack.of_type("AWS::Events::Rule").items()
        if name.startswith("AlarmRule")
    }
    right = yield from _rules(
        stack, rules, fail, "alarm-rule", "state changes of existing alarms do not arrive"
    )
    if right:
        yield ok("alarm-rule", f"{right} rules pick up existing alarms")


def _rules(
    stack: Examined, rules: Mapping[str, Resource], level: Callable[..., Finding], check: str, why: str
) -> Generator[Finding, None, int]:
    """A finding for each rule that is gone or disabled; returns how many are neither."""
    events, right = stack.client("events"), 0

    def state_of(rule: str) -> str | None:
        found = if_there(lambda: events.describe_rule(Name=rule))
        return found and found["State"]

    for name, rule in rules.items():
        short = rule.physical.rpartition("/")[2]
        state = state_of(short)
        if state is None:
            yield level(check, f"the rule {name} is gone", why, restore())
        elif state == "DISABLED":
            yield level(check, f"the rule {name} is disabled", why, f"aws events enable-rule --name {short}")
        else:
            right += 1
    return right


def changes(stack: Examined) -> Iterator[Finding]:
    """Changes are picked up; and what of them cannot be seen here is said."""
    names = ("StackChangesRule", "FunctionChangesRule")
    rules = {name: stack.resources[name] for name in names if name in stack.resources}
    if not rules:
        yield ok("changes", "switched off (WatchChanges=no): no incident says what changed before")
        return
    right = yield from _rules(stack, rules, warn, "changes", "incidents do not say what changed before")
    if right == len(names):
        logging = _trails(stack)
        seen = (
            f"changes of functions by the trail {logging[0]}, if it logs write management events"
            if logging
            else ("direct changes of functions cannot be seen: no trail of CloudTrail logs here")
        )
        yield ok("changes", f"changes of stacks are seen; {seen}")


def _trails(stack: Examined) -> list[str]:
    """The names of the trails that log in this Region."""
    client = stack.client("cloudtrail")
    return [
        each["Name"]
        for each in client.describe_trails()["trailList"]
        if client.get_trail_status(Name=each.get("TrailARN", each["Name"]))["IsLogging"]
    ]


def stream(stack: Examined) -> Iterator[Finding]:
    """The Kinesis stream, where there is one, is read."""
    if "DetectKinesisSource" not in stack.resources:
        return
    yield from mapping(
        stack, "DetectFunctionName", "stream", "what comes by Kinesis is not read, and lost after a day"
    )


def mapping(stack: Examined, function: str, check: str, why: str) -> Iterator[Finding]:
    """The event source of a function is there and enabled."""
    name = stack.outputs[function]
    mappings = stack.client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    if not mappings:
        yield fail(check, f"{name} has no event source", why, restore())
    for each in mappings:
        result = str(each.get("LastProcessingResult") or "")
        if result.startswith("PROBLEM"):
            yield fail(
                check,
                f"the event source of {name} cannot read: {result}",
                why,
                "if a KMS key is the reason, deploy with it as KinesisStreamKeyArn (a stream that was there before) or KmsKeyArn; "
                f"then: aws lambda get-event-source-mapping --uuid {each['UUID']}",
            )
        elif each["State"] in {"Enabled", "Creating", "Enabling", "Updating"}:
            yield ok(check, f"the event source of {name} is {each['State'].lower()}")
        else:
            yield fail(
                check,
                f"the event source of {name} is {each['State'].lower()}",
                why,
                f"aws lambda update-event-source-mapping --uuid {each['UUID']} --enabled",
            )


def filter_pattern_is_current(
    stack: Examined, signatures: Mapping[str, Signature], errors: ErrorSettings
) -> Iterator[Finding]:
    """The pattern that was deployed lets through what today's signatures may recognise, and hides no unknown error."""
    deployed = stack.parameters.get("FilterPattern", "")
    if not deployed:
        yield ok("filter-pattern", "no filter pattern: every line is looked at")
        return
    looked_for = ErrorFinder(signatures, errors).raw_expression
    if looked_for:
        yield warn(
            "filter-pattern",
            "the deployed FilterPattern hides errors that no signature explains",
            "no pattern stands for every way to state a level; such an error never reaches Tocsin, and nobody is notified",
            'tocsin deploy with an empty FilterPattern; or, if that is meant, tell = "off" under [errors] in tocsin.toml',
        )
    right = {filter_pattern(signatures, style, terms_match_within_words=True).pattern for style in Style}
    if deployed in right:
        yield ok("filter-pattern", "the filter pattern is the one of these signatures")
    else:
        only = " --signatures-only" if looked_for else ""
        yield warn(
            "filter-pattern",
            "the deployed FilterPattern is not the one that these signatures ask for",
            "made before a signature changed it may keep back that signature's lines",
            set_parameter("FilterPattern", f"<what `tocsin filter-pattern{only}` prints>"),
        )
