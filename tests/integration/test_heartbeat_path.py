"""The heartbeat with AWS on this machine: its adapters on moto, and the whole way through the deployed template."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import boto3
import pytest
from ledgers import create_incident_table
from moto import mock_aws
from samcli.yamlhelper import yaml_parse

from tocsin.adapters.aws.heartbeat_log import HeartbeatLog
from tocsin.adapters.aws.heartbeat_record import KEY, HeartbeatRecord
from tocsin.adapters.aws.metrics import count_heartbeat
from tocsin.adapters.aws.sns import HeartbeatTopic
from tocsin.core.signatures.heartbeat import Heartbeat, heartbeat_line
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import Deployment, EmbeddedCloud

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
PATIENCE = 120.0
GROUP = "/tocsin/prod/heartbeat"


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name=REGION)


def test_the_stream_is_made_with_the_first_line_and_kept_for_the_next(aws):
    logs = aws("logs")
    logs.create_log_group(logGroupName=GROUP)
    now = time.time_ns() // 1_000_000
    for log in (HeartbeatLog(logs, GROUP), HeartbeatLog(logs, GROUP)):
        log.write(heartbeat_line(now), now)
    (stream,) = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"])["events"]
    assert [event["message"] for event in events] == [heartbeat_line(now)] * 2


def test_without_its_log_group_a_line_is_refused_aloud(aws):
    logs = aws("logs")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        HeartbeatLog(logs, GROUP).write(heartbeat_line(1), 1)


def test_the_record_shows_how_far_the_last_one_came_and_is_forgotten_when_no_more_come(aws):
    dynamodb = aws("dynamodb")
    create_incident_table(dynamodb)
    record = HeartbeatRecord(dynamodb, "incidents")
    record.detected(Heartbeat(1_000_000, 1_000_200))
    record.arrived(1_000_300)
    record.detected(Heartbeat(2_000_000, 2_000_200))
    (item,) = dynamodb.scan(TableName="incidents")["Items"]
    times = {name: int(item[name]["N"]) for name in ("written_at", "detected_at", "arrived_at")}
    assert times == {"written_at": 2_000_000, "detected_at": 2_000_200, "arrived_at": 1_000_300}
    assert int(item["expires_at"]["N"]) == 2_000 + 15 * 86_400
    assert not {"grp", "due"} & set(item)  # not in the index of what is unfinished


def test_publishing_to_a_topic_that_is_gone_raises(aws):
    sns = aws("sns")
    topic = sns.create_topic(Name="heartbeat")["TopicArn"]
    HeartbeatTopic(sns, topic).publish("{}")
    sns.delete_topic(TopicArn=topic)
    with pytest.raises(sns.exceptions.NotFoundException):
        HeartbeatTopic(sns, topic).publish("{}")


def test_the_alarm_counts_exactly_the_metric_that_is_printed(capsys):
    """Name, namespace and every dimension: a metric with one more is another metric, and the alarm would never rest."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    count_heartbeat(230, "prod")
    printed = json.loads(capsys.readouterr().out)
    (metric,) = printed["_aws"]["CloudWatchMetrics"]
    (dimensions,) = metric["Dimensions"]
    alarm = template["Resources"]["HeartbeatStoppedAlarm"]["Properties"]
    assert metric["Namespace"] == alarm["Namespace"]
    assert [each["Name"] for each in metric["Metrics"]] == [alarm["MetricName"]]
    assert printed[alarm["MetricName"]] == [230]
    expected = {"stack": {"Ref": "AWS::StackName"}, "service": "tocsin"}
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == expected
    assert {name: printed[name] for name in dimensions} == {**expected, "stack": "prod"}


def test_the_alarm_notices_silence_and_bears_one_that_is_late():
    template = yaml_parse((ROOT / "template.yaml").read_text())
    alarm = template["Resources"]["HeartbeatStoppedAlarm"]["Properties"]
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "SampleCount",
        "LessThanThreshold",
        1,
    )
    assert alarm["TreatMissingData"] == "breaching"
    slowest = max(template["Parameters"]["HeartbeatMinutes"]["AllowedValues"])
    assert alarm["Period"] >= slowest * 60
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"] >= 2


# -------------------------------------------------------------------- deployed


def wait_for(look, what):
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.05)  # polling another process, not waiting for a clock
    return found


def lines(cloud, log_group):
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=log_group)
    return [event["message"] for page in pages for event in page["events"]]


@pytest.mark.cloud
def test_it_goes_from_reconcile_through_everything_to_notify_and_nobody_is_told(tmp_path):
    with LocalSlack() as slack, EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as embedded:
        secret = {"bot_token": slack.bot_token, "channel": slack.channel_id}
        cloud = embedded.deploy(secret, parameters={"SlackApiUrl": slack.api_url})
        # Somebody who takes everything that the alerts topic says.
        # With a policy, or nothing could arrive there.
        admits = {
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*",
        }  # fmt: skip
        queue = cloud.client("sqs").create_queue(
            QueueName="pager",
            Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [admits]})},
        )["QueueUrl"]
        cloud.client("sns").subscribe(
            TopicArn=cloud.alerts_topic, Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{cloud.region}:000000000000:pager",
        )  # fmt: skip
        for _ in range(3):
            cloud.reconcile()

        def arrived():
            found = cloud.client("dynamodb").get_item(TableName=cloud.table, Key=KEY).get("Item", {})
            return found if "arrived_at" in found else None

        item = wait_for(arrived, "the heartbeat's arrival in the table")
        times = [int(item[name]["N"]) for name in ("written_at", "detected_at", "arrived_at")]
        assert times == sorted(times)
        assert lines(cloud, f"/tocsin/{cloud.stack}/heartbeat") == [heartbeat_line(times[0])]

        def counted():
            return [line for line in lines(cloud, f"/tocsin/{cloud.stack}/notify") if '"Heartbeat"' in line]

        (metric,) = wait_for(counted, "the metric in notify's log")
        assert json.loads(metric)["stack"] == cloud.stack
        assert not [
            line for line in lines(cloud, f"/tocsin/{cloud.stack}/detect") if "tocsin heartbeat" in line
        ]

        items = cloud.client("dynamodb").scan(TableName=cloud.table)["Items"]
        assert [each["pk"]["S"] for each in items] == ["H#heartbeat"]
        assert slack.messages() == []
        assert "Messages" not in cloud.client("sqs").receive_message(QueueUrl=queue)
        for output in ("NotifyDeadLetterQueueUrl", "FailureQueueUrl"):
            assert "Messages" not in cloud.client("sqs").receive_message(QueueUrl=cloud.outputs[output])


@pytest.mark.cloud
def test_switched_off_there_is_no_log_group_no_topic_no_alarm_and_no_line(tmp_path):
    with EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as embedded:
        cloud: Deployment = embedded.deploy(
            {"webhook_url": "http://127.0.0.1:9/"}, parameters={"HeartbeatMinutes": "0"}
        )
        cloud.reconcile()
        groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix="/tocsin/")["logGroups"]
        assert not [group for group in groups if "heartbeat" in group["logGroupName"]]
        topics = cloud.client("sns").list_topics()["Topics"]
        assert not [topic for topic in topics if "Heartbeat" in topic["TopicArn"]]
        alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
        assert alarms
        assert not [alarm for alarm in alarms if re.search("heartbeat", alarm["AlarmName"], re.IGNORECASE)]
        assert "Item" not in cloud.client("dynamodb").get_item(TableName=cloud.table, Key=KEY)
