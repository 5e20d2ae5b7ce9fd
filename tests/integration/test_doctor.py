"""`tocsin doctor` on the deployed template: each thing is broken for real, found with what fixes it, and put back."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

from tocsin.adapters.aws.heartbeat_record import KEY
from tocsin_cli.commands import doctor
from tocsin_cli.doctor import stack as stack_checks
from tocsin_cli.doctor.egress import ops_topic
from tocsin_cli.doctor.findings import Examined, Resource, findings
from tocsin_cli.doctor.ingress import log_groups
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws import cloud as cloud_module
from tocsin_cli.local_aws.cloud import Deployment, EmbeddedCloud, _zipped
from tocsin_cli.main import main
from tocsin_cli.stack.target import write_ready_file

pytestmark = [pytest.mark.cloud, pytest.mark.minutes]

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "xoxb-1234567890-planted-and-never-printed"
EMAIL = "oncall@example.com"


class Patient(NamedTuple):
    cloud: Deployment
    slack: LocalSlack


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """A stack of its own: what is broken here is nobody else's."""
    with (
        LocalSlack() as slack,
        EmbeddedCloud(ROOT, log=tmp_path_factory.mktemp("cloud") / "cloud.log") as embedded,
    ):
        deployed = embedded.deploy(
            {"bot_token": slack.bot_token, "channel": slack.channel_id},
            parameters={"SlackApiUrl": slack.api_url},
        )
        topic = deployed.outputs["OpsTopicArn"]
        queue = deployed.client("sqs").create_queue(QueueName="pager")["QueueUrl"]
        arn = deployed.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        deployed.client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"]
        )
        # The embedded cloud creates the table without its TimeToLiveSpecification; AWS does not.
        deployed.client("dynamodb").update_time_to_live(
            TableName=deployed.table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
        )
        deployed.reconcile()
        wait_for_the_heartbeat(deployed)
        yield Patient(deployed, slack)


def wait_for_the_heartbeat(deployed):
    deadline = time.monotonic() + 120
    client = deployed.client("dynamodb")
    while "arrived_at" not in client.get_item(TableName=deployed.table, Key=KEY).get("Item", {}):
        assert time.monotonic() < deadline, "no heartbeat came through"
        time.sleep(0.05)  # until notify has it: milliseconds, but not ours to time


@pytest.fixture
def examine(patient, monkeypatch, tmp_path):
    """Run the command as somebody whose AWS is the embedded cloud."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", patient.cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", cloud_module.REGION)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    def run(*arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = main(["doctor", "--json", *(arguments or ("--no-drift",))])
        found = json.loads(out.getvalue())["findings"]
        assert status == int(any(each["level"] == "fail" for each in found))
        for each in found:
            if each["level"] != "ok":
                assert each["what"]
                assert each["why"]
                assert each["fix"]
        return found

    return run


def wrong(found, level=None):
    return [each for each in found if each["level"] != "ok" and level in {None, each["level"]}]


def only(found):
    (one,) = wrong(found)
    return one


def test_a_stack_in_good_health_is_well(examine, patient):
    found = examine()
    assert wrong(found) == []
    assert {each["check"] for each in found} >= {
        "stack", "template", "function", "subscription", "filter-pattern", "permission", "alarm-topic", "alarm-rule",
        "table", "schedule", "topic", "queue-policy", "event-source", "slack", "ops-topic", "dead-letters", "alarm",
        "heartbeat", "errors",
    }  # fmt: skip


def test_the_heartbeat_says_which_part_of_the_way_took_how_long(examine, patient):
    (beat,) = [each for each in examine() if each["check"] == "heartbeat"]
    parts = r"UTC: \d+\.\d s to detect, which is CloudWatch's, and \d+\.\d s from there$"
    assert re.search(parts, beat["what"])


def test_the_report_for_people_ends_in_a_verdict(examine, patient, capsys):
    assert main(["doctor", "--no-drift"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("stack tocsin in us-east-1: well (")


def test_drift_is_asked_for_by_default(examine, patient):
    (drift,) = [each for each in examine("--stack", "tocsin") if each["check"] == "drift"]
    assert drift["level"] == "ok"


def test_a_resource_changed_past_the_stack_is_drift(examine, patient):
    # Before the others: what they take away and put back is not the stack's own any more.
    client, url = patient.cloud.client("sqs"), patient.cloud.outputs["FailureQueueUrl"]
    client.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    one = examine("--stack", "tocsin")
    client.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "1209600"})
    one = only(one)
    assert (one["level"], one["check"]) == ("warn", "drift")
    assert "FailureQueue (AWS::SQS::Queue) was changed past the stack" in one["what"]


def test_an_unknown_stack_is_not_a_finding_but_an_error(examine, capsys):
    assert main(["doctor", "--stack", "nobody"]) == 2
    assert "there is no stack nobody" in capsys.readouterr().err


# --- the way in ---


def test_a_deleted_subscription_is_found_and_the_command_given_puts_it_back(examine, patient):
    group = patient.cloud.log_groups["backend"]
    logs = patient.cloud.client("logs")
    (before,) = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    logs.delete_subscription_filter(logGroupName=group, filterName=before["filterName"])
    try:
        one = examine()
    finally:
        logs.put_subscription_filter(
            logGroupName=group, filterName=before["filterName"], filterPattern="",
            destinationArn=before["destinationArn"],
        )  # fmt: skip
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "subscription")
    assert f"--log-group-name '{group}' --filter-name '{before['filterName']}'" in one["fix"]
    assert f"--destination-arn {before['destinationArn']}" in one["fix"]
    assert wrong(examine()) == []


def test_full_slots_name_what_occupies_them(examine, patient):
    group = patient.cloud.log_groups["backend"]
    logs, function = patient.cloud.client("logs"), patient.cloud.outputs["DetectFunctionArn"]
    others = {
        "datadog": function.replace("Detect", "Datadog"),
        "archive": function.replace("Detect", "Archive"),
    }
    logs.delete_subscription_filter(logGroupName=group, filterName="tocsin-detect")
    try:
        for name, arn in others.items():
            logs.put_subscription_filter(
                logGroupName=group, filterName=name, filterPattern="", destinationArn=arn
            )
        one = examine()
    finally:
        for name in others:
            logs.delete_subscription_filter(logGroupName=group, filterName=name)
        logs.put_subscription_filter(
            logGroupName=group, filterName="tocsin-detect", filterPattern="", destinationArn=function
        )
    one = only(one)
    assert one["check"] == "subscription-slots"
    assert all(name in one["what"] and arn in one["what"] for name, arn in others.items())
    assert "KinesisStreamArn" in one["fix"]
    assert "delete-subscription-filter" in one["fix"]


def test_a_group_subscribed_twice_counts_twice_and_is_told(examine, patient):
    group, logs = patient.cloud.log_groups["worker"], patient.cloud.client("logs")
    logs.put_subscription_filter(
        logGroupName=group, filterName="mine", filterPattern="",
        destinationArn=patient.cloud.outputs["DetectFunctionArn"],
    )  # fmt: skip
    one = examine()
    logs.delete_subscription_filter(logGroupName=group, filterName="mine")
    one = only(one)
    assert (one["level"], one["check"]) == ("warn", "subscription")
    assert "subscribed 2 times" in one["what"]


def test_a_changed_filter_pattern_is_told(examine, patient):
    group, logs = patient.cloud.log_groups["worker"], patient.cloud.client("logs")
    put = {
        "logGroupName": group,
        "filterName": "tocsin-detect",
        "destinationArn": patient.cloud.outputs["DetectFunctionArn"],
    }
    logs.put_subscription_filter(**put, filterPattern="ERROR")
    one = examine()
    logs.put_subscription_filter(**put, filterPattern="")
    one = only(one)
    assert (one["level"], one["check"]) == ("warn", "filter-pattern")


def test_a_log_group_that_is_gone_is_found(examine, patient):
    group, logs = patient.cloud.log_groups["worker"], patient.cloud.client("logs")
    logs.delete_log_group(logGroupName=group)
    one = examine()
    logs.create_log_group(logGroupName=group)
    logs.put_subscription_filter(
        logGroupName=group, filterName="tocsin-detect", filterPattern="",
        destinationArn=patient.cloud.outputs["DetectFunctionArn"],
    )  # fmt: skip
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "log-group")


def test_a_missing_permission_is_found(examine, patient):
    function, client = patient.cloud.functions["detect"], patient.cloud.client("lambda")
    policy = json.loads(client.get_policy(FunctionName=function)["Policy"])
    (statement,) = [
        each for each in policy["Statement"] if each["Principal"].get("Service") == "logs.amazonaws.com"
    ]
    client.remove_permission(FunctionName=function, StatementId=statement["Sid"])
    one = examine()
    client.add_permission(
        FunctionName=function, StatementId=statement["Sid"], Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com", SourceAccount=cloud_module.ACCOUNT,
        SourceArn=f"arn:aws:logs:{cloud_module.REGION}:{cloud_module.ACCOUNT}:log-group:*",
    )  # fmt: skip
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "permission")
    assert "the lines are lost" in one["why"]
    assert f"arn:aws:logs:{cloud_module.REGION}:{cloud_module.ACCOUNT}:log-group:*" in one["fix"]


def test_a_disabled_alarm_rule_is_found(examine, patient):
    rule = next(name for name in rules(patient) if "AlarmRule" in name)
    patient.cloud.client("events").disable_rule(Name=rule)
    one = examine()
    patient.cloud.client("events").enable_rule(Name=rule)
    one = only(one)
    assert (one["check"], rule in one["fix"]) == ("alarm-rule", True)


def test_a_disabled_rule_for_changes_is_found(examine, patient):
    rule = next(name for name in rules(patient) if "FunctionChangesRule" in name)
    patient.cloud.client("events").disable_rule(Name=rule)
    one = examine()
    patient.cloud.client("events").enable_rule(Name=rule)
    one = only(one)
    assert (one["level"], one["check"], rule in one["fix"]) == ("warn", "changes", True)


def test_what_cannot_be_seen_without_a_trail_is_said(examine, patient):
    def said():
        return next(each["what"] for each in examine() if each["check"] == "changes")

    assert "direct changes of functions cannot be seen" in said()
    trails = patient.cloud.client("cloudtrail")
    patient.cloud.client("s3").create_bucket(Bucket="trail-of-the-doctor")
    trails.create_trail(Name="everything", S3BucketName="trail-of-the-doctor")
    assert "direct changes of functions cannot be seen" in said()  # it does not log yet
    trails.start_logging(Name="everything")
    assert "by the trail everything" in said()
    trails.delete_trail(Name="everything")


def test_an_alarm_topic_that_leads_nowhere_is_found(examine, patient):
    sns, topic = patient.cloud.client("sns"), patient.cloud.alarm_topic
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    one = examine()
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=subscription["Endpoint"])
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "alarm-topic")


# --- the insides ---


def rules(patient):
    return [each["Name"] for each in patient.cloud.client("events").list_rules()["Rules"]]


def test_a_disabled_schedule_is_found(examine, patient):
    (rule,) = [name for name in rules(patient) if "Reconcile" in name]
    patient.cloud.client("events").disable_rule(Name=rule)
    one = examine()
    patient.cloud.client("events").enable_rule(Name=rule)
    one = only(one)
    assert (one["check"], one["fix"]) == ("schedule", f"aws events enable-rule --name {rule}")


def test_a_schedule_without_its_target_is_found(examine, patient):
    events = patient.cloud.client("events")
    (rule,) = [name for name in rules(patient) if "Reconcile" in name]
    targets = events.list_targets_by_rule(Rule=rule)["Targets"]
    events.remove_targets(Rule=rule, Ids=[each["Id"] for each in targets])
    one = examine()
    events.put_targets(Rule=rule, Targets=targets)
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "schedule")


def test_a_function_held_to_no_execution_is_found(examine, patient):
    client, name = patient.cloud.client("lambda"), patient.cloud.functions["notify"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    one = examine()
    client.delete_function_concurrency(FunctionName=name)
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "function")


def test_an_alarm_of_ours_in_alarm_says_what_it_says(examine, patient):
    client = patient.cloud.client("cloudwatch")
    (name,) = [
        each["AlarmName"]
        for each in client.describe_alarms()["MetricAlarms"]
        if "DetectErrors" in each["AlarmName"]
    ]
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="3 datapoints were above 1")
    one = examine()
    client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="fixed")
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "alarm")
    assert "3 datapoints were above 1" in one["what"]
    assert "tocsin-detect-failed.md" in one["why"]


def test_an_alarm_of_a_watched_queue_is_no_fault_of_tocsins(examine, patient):
    client, name = patient.cloud.client("cloudwatch"), patient.cloud.dlq_alarm("worker")
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="1 message")
    one = examine()
    client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="redriven")
    one = only(one)
    assert (one["level"], one["check"]) == ("warn", "alarm")


def test_an_alarm_with_its_actions_off_is_found(examine, patient):
    client = patient.cloud.client("cloudwatch")
    name = patient.cloud.dlq_alarm("worker")
    client.disable_alarm_actions(AlarmNames=[name])
    one = examine()
    client.enable_alarm_actions(AlarmNames=[name])
    one = only(one)
    assert (one["level"], f"enable-alarm-actions --alarm-names {name}" in one["fix"]) == ("fail", True)


def test_an_alarm_that_is_gone_is_found(examine, patient):
    client, name = patient.cloud.client("cloudwatch"), patient.cloud.dlq_alarm("worker")
    (before,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    client.delete_alarms(AlarmNames=[name])
    one = examine()
    kept = client.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    client.put_metric_alarm(**{key: value for key, value in before.items() if key in kept and value})
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "alarm")
    assert name in one["what"]


def test_a_function_updated_past_its_stack_is_told(examine, patient, monkeypatch):
    """Incident B: eighteen hours, after somebody deployed a function directly."""
    client, name = patient.cloud.client("lambda"), patient.cloud.functions["detect"]
    (stack,) = patient.cloud.client("cloudformation").describe_stacks(StackName="tocsin")["Stacks"]

    def changed_after(function):
        found = client.get_function_configuration(FunctionName=function)["LastModified"]
        return datetime.fromisoformat(found.replace("+0000", "+00:00")) - stack["CreationTime"]

    deployed = max(changed_after(each) for each in patient.cloud.functions.values())
    monkeypatch.setattr(stack_checks, "CHANGED_PAST_THE_STACK", deployed)
    assert wrong(examine()) == []
    client.update_function_code(FunctionName=name, ZipFile=_zipped(ROOT / "functions"))
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    one = only(examine())
    assert (one["level"], one["check"]) == ("warn", "function")
    assert f"{name} was changed at" in one["what"]
    assert "somebody updated it directly" in one["why"]


def test_a_stale_heartbeat_says_how_far_the_last_one_came(examine, patient):
    client, table = patient.cloud.client("dynamodb"), patient.cloud.table
    before = client.get_item(TableName=table, Key=KEY)["Item"]
    ago = str(int(before["detected_at"]["N"]) - 3_600_000)
    client.put_item(TableName=table, Item={**before, "arrived_at": {"N": ago}})
    half_way = examine()
    client.put_item(TableName=table, Item={**before, "arrived_at": {"N": ago}, "detected_at": {"N": ago}})
    nowhere = examine()
    client.put_item(TableName=table, Item=before)
    half_way = only(half_way)
    nowhere = only(nowhere)
    assert (
        (half_way["level"], half_way["check"])
        == (nowhere["level"], nowhere["check"])
        == ("fail", "heartbeat")
    )
    assert "reach detect, and not notify" in half_way["what"]
    assert "/tocsin/tocsin/notify" in half_way["fix"]
    assert "the last one was detected at" in nowhere["what"]


# --- the way out ---


def test_a_disabled_event_source_is_found(examine, patient):
    client = patient.cloud.client("lambda")
    (mapping,) = client.list_event_source_mappings(FunctionName=patient.cloud.functions["notify"])[
        "EventSourceMappings"
    ]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    one = examine()
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "event-source")
    assert one["fix"].endswith(f"--uuid {mapping['UUID']} --enabled")


def test_an_alerts_topic_that_leads_nowhere_is_found(examine, patient):
    sns, topic = patient.cloud.client("sns"), patient.cloud.alerts_topic
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])[
        "Attributes"
    ]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    one = examine()
    kept = {name: attributes[name] for name in ("RawMessageDelivery", "FilterPolicy") if name in attributes}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=subscription["Endpoint"], Attributes=kept)
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "topic")
    assert "no notification reaches Slack" in one["why"]


def test_a_queue_that_admits_nobody_is_found(examine, patient):
    sqs, url = patient.cloud.client("sqs"), patient.cloud.outputs["NotifyQueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    document = json.loads(policy)
    document["Statement"] = [each for each in document["Statement"] if each["Effect"] == "Deny"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})
    one = examine()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "queue-policy")


@pytest.mark.parametrize(
    ("output", "redrives"), [("NotifyDeadLetterQueueUrl", True), ("FailureQueueUrl", False)]
)
def test_what_lies_in_a_dead_letter_queue_is_counted_and_the_way_back_given(
    examine, patient, output, redrives
):
    sqs, url = patient.cloud.client("sqs"), patient.cloud.outputs[output]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    one = examine()
    sqs.purge_queue(QueueUrl=url)
    one = only(one)
    assert (one["level"], one["check"]) == ("fail", "dead-letters")
    assert one["what"].startswith("1 ")
    assert ("start-message-move-task" in one["fix"]) is redrives


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("not json", "is not a JSON object"),
        (json.dumps({"token": TOKEN}), "holds neither a webhook nor a bot token"),
        (json.dumps({"bot_token": TOKEN, "channel": "#general"}), "channel must be the channel's id"),
        (json.dumps({"bot_token": TOKEN, "channel": "C0123456789"}), "does not accept the token in tocsin/slack: invalid_auth"),
    ],
)  # fmt: skip
def test_a_secret_that_slack_cannot_use_is_found_and_never_printed(examine, patient, secret, said):
    client = patient.cloud.client("secretsmanager")
    before = client.get_secret_value(SecretId="tocsin/slack")["SecretString"]
    client.put_secret_value(SecretId="tocsin/slack", SecretString=secret)
    found = examine()
    client.put_secret_value(SecretId="tocsin/slack", SecretString=before)
    assert said in only(found)["what"]
    assert TOKEN not in json.dumps(found)


def test_a_webhook_is_said_to_be_untried(examine, patient):
    client = patient.cloud.client("secretsmanager")
    before = client.get_secret_value(SecretId="tocsin/slack")["SecretString"]
    client.put_secret_value(
        SecretId="tocsin/slack", SecretString=json.dumps({"webhook_url": patient.slack.webhook_url})
    )
    found = examine()
    client.put_secret_value(SecretId="tocsin/slack", SecretString=before)
    assert wrong(found) == []
    (slack,) = [each["what"] for each in found if each["check"] == "slack"]
    assert "was not tried" in slack
    assert patient.slack.webhook_url not in json.dumps(found)


def test_slack_in_trouble_of_its_own_is_no_fault_of_the_token(examine, patient):
    client = patient.cloud.client("secretsmanager")
    before = json.loads(client.get_secret_value(SecretId="tocsin/slack")["SecretString"])
    patient.slack.faults.add({"status": 500, "times": 1}) if hasattr(patient.slack, "faults") else post_fault(
        patient
    )
    one = examine()
    one = only(one)
    assert (one["level"], one["check"]) == ("warn", "slack")
    assert before["bot_token"] not in one["what"]


def post_fault(patient):
    import requests

    requests.post(
        f"{patient.slack.url}/api/faults", json={"status": 500, "times": 1}, timeout=5
    ).raise_for_status()


def test_a_secret_marked_for_deletion_is_told_from_one_that_never_was(examine, patient):
    client = patient.cloud.client("secretsmanager")
    client.delete_secret(SecretId="tocsin/slack", RecoveryWindowInDays=7)
    one = examine()
    client.restore_secret(SecretId="tocsin/slack")
    one = only(one)
    assert (one["check"], "restore-secret --secret-id tocsin/slack" in one["fix"]) == ("secret", True)


def test_an_unconfirmed_e_mail_is_told():
    """The embedded cloud confirms e-mail addresses by itself. A stub stands for SNS."""

    class Waiting:
        def get_paginator(self, _):
            return self

        def paginate(self, **_):
            pending = {"Protocol": "email", "Endpoint": EMAIL, "SubscriptionArn": "PendingConfirmation"}
            yield {"Subscriptions": [pending]}

    outputs = [
        {"OutputKey": name, "OutputValue": f"arn:aws:sns:us-east-1:0:{name}"}
        for name in ("OpsTopicArn", "AlertsTopicArn")
    ]
    stack = Examined("tocsin", "stack tocsin", "us-east-1", lambda _: Waiting(), {"Outputs": outputs})
    (one,) = ops_topic(stack)
    assert (one.level, one.check) == ("warn", "confirmation")
    assert EMAIL in one.what


def test_an_ops_topic_that_nobody_hears_is_found(examine, patient):
    sns, topic = patient.cloud.client("sns"), patient.cloud.outputs["OpsTopicArn"]
    there = [
        each for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if each["Protocol"] == "sqs"
    ]  # fmt: skip
    for each in there:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
    found = wrong(examine())
    for each in there:
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=each["Endpoint"])
    assert {each["check"] for each in found} <= {"ops-topic", "confirmation"}
    assert found


# --- an older stack, another Tocsin, and what a check may not see ---


def test_a_deployed_stack_older_than_the_template_here_is_told(examine, patient, monkeypatch, tmp_path):
    newer = (ROOT / "template.yaml").read_text("utf-8").replace(
        "\nResources:\n", "\nResources:\n\n  Brandnew:\n    Type: AWS::SNS::Topic\n", 1
    )  # fmt: skip
    (tmp_path / "template.yaml").write_text(newer)
    monkeypatch.setattr(doctor, "TEMPLATE", tmp_path / "template.yaml")
    one = examine()
    one = only(one)
    assert (one["level"], one["check"], one["fix"]) == ("warn", "template", "make deploy")
    assert one["what"].endswith(": Brandnew")


def test_tocsin_local_is_examined_with_local(examine, patient, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    file = tmp_path / "local.json"
    write_ready_file(
        {"aws_endpoint": patient.cloud.endpoint, "table": patient.cloud.table, "stack": "tocsin"}, file
    )
    monkeypatch.setattr("tocsin_cli.stack.target.LOCAL_FILE", file)
    assert wrong(examine("--local", "--no-drift")) == []


def test_a_check_that_is_not_allowed_to_look_says_so_and_the_others_go_on():
    """The one thing the embedded cloud has not: IAM that refuses. A stub stands for CloudWatch Logs."""

    class Refusing:
        def describe_log_groups(self, **_):
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeLogGroups")

    stack = Examined(
        "tocsin", "stack tocsin", "us-east-1", lambda _: Refusing(),
        {"Parameters": [{"ParameterKey": "LogGroupNames", "ParameterValue": "/aws/lambda/a"}],
         "Outputs": [{"OutputKey": "DetectFunctionArn", "OutputValue": "arn"}]},
        {"X": Resource("x", "AWS::SNS::Topic")},
    )  # fmt: skip
    Refusing.describe_account_policies = Refusing.describe_log_groups
    found = list(findings({"log-group": log_groups, "after": lambda _: iter(())}, stack))
    assert [(each.level, each.check) for each in found] == [("warn", "log-group")]
    assert "DescribeLogGroups" in found[0].fix


# --- what is not put back ---


def test_what_the_functions_failed_at_within_the_hour_is_counted(examine, patient):
    name = patient.cloud.functions["notify"]
    patient.cloud.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {"MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": name}], "Value": 3.0}
        ],
    )
    # What the alarms make of that number is theirs to say.
    (one,) = [each for each in wrong(examine()) if each["check"] != "alarm"]
    assert (one["level"], one["check"]) == ("warn", "errors")
    assert one["what"] == f"{name}: 3 errors within the last hour"
    assert "aws logs tail /tocsin/tocsin/notify" in one["fix"]


def test_whatever_is_gone_is_named_and_nothing_keeps_the_doctor_from_going_on(examine, patient):
    """The last one: this stack does not recover from it."""
    cloud, outputs = patient.cloud, patient.cloud.outputs
    for name in cloud.functions.values():
        cloud.client("lambda").delete_function(FunctionName=name)
    cloud.client("dynamodb").delete_table(TableName=cloud.table)
    for topic in ("AlarmTopicArn", "AlertsTopicArn", "OpsTopicArn"):
        cloud.client("sns").delete_topic(TopicArn=outputs[topic])
    for queue in ("NotifyQueueUrl", "FailureQueueUrl"):
        cloud.client("sqs").delete_queue(QueueUrl=outputs[queue])
    for rule in rules(patient):
        targets = cloud.client("events").list_targets_by_rule(Rule=rule)["Targets"]
        cloud.client("events").remove_targets(Rule=rule, Ids=[each["Id"] for each in targets])
        cloud.client("events").delete_rule(Name=rule)
    cloud.client("secretsmanager").delete_secret(SecretId="tocsin/slack", ForceDeleteWithoutRecovery=True)
    found = wrong(examine(), "fail")
    assert {each["check"] for each in found} >= {
        "function", "table", "alarm-topic", "topic", "ops-topic", "queue", "dead-letters", "schedule", "alarm-rule",
        "secret", "permission",
    }  # fmt: skip
    assert [each["what"] for each in found if each["check"] == "secret"] == [
        "there is no secret tocsin/slack"
    ]
