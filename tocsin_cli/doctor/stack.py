"""The doctor on the stack itself: its state, drift and age, the functions, the schedule, the table, alarms, the heartbeat."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tocsin.adapters.aws.heartbeat_record import KEY
from tocsin_cli.aws_errors import if_there
from tocsin_cli.doctor.findings import Examined, Finding, fail, ok, principals, warn
from tocsin_cli.doctor.fixes import redeploy, restore, set_parameter
from tocsin_cli.stack.parameters import load_template

FUNCTIONS = {
    "DetectFunctionName": "lines and alarms are not looked at",
    "ReconcileFunctionName": "nothing is repaired, rolled up or resolved",
    "NotifyFunctionName": "nothing is sent to Slack",
}
_NOBODY_KNOWS = "nobody is notified of what it watches"
ERRORS_WITHIN = timedelta(hours=1)
HEARTBEAT_WITHIN = timedelta(minutes=15)
"""What the alarm HeartbeatStoppedAlarm waits for."""
LOCAL_HEARTBEAT_WITHIN = 60.0
"""Seconds to wait for the first one of a `tocsin local` that has just begun."""
FIRST_HEARTBEAT_WITHIN = 10.0
"""Seconds to wait for notify to have a young stack's first heartbeat, when detect has it: SNS, a queue and a cold start."""
DRIFT_WITHIN = 90.0
"""Seconds to wait for CloudFormation's answer."""
CHANGED_PAST_THE_STACK = timedelta(minutes=10)
"""A function that was changed so long after its stack was not changed by it."""


def status(stack: Examined) -> Iterator[Finding]:
    """The stack is in a state that it can work and be deployed in."""
    state = str(stack.described["StackStatus"])
    look = (
        f"aws cloudformation describe-stack-events --stack-name {stack.name} --query "
        "\"StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]\""
    )
    if state.endswith("_IN_PROGRESS"):
        yield warn(
            "stack",
            f"the stack is {state}",
            "what follows may change while it is looked at",
            "run the doctor again when it is done",
        )
    elif state == "UPDATE_ROLLBACK_COMPLETE":
        yield warn(
            "stack",
            "the last update failed, and CloudFormation has rolled it back",
            "what runs is older than what was deployed",
            look,
        )
    elif state.endswith("_FAILED") or "ROLLBACK" in state or state.startswith("DELETE"):
        yield fail(
            "stack", f"the stack is {state}", "it cannot be relied on, nor updated before that is fixed", look
        )
    else:
        yield ok("stack", f"{stack.where} is {state}")


def template(stack: Examined, local: Path) -> Iterator[Finding]:
    """What is deployed is not older than the template that this command brings."""
    document = load_template(local)
    always = {
        name
        for name, each in document["Resources"].items()
        if isinstance(each, dict) and "Condition" not in each
    }
    lacking = sorted(
        always - stack.resources.keys() | document["Parameters"].keys() - stack.parameters.keys()
    )
    if lacking:
        yield warn(
            "template",
            f"the deployed stack lacks what the template of this version has: {', '.join(lacking)}",
            "it is older than this version, and does not do what its documents say",
            redeploy(),
        )
    else:
        yield ok("template", "the stack has all that the template of this version always creates")


def drift(stack: Examined) -> Iterator[Finding]:
    """Nobody changed a resource past the stack, as far as CloudFormation can see."""
    client = stack.client("cloudformation")
    detection = client.detect_stack_drift(StackName=stack.name)["StackDriftDetectionId"]
    deadline = time.monotonic() + DRIFT_WITHIN
    while (detected := client.describe_stack_drift_detection_status(StackDriftDetectionId=detection))[
        "DetectionStatus"
    ] == "DETECTION_IN_PROGRESS":
        if time.monotonic() > deadline:
            yield warn(
                "drift",
                "CloudFormation is still comparing",
                "resources changed past the stack are not seen",
                "run the doctor again",
            )
            return
        time.sleep(2)
    if detected.get("StackDriftStatus") != "DRIFTED":
        yield ok("drift", "no resource differs from the template, where CloudFormation can see")
        return
    for each in _drifted(client, stack.name):
        name, kind = each["LogicalResourceId"], each["StackResourceDriftStatus"]
        if kind == "DELETED":
            yield fail(
                "drift",
                f"{name} ({each['ResourceType']}) was deleted past the stack",
                "an update of the stack will stumble over it",
                "create it again as it was, or deploy a copy of the template without it and then the whole",
            )
        else:
            where = ", ".join(
                sorted({difference["PropertyPath"] for difference in each.get("PropertyDifferences", ())})
            )
            yield warn(
                "drift",
                f"{name} ({each['ResourceType']}) was changed past the stack: {where}",
                "the next deploy may set it back, or not",
                f"aws cloudformation describe-stack-resource-drifts --stack-name {stack.name}, then put it back or into the template",
            )


def _drifted(client: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """The resources that differ; boto3 has no paginator for this call."""
    more: dict[str, str] = {}
    while True:
        page = client.describe_stack_resource_drifts(
            StackName=name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"], **more
        )
        yield from page["StackResourceDrifts"]
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def functions(stack: Examined) -> Iterator[Finding]:
    """The three functions exist, are active, run on the runtime of the template, and are those that the stack deployed."""
    client, right = stack.client("lambda"), 0

    def configuration_of(function: str) -> dict[str, Any] | None:
        return if_there(lambda: client.get_function_configuration(FunctionName=function))

    for output, why in FUNCTIONS.items():
        name = stack.outputs[output]
        found = configuration_of(name)
        if found is None:
            yield fail("function", f"the function {name} does not exist", why, restore())
            continue
        problems = list(_function(stack, client, name, found, why))
        yield from problems
        right += not problems
    if right:
        yield ok("function", f"{right} functions are active on python3.13 and as the stack deployed them")


def _function(
    stack: Examined, client: Any, name: str, found: Mapping[str, Any], why: str
) -> Iterator[Finding]:
    state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
    reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or ""
    if "Failed" in {state, update}:
        yield fail(
            "function",
            f"{name} is {state}, its last update {update} {reason}".strip(),
            why,
            f"{redeploy()}; if a KMS key is the reason, enable it",
        )
    elif state == "Pending" or update == "InProgress":
        yield warn(
            "function",
            f"{name} is being updated: {reason}",
            "it may still run what it was before",
            "run the doctor again in a minute",
        )
    if found.get("Runtime") != "python3.13":
        yield warn(
            "function",
            f"{name} runs on {found.get('Runtime')}, and the package is made for python3.13",
            "compiled modules may not load",
            redeploy(),
        )
    if client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions") == 0:
        yield fail(
            "function",
            f"{name} is throttled to no execution at all",
            why,
            f"aws lambda delete-function-concurrency --function-name {name}",
        )
    deployed = stack.described.get("LastUpdatedTime") or stack.described.get("CreationTime")
    modified = datetime.fromisoformat(str(found["LastModified"]).replace("+0000", "+00:00"))
    if isinstance(deployed, datetime) and modified - deployed > CHANGED_PAST_THE_STACK:
        yield warn(
            "function",
            f"{name} was changed at {modified:%Y-%m-%d %H:%M} UTC, after its stack ({deployed:%Y-%m-%d %H:%M})",
            "somebody updated it directly; what runs may lack its dependencies, and the next deploy may not notice",
            f"{redeploy()}, with a change that gives the code another hash",
        )


def errors(stack: Examined) -> Iterator[Finding]:
    """No function has failed within the hour."""
    now = datetime.now(UTC)
    client = stack.client("cloudwatch")
    any_found = False
    for output in FUNCTIONS:
        name = stack.outputs[output]
        for metric in ("Errors", "Throttles"):
            points = client.get_metric_statistics(
                Namespace="AWS/Lambda",
                MetricName=metric,
                Dimensions=[{"Name": "FunctionName", "Value": name}],
                StartTime=now - ERRORS_WITHIN,
                EndTime=now,
                Period=3600,
                Statistics=["Sum"],
            )["Datapoints"]
            if count := int(sum(point["Sum"] for point in points)):
                any_found = True
                short = output.removesuffix("FunctionName").lower()
                yield warn(
                    "errors",
                    f"{name}: {count} {metric.lower()} within the last hour",
                    "alerts are late, or kept in the failure queue",
                    f"aws logs tail /tocsin/{stack.name}/{short} --since 1h --format short",
                )
    if not any_found:
        yield ok("errors", "no errors or throttles within the last hour")


def schedule(stack: Examined) -> Iterator[Finding]:
    """Reconcile is started every minute."""
    name = stack.resources["ReconcileFunctionEveryMinute"].physical.rpartition("/")[2]
    why, events = FUNCTIONS["ReconcileFunctionName"], stack.client("events")
    rule = if_there(lambda: events.describe_rule(Name=name))
    if rule is None:
        yield fail("schedule", f"the schedule of reconcile ({name}) is gone", why, restore())
        return
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    if rule["State"] == "DISABLED":
        yield fail(
            "schedule",
            f"the schedule of reconcile ({name}) is disabled",
            why,
            f"aws events enable-rule --name {name}",
        )
    elif not any(target["Arn"].endswith(f":{stack.outputs['ReconcileFunctionName']}") for target in targets):
        yield fail("schedule", f"the schedule {name} does not start reconcile", why, restore())
    else:
        yield ok("schedule", f"reconcile is started by {rule['ScheduleExpression']}")


def table(stack: Examined, *, expiry: bool = True) -> Iterator[Finding]:
    """The incident table is there and forgets by itself.

    Args:
        stack: The stack.
        expiry: Whether its cloud lets items expire at all; the embedded one does not.
    """
    name, client = stack.outputs["TableName"], stack.client("dynamodb")
    described = if_there(lambda: client.describe_table(TableName=name))
    if described is None:
        yield fail(
            "table",
            f"the incident table {name} does not exist",
            "nothing can be counted or sent; events go to the failure queue",
            restore(),
        )
        return
    state = described["Table"]["TableStatus"]
    forgets = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    if state not in {"ACTIVE", "UPDATING"}:
        yield fail(
            "table",
            f"the incident table {name} is {state}",
            "nothing can be counted or sent",
            f"aws dynamodb describe-table --table-name {name}",
        )
    elif expiry and forgets not in {"ENABLED", "ENABLING"}:
        yield warn(
            "table",
            f"items of {name} do not expire (time to live is {forgets})",
            "it grows for ever, and so does its cost",
            f"aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification 'Enabled=true, AttributeName=expires_at'",
        )
    else:
        yield ok("table", "the incident table is active" + (", and its items expire" if expiry else ""))


_KEY_USERS = {
    "cloudwatch.amazonaws.com": "alarms cannot publish to the topics, and fail in silence",
    "sns.amazonaws.com": "topics cannot write into the queues, and no notification reaches Slack",
    "events.amazonaws.com": "what EventBridge cannot hand to detect is dropped in silence",
}


def key(stack: Examined) -> Iterator[Finding]:
    """The policy of the stack's own KMS key admits the services that use it in their own name."""
    arn = stack.parameters.get("KmsKeyArn", "")
    if not arn:
        return
    policy = json.loads(stack.client("kms").get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    users = _KEY_USERS | {f"logs.{stack.region}.amazonaws.com": "the functions cannot write their logs"}
    fix = (
        "docs/security.md has a policy that is enough: aws kms put-key-policy --policy-name default --key-id "
        + arn
    )
    admitted = {
        service for action in ("kms:Decrypt", "kms:Decrypt*") for service, _ in principals(policy, action)
    }
    lacking = [service for service in users if not {service, "*"} & admitted]
    for service in lacking:
        yield fail("key", f"the policy of the key {arn} does not admit {service}", users[service], fix)
    if _asks_eventbridge_for_its_account(policy):
        yield fail(
            "key",
            f"the policy of the key {arn} asks events.amazonaws.com for aws:SourceAccount, which it does not send",
            users["events.amazonaws.com"],
            fix,
        )
    elif not lacking:
        yield ok("key", "the key's policy admits alarms, topics, rules and log groups")


def _asks_eventbridge_for_its_account(policy: Mapping[str, Any]) -> bool:
    """Whether every statement that admits EventBridge holds it to an account, which shuts it out."""
    statements = policy.get("Statement", [])
    ours = [
        each.get("Condition") or {}
        for each in (statements if isinstance(statements, list) else [statements])
        if each.get("Effect") == "Allow" and "events.amazonaws.com" in json.dumps(each.get("Principal"))
    ]
    return bool(ours) and all("aws:sourceaccount" in json.dumps(each).lower() for each in ours)


def alarms(stack: Examined) -> Iterator[Finding]:
    """Tocsin's alarms about itself exist, are switched on, lead somewhere, and are quiet."""
    expected = {
        each.physical.rpartition(":alarm:")[2] or each.physical: name
        for name, each in stack.of_type("AWS::CloudWatch::Alarm").items()
    }
    names = sorted(expected)
    found: dict[str, Any] = {}
    client = stack.client("cloudwatch")
    for start in range(0, len(names), 100):
        answer = client.describe_alarms(AlarmNames=names[start : start + 100], AlarmTypes=["MetricAlarm"])
        found |= {each["AlarmName"]: each for each in answer["MetricAlarms"]}
    quiet = 0
    for name, logical in expected.items():
        alarm = found.get(name)
        if alarm is None:
            yield fail("alarm", f"the alarm {logical} ({name}) is gone", _NOBODY_KNOWS, restore())
        elif not alarm.get("ActionsEnabled", True) or not alarm.get("AlarmActions"):
            yield fail(
                "alarm",
                f"the alarm {name} has no action, or its actions are switched off",
                _NOBODY_KNOWS,
                f"aws cloudwatch enable-alarm-actions --alarm-names {name}",
            )
        elif alarm["StateValue"] == "ALARM" and logical.startswith("DlqDepth"):
            yield warn(
                "alarm",
                f"{name} is in ALARM",
                "messages wait in a queue that Tocsin watches for you; an incident says so",
                "tocsin incidents list",
            )
        elif alarm["StateValue"] == "ALARM" and logical in _UNTIL_FIRST and is_young(stack):
            yield warn(
                "alarm",
                f"{name} is in ALARM, because the stack is new",
                "it says so until the first heartbeat and the first runs are counted",
                "run the doctor again in some minutes",
            )
        elif alarm["StateValue"] == "ALARM":
            yield fail(
                "alarm",
                f"{name} is in ALARM: {alarm.get('StateReason', '')}",
                str(alarm.get("AlarmDescription", "")),
                "the runbook that it names, in runbooks/",
            )
        else:
            quiet += 1
    if quiet:
        yield ok("alarm", f"{quiet} alarms exist, lead somewhere and are quiet")


_UNTIL_FIRST = {"HeartbeatStoppedAlarm", "ReconcileSilentAlarm"}
"""Alarms on what does not happen: a new one finds that nothing has happened yet."""


def is_young(stack: Examined) -> bool:
    """Whether the stack was created so lately that what did not happen yet says nothing."""
    created = stack.described.get("CreationTime")
    return isinstance(created, datetime) and datetime.now(UTC) - created < HEARTBEAT_WITHIN


def _parts(moments: Mapping[str, datetime]) -> str:
    """How long each part of the way took, where all moments are of one heartbeat."""
    if "written_at" not in moments or moments["detected_at"] > moments["arrived_at"]:
        return ""
    first = moments["detected_at"] - moments["written_at"]
    then = moments["arrived_at"] - moments["detected_at"]
    return f": {first.total_seconds():.1f} s to detect, which is CloudWatch's, and {then.total_seconds():.1f} s from there"


def _last_heartbeat(stack: Examined, *, local: bool) -> dict[str, Any]:
    """The record of heartbeats; a young stack's first one, which detect has and notify not yet, is waited for."""
    within = LOCAL_HEARTBEAT_WITHIN if local else FIRST_HEARTBEAT_WITHIN
    client, deadline = stack.client("dynamodb"), time.monotonic() + within
    while True:
        item = client.get_item(TableName=stack.outputs["TableName"], Key=KEY).get("Item", {})
        on_its_way = (local or "detected_at" in item) and "arrived_at" not in item and is_young(stack)
        if not on_its_way or time.monotonic() > deadline:
            return dict(item)
        time.sleep(1)


def heartbeat(stack: Examined, *, local: bool = False) -> Iterator[Finding]:
    """A heartbeat came through within the last quarter of an hour; else how far the last one came."""
    if stack.parameters.get("HeartbeatMinutes", "0") == "0":
        yield warn(
            "heartbeat",
            "the heartbeat is switched off",
            "a broken path looks like a quiet day",
            set_parameter("HeartbeatMinutes", "5"),
        )
        return
    item = if_there(lambda: _last_heartbeat(stack, local=local))
    if item is None:
        return  # the table's own check says so
    moments: dict[str, datetime] = {
        name: datetime.fromtimestamp(int(item[name]["N"]) / 1000, UTC)
        for name in ("written_at", "detected_at", "arrived_at")
        if name in item
    }
    now = datetime.now(UTC)
    fresh = {name for name, moment in moments.items() if now - moment < HEARTBEAT_WITHIN}
    log = f"aws logs tail /tocsin/{stack.name}/{{}} --since 30m --format short"
    if "arrived_at" in fresh:
        yield ok(
            "heartbeat",
            f"the last heartbeat came through to notify at {moments['arrived_at']:%H:%M:%S} UTC{_parts(moments)}",
        )
    elif not moments and is_young(stack):
        yield warn(
            "heartbeat",
            "no heartbeat yet; the stack is younger than a quarter of an hour",
            "whether the path is open is not known",
            "run the doctor again in some minutes",
        )
    elif "detected_at" in fresh:
        yield fail(
            "heartbeat",
            "heartbeats reach detect, and not notify",
            "notifications do not get to Slack either",
            log.format("notify") + "; runbooks/tocsin-heartbeat-stopped.md",
        )
    else:
        last = (
            f"the last one was detected at {moments['detected_at']:%Y-%m-%d %H:%M} UTC"
            if "detected_at" in moments
            else "none was ever detected"
        )
        yield fail(
            "heartbeat",
            f"no heartbeat within a quarter of an hour; {last}",
            "somewhere between a log line and detect the path is broken, for alerts too",
            log.format("reconcile") + "; runbooks/tocsin-heartbeat-stopped.md",
        )
