"""What the doctor makes of things that the embedded cloud does not do: keys, a stream that is not read, a new stack."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin_cli.doctor import stack as checks
from tocsin_cli.doctor.findings import Examined, Level, Resource
from tocsin_cli.doctor.ingress import mapping

ROOT = Path(__file__).resolve().parents[3]
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd"


class Aws:
    """Answers each call with what was given for it."""

    def __init__(self, **answers):
        self.answers = answers

    def __getattr__(self, name):
        return lambda **_: self.answers[name]


def examined(client, *, parameters=None, resources=None, age_minutes=600, outputs=None):
    described = {
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in (parameters or {}).items()],
        "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in (outputs or {}).items()],
        "CreationTime": datetime.now(UTC) - timedelta(minutes=age_minutes),
    }
    return Examined("tocsin", "stack tocsin", "us-east-1", lambda _: client, described, resources or {})


def documented():
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    return json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])


def of_key(policy):
    stack = examined(Aws(get_key_policy={"Policy": json.dumps(policy)}), parameters={"KmsKeyArn": KEY})
    return [each for each in checks.key(stack) if each.level is Level.FAIL]


def test_the_documented_key_policy_is_enough():
    assert of_key(documented()) == []


@pytest.mark.parametrize("gone", range(1, 4))
def test_a_key_policy_without_one_of_its_statements_is_told(gone):
    policy = documented()
    del policy["Statement"][gone]
    assert of_key(policy)


def test_a_key_policy_that_asks_eventbridge_for_its_account_shuts_it_out_and_is_told():
    policy = documented()
    (rules,) = [each for each in policy["Statement"] if each["Sid"] == "RulesToTheFailureQueue"]
    rules["Condition"] = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    (one,) = of_key(policy)
    assert "aws:SourceAccount" in one.what
    assert "dropped in silence" in one.why


def test_a_stream_that_cannot_be_decrypted_is_told_although_its_mapping_is_enabled():
    problem = "PROBLEM: Lambda failed to decrypt the stream's records"
    client = Aws(list_event_source_mappings={"EventSourceMappings": [{"UUID": "u", "State": "Enabled", "LastProcessingResult": problem}]})  # fmt: skip
    stack = examined(client, outputs={"DetectFunctionName": "detect"})
    (one,) = mapping(stack, "DetectFunctionName", "stream", "it is not read")
    assert (one.level, problem in one.what, "KinesisStreamKeyArn" in one.fix) == (Level.FAIL, True, True)


@pytest.mark.parametrize(
    ("logical", "age", "level"),
    [
        ("HeartbeatStoppedAlarm", 2, Level.WARN),
        ("ReconcileSilentAlarm", 2, Level.WARN),
        ("HeartbeatStoppedAlarm", 16, Level.FAIL),
        ("FailuresKeptAlarm", 2, Level.FAIL),
    ],
)
def test_an_alarm_on_what_has_not_happened_yet_is_no_failure_of_a_new_stack(logical, age, level):
    alarm = {"AlarmName": "x", "StateValue": "ALARM", "AlarmActions": ["topic"], "ActionsEnabled": True}
    client = Aws(describe_alarms={"MetricAlarms": [alarm]})
    stack = examined(client, resources={logical: Resource("x", "AWS::CloudWatch::Alarm")}, age_minutes=age)
    (one,) = checks.alarms(stack)
    assert one.level is level
