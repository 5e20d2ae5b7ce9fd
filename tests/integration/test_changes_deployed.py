"""What changed just before, in the template and deployed: the rules, and a change told with the incident after it."""

from __future__ import annotations

import json
import time

import pytest
from test_template import RESOURCES

from tocsin.core.ingest.change_events import CALLS, parse_change
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import Deployment
from tocsin_cli.sample_events.events import FUNCTION, new_event

STACKS, FUNCTIONS = (
    RESOURCES[rule]["Properties"]["EventPattern"] for rule in ("StackChangesRule", "FunctionChangesRule")
)
FAULT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


def called(name, **detail):
    function = new_event("change-function")
    return {**function, "detail": {**function["detail"], "eventName": name, **detail}}


@pytest.mark.parametrize("rule", ["StackChangesRule", "FunctionChangesRule"])
def test_changes_reach_detect_where_they_are_watched_and_what_cannot_be_delivered_is_kept(rule):
    (target,) = RESOURCES[rule]["Properties"]["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["DetectFunction", "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["FailureQueue", "Arn"]}}
    assert RESOURCES[rule]["Condition"] == "WatchesChanges"


def test_the_rule_asks_for_the_calls_that_are_read_as_changes():
    prefixes = [each["prefix"] for each in FUNCTIONS["detail"]["eventName"]]
    assert set(prefixes) == set(CALLS)
    for prefix in prefixes:
        assert parse_change(called(f"{prefix}20150331v2")) is not None


@pytest.mark.cloud
@pytest.mark.parametrize(
    ("pattern", "event", "fits"),
    [
        (STACKS, new_event("change-stack"), True),
        (FUNCTIONS, new_event("change-function"), True),
        (FUNCTIONS, called("UpdateFunctionConfiguration20150331v2"), True),
        (FUNCTIONS, called("UpdateAlias20150331"), True),
        (FUNCTIONS, called("GetFunction20150331v2"), False),
        (FUNCTIONS, called("UpdateFunctionCode20150331v2", eventSource="iam.amazonaws.com"), False),
        (STACKS, new_event("change-function"), False),
        (STACKS, new_event("alarm-eventbridge"), False),
    ],
)
def test_eventbridge_matches_the_patterns_as_they_are_meant(cloud: Deployment, pattern, event, fits):
    answer = cloud.client("events").test_event_pattern(
        EventPattern=json.dumps(pattern), Event=json.dumps(event)
    )
    assert answer["Result"] is fits


@pytest.mark.cloud
def test_a_direct_code_update_before_an_import_error_is_told_with_it(
    cloud: Deployment, local_slack: LocalSlack
):
    # Nobody but AWS may put events of aws.* sources, on AWS as here: what the rules would hand over is handed over.
    now = time.time_ns() // 1_000_000
    function = "credmate-prod-BackendApiFunction-Zk3Jx8Qw"
    assert function == FUNCTION
    for event in (
        new_event("change-function", at=now - 6 * 60_000),
        new_event("change-stack", at=now - 60_000),
    ):
        assert cloud.invoke("detect", event)["changes"] == 1
    before = len(local_slack.messages())
    cloud.invoke("detect", new_event("logs", [FAULT], log_group=f"/aws/lambda/{function}", at=now))
    deadline = time.monotonic() + 30
    while len(local_slack.messages()) == before and time.monotonic() < deadline:
        time.sleep(0.05)  # until the queue has handed it over
    said = json.dumps(local_slack.messages()[before:], ensure_ascii=False)
    assert f"code of `{function}` was updated directly, not by its stack, 6 min before" in said
    assert "stack `credmate-lambda-prod` UPDATE_COMPLETE, 1 min before" in said
    assert "⚠️" in said
    assert "@example.com" not in said
