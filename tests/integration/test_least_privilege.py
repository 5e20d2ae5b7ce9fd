"""Every call that the handlers make, faults included, is allowed by their roles; and no grant is there for nothing."""

from __future__ import annotations

import pytest
from ministack.core.iam_evaluator import parse_policy_document
from reliability import wire
from reliability.deployment import simulated_aws
from reliability.enumeration import MODES, calls_without_a_fault, hits, run, thinned
from reliability.permissions import judge
from reliability.wire import PLACE

pytestmark = pytest.mark.cloud

ROLES = ("detect", "reconcile", "notify")
_LAMBDA = "Lambda writes the function's log"
_SOURCE = "the queue's event source"
_EMPTY = "asked of a queue that holds messages only"
_HEARTBEAT = "the heartbeat, which the scenario leaves off"
NOT_BY_THESE_CALLS = {
    "detect WriteOwnLog logs:CreateLogStream": _LAMBDA,
    "detect WriteOwnLog logs:PutLogEvents": _LAMBDA,
    "detect HowOldIsTheOldestMessage cloudwatch:GetMetricStatistics": _EMPTY,
    "detect KeepWhatFailed sqs:SendMessage": "Lambda's on-failure destination; records that cannot be read",
    "detect PassTheHeartbeatOn sns:Publish": _HEARTBEAT,
    "reconcile WriteOwnLog logs:CreateLogStream": _LAMBDA,
    "reconcile WriteOwnLog logs:PutLogEvents": _LAMBDA,
    "reconcile HowOldIsTheOldestMessage cloudwatch:GetMetricStatistics": _EMPTY,
    "reconcile WriteTheHeartbeat logs:CreateLogStream": _HEARTBEAT,
    "reconcile WriteTheHeartbeat logs:PutLogEvents": _HEARTBEAT,
    "notify WriteOwnLog logs:CreateLogStream": _LAMBDA,
    "notify WriteOwnLog logs:PutLogEvents": _LAMBDA,
    "notify TakeNotifications sqs:ReceiveMessage": _SOURCE,
    "notify TakeNotifications sqs:DeleteMessage": _SOURCE,
    "notify TakeNotifications sqs:GetQueueAttributes": _SOURCE,
    "notify KeepWhatSlackRefuses sqs:SendMessage": "what Slack refuses for good, which is none of the faults",
}
"""Grants that no call of the scenario uses, and who uses them. What stands here and nowhere else may go."""


@pytest.fixture(scope="module")
def policies(cloud):
    """The statements of each function's role, as they stand in the deployed stack."""
    iam, found = cloud.client("iam"), {}
    for function in ROLES:
        name = cloud.functions[function]
        role = cloud.client("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
        found[function] = [
            statement
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
            for statement in parse_policy_document(
                iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            )
        ]
    return found


@pytest.fixture(scope="module")
def asked(policies):
    """What IAM is asked in the whole scenario, and with a fault at each kind of call."""
    with simulated_aws():
        wire.asked.clear()
        for mode in MODES:
            calls, verdict = calls_without_a_fault(mode)
            rows = {}
            for hit in thinned(hits(mode, calls), 1):
                rows.setdefault(hit.call.row, []).append(hit)
            for place, found in enumerate(rows.values()):
                run(found[place % len(found)], verdict)  # each kind of call, another fault
        return frozenset(wire.asked)


@pytest.fixture(scope="module")
def deployed_name(cloud):
    """The resource of the deployed stack that stands for one of the simulated deployment."""
    outputs, account = cloud.outputs, cloud.alerts_topic.split(":")[4]
    names = {
        "table/incidents": f"table/{cloud.table}",
        "alerts": cloud.alerts_topic.rpartition(":")[2],
        "failures": outputs["FailureQueueUrl"].rpartition("/")[2],
        "notify": outputs["NotifyQueueUrl"].rpartition("/")[2],
        "notify-dead": outputs["NotifyDeadLetterQueueUrl"].rpartition("/")[2],
    }

    def named(resource):
        if resource == "*":
            return resource
        head, last = resource.rpartition(":")[::2]
        table, slash, index = last.partition("/index/")
        return f"{head.replace(PLACE, f'us-east-1:{account}')}:{names.get(table, table)}{slash}{index}"

    return named


def test_no_call_of_a_handler_is_denied(asked, policies, deployed_name):
    denied = [each for each in asked if not judge(each, policies, PLACE, deployed_name(each.resource))]
    assert denied == []
    assert {each.function for each in asked} == set(ROLES)


def test_no_grant_is_there_that_nothing_uses(asked, policies, deployed_name):
    used = set().union(*(judge(each, policies, PLACE, deployed_name(each.resource)) for each in asked))
    granted = {
        (function, statement.sid, action)
        for function in ROLES
        for statement in policies[function]
        for action in statement.actions
    }
    unused = granted - {(each.function, each.sid, each.action) for each in used}
    assert {" ".join(each) for each in unused} == set(NOT_BY_THESE_CALLS)
