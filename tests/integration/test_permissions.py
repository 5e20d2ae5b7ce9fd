"""Least privilege, on the calls that the functions really make: none that their role refuses, no grant for nothing."""

from __future__ import annotations

import copy

import pytest
from judged_calls import Judge
from reliability.deployment import simulated_aws
from reliability.enumeration import MODES, calls_without_a_fault
from translated_template import translated_with

NOT_IN_THE_SCENARIO = {
    # Lambda itself: a function's log, the queue's event source.
    *((function, "WriteOwnLog", f"logs:{action}") for function in ("detect", "reconcile", "notify")
      for action in ("CreateLogStream", "PutLogEvents")),
    *(("notify", "TakeNotifications", f"sqs:{action}") for action in
      ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")),
    # What the functions call, and the scenario does not come to: a heartbeat, too many unknown errors, a bad record,
    # Slack's refusal or its wish to be left alone, a queue with messages.
    ("detect", "KeepWhatFailed", "sqs:SendMessage"),
    ("notify", "TakeNotifications", "sqs:ChangeMessageVisibility"),
    ("reconcile", "WriteTheHeartbeat", "logs:CreateLogStream"),
    ("reconcile", "WriteTheHeartbeat", "logs:PutLogEvents"),
    ("detect", "PassTheHeartbeatOn", "sns:Publish"),
    ("detect", "FindOldErrors", "dynamodb:Query"),
    ("notify", "KeepWhatSlackRefuses", "sqs:SendMessage"),
    ("detect", "HowOldIsTheOldestMessage", "cloudwatch:GetMetricStatistics"),
    ("reconcile", "HowOldIsTheOldestMessage", "cloudwatch:GetMetricStatistics"),
}  # fmt: skip
"""Grants that no call of the scenario needs, and why they stand there."""


@pytest.fixture(scope="module")
def template():
    return translated_with({"LogGroupNames": "/aws/lambda/backend", "DeadLetterQueueNames": "worker-dlq"})


def judged_scenario(template):
    judge = Judge(template)
    with simulated_aws(), judge.watching():
        for mode in MODES:
            calls_without_a_fault(mode)
    return judge


@pytest.fixture(scope="module")
def judged(template):
    return judged_scenario(template)


def test_no_call_of_the_scenario_is_refused_by_its_role(judged):
    assert judged.calls > 100
    assert judged.denied == set()


def test_every_grant_is_used_or_named_here_with_its_reason(judged):
    assert judged.granted - judged.used == NOT_IN_THE_SCENARIO


@pytest.mark.parametrize(
    ("statement", "change", "action"),
    [
        ("ReadSilences", {"Action": "dynamodb:GetItem"}, "dynamodb:Query"),
        ("Notify", {"Resource": {"Ref": "AlarmTopic"}}, "sns:Publish"),
        ("ReadSilences", {"Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["OTHER"]}}},
         "dynamodb:Query"),
    ],
    ids=["action", "resource", "condition"],
)  # fmt: skip
def test_a_policy_that_is_too_narrow_is_seen(template, statement, change, action):
    narrowed = copy.deepcopy(template)
    (policy,) = narrowed["Resources"]["DetectRole"]["Properties"]["Policies"]
    (found,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == statement]
    found.update(change)
    assert ("detect", action) in {denied[:2] for denied in judged_scenario(narrowed).denied}
