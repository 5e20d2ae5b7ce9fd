"""The alarms on what is watched: what they measure, and that each change of them lands in its signature, service and
incident, by whichever of the three roads it comes. Their definition is the translated template's."""

from __future__ import annotations

import json
import re
import time
from functools import cache
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.serialization import load_incident
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import Severity
from tocsin.core.notifications.contract import document_of
from tocsin.services.detection import Detector
from tocsin.services.reconcile_service import Reconciler
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import Deployment, EmbeddedCloud, Watched

ROOT = Path(__file__).resolve().parents[2]
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
EVERYTHING = {
    "DeadLetterQueueNames": "worker-dlq",
    "FunctionNames": "backend,worker",
    "FunctionDurationTargets": "worker:240",
    "FunctionDurationLimits": "worker:600",
    "FunctionTimeouts": "backend:29,worker:899",
    "QueueNames": "worker.fifo",
    "RestApiNames": "backend api",
    "HttpApiIds": "a1b2c3",
    "EstimatedChargesUsd": "10",
}
EXPECTED = {
    "dlq-depth-worker-dlq": ("dlq-depth", "worker", Severity.HIGH),
    "dlq-backlog-worker-dlq": ("dlq-backlog", "worker", Severity.CRITICAL),
    "queue-age-worker.fifo": ("queue-age-alarm", "worker", Severity.HIGH),
    "error-rate-backend": ("lambda-error-rate-alarm", "backend", Severity.HIGH),
    "error-rate-worker": ("lambda-error-rate-alarm", "worker", Severity.HIGH),
    "success-rate-backend": ("lambda-success-rate-alarm", "backend", Severity.CRITICAL),
    "success-rate-worker": ("lambda-success-rate-alarm", "worker", Severity.CRITICAL),
    "throttles-backend": ("lambda-throttles-alarm", "backend", Severity.HIGH),
    "throttles-worker": ("lambda-throttles-alarm", "worker", Severity.HIGH),
    "duration-target-worker-240s": ("lambda-duration-alarm", "worker", Severity.MEDIUM),
    "duration-limit-worker-600s": ("lambda-duration-limit-alarm", "worker", Severity.HIGH),
    "timeouts-backend-29s": ("lambda-timeouts-alarm", "backend", Severity.HIGH),
    "timeouts-worker-899s": ("lambda-timeouts-alarm", "worker", Severity.HIGH),
    "api-5xx-backend api": ("api-5xx-alarm", "backend", Severity.CRITICAL),
    "api-5xx-a1b2c3": ("api-5xx-alarm", "a1b2c3 (API id)", Severity.CRITICAL),
    "estimated-charges": ("charges-alarm", "local-estimated-charges (alarm)", Severity.MEDIUM),
}
"""Signature, service and severity by the alarm's name without the stack's."""


class NoManagedPolicies:
    def load(self):
        raise AssertionError("a managed policy is asked for")


@cache
def translated(**parameters):
    """What CloudFormation gets; SAM calls the stack `local`."""
    validator = SamTemplateValidator(
        yaml_parse((ROOT / "template.yaml").read_text()), NoManagedPolicies(), region="us-east-1",
        parameter_overrides=parameters, language_extensions_enabled=True,
    )  # fmt: skip
    return yaml_parse(validator.get_translated_template_if_valid())


def holds(condition, conditions):
    """Whether a condition of the translated template holds; its parameters are filled in already."""
    ((function, arguments),) = condition.items()
    if function == "Condition":
        return holds(conditions[arguments], conditions)
    if function == "Fn::Equals":
        return str(arguments[0]) == str(arguments[1])
    each = [holds(argument, conditions) for argument in arguments]
    return {"Fn::Not": not each[0], "Fn::And": all(each), "Fn::Or": any(each)}[function]


def watching(**parameters):
    """Properties of the alarms that are made and speak to the alarm topic, by name without the stack's."""
    template = translated(**parameters)
    return {
        each["Properties"]["AlarmName"].removeprefix("local-"): each["Properties"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
        and "AlarmTopic" in json.dumps(each["Properties"]["AlarmActions"])
        and ("Condition" not in each or holds({"Condition": each["Condition"]}, template["Conditions"]))
    }


# ------------------------------------------------------------- what there is


def test_with_everything_named_there_is_an_alarm_of_each_kind_and_no_other():
    assert set(watching(**EVERYTHING)) == set(EXPECTED)


def test_by_default_there_are_two_for_each_dead_letter_queue_and_no_other():
    assert sorted(watching()) == [
        "dlq-backlog-backend-dlq", "dlq-backlog-worker-dlq", "dlq-depth-backend-dlq", "dlq-depth-worker-dlq",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("threshold", "gone"),
    [
        ("FunctionErrorPercent", "error-rate"), ("FunctionSuccessPercent", "success-rate"),
        ("FunctionThrottles", "throttles"), ("QueueAgeSeconds", "queue-age"), ("DeadLetterBacklog", "dlq-backlog"),
        ("EstimatedChargesUsd", "estimated-charges"),
    ],
)  # fmt: skip
def test_a_threshold_of_nothing_switches_its_alarm_off_and_no_other(threshold, gone):
    left = watching(**EVERYTHING | {threshold: "0"})
    assert set(left) == {name for name in EXPECTED if not name.startswith(gone)}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_speaks_when_it_fires_and_when_it_is_over_and_takes_silence_for_health(name):
    alarm = watching(**EVERYTHING)[name]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert alarm["TreatMissingData"] == "notBreaching"
    assert len(alarm["AlarmDescription"]) > 30
    assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]


def evaluated(alarm, **metrics):
    """What the expression of a metric-maths alarm gives, and whether it breaches."""
    (expression,) = [each["Expression"] for each in alarm["Metrics"] if each["ReturnData"]]
    assert re.fullmatch(r"IF\([\w ,*/>=.-]+\)", expression)
    value = eval(
        expression, {"__builtins__": {}, "IF": lambda condition, yes, no: yes if condition else no}, metrics
    )
    compare = {
        "GreaterThanThreshold": value > float(alarm["Threshold"]),
        "LessThanThreshold": value < float(alarm["Threshold"]),
    }
    return compare[alarm["ComparisonOperator"]]


@pytest.mark.parametrize(
    ("errors", "invocations", "error_rate", "success_rate"),
    [
        (0, 100, False, False), (5, 100, False, False), (6, 100, True, False), (10, 100, True, False),
        (11, 100, True, True), (100, 100, True, True), (1, 10, True, False), (2, 10, True, True),
        (9, 9, False, False), (1, 1, False, False), (18_000, 18_000, True, True),
    ],
)  # fmt: skip
def test_the_rates_are_of_all_invocations_and_there_is_none_of_a_few(
    errors, invocations, error_rate, success_rate
):
    alarms = watching(**EVERYTHING)
    for name, breaches in (("error-rate-backend", error_rate), ("success-rate-backend", success_rate)):
        assert evaluated(alarms[name], errors=errors, invocations=invocations) is breaches, name


def test_thresholds_in_seconds_are_compared_in_the_metrics_milliseconds():
    alarms = watching(**EVERYTHING)
    assert float(alarms["duration-target-worker-240s"]["Threshold"]) == 240_000
    assert float(alarms["duration-limit-worker-600s"]["Threshold"]) == 600_000
    rank = alarms["timeouts-worker-899s"]["ExtendedStatistic"]
    low, high = map(int, re.fullmatch(r"PR\((\d+):(\d+)\)", rank).groups())
    assert low == 899_000
    assert high > 15 * 60_000 + 5_000  # longer than any invocation


def test_an_api_is_measured_as_its_kind_reports():
    alarms = watching(**EVERYTHING)
    for name, metric, dimension in (
        ("api-5xx-backend api", "5XXError", {"Name": "ApiName", "Value": "backend api"}),
        ("api-5xx-a1b2c3", "5xx", {"Name": "ApiId", "Value": "a1b2c3"}),
    ):
        alarm = alarms[name]
        assert (alarm["MetricName"], alarm["Dimensions"], alarm["Statistic"]) == (metric, [dimension], "Sum")


@pytest.mark.parametrize(
    "parameter", ["FunctionDurationTargets", "FunctionDurationLimits", "FunctionTimeouts"]
)
@pytest.mark.parametrize(
    ("pair", "accepted"),
    [("worker:240", True), ("", True), ("worker", False), ("worker:", False), ("worker:0", False),
     ("worker:4m", False), ("worker:24.5", False), ("a b:1", False)],
)  # fmt: skip
def test_a_pair_is_a_name_and_whole_seconds(parameter, pair, accepted):
    pattern = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"][parameter]["AllowedPattern"]
    assert (re.search(pattern, pair) is not None) is accepted


@pytest.mark.parametrize("name", [name for name in EXPECTED if not name.startswith("timeouts")])
def test_cloudwatch_takes_each_as_it_is_defined(name):
    """As far as moto and the API's own model check: names of statistics, metric maths, required values."""
    alarm = watching(**EVERYTHING)[name] | {"AlarmActions": [TOPIC], "OKActions": [TOPIC]}
    alarm["Threshold"] = float(alarm["Threshold"])
    with mock_aws():
        cloudwatch = boto3.client("cloudwatch", region_name="us-east-1")
        cloudwatch.put_metric_alarm(**alarm)
        (kept,) = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
    assert kept["Threshold"] == alarm["Threshold"]
    assert kept.get("Metrics", []) == alarm.get("Metrics", [])


def test_the_percentile_rank_is_a_statistic_that_an_alarm_may_have():
    """moto knows percentiles only; the API's own reference, as botocore carries it, knows more."""
    reference = boto3.client("cloudwatch", region_name="us-east-1").meta.service_model
    alarm = reference.operation_model("PutMetricAlarm").input_shape.members["ExtendedStatistic"]
    assert "PR(n:m)" in re.sub(r"<[^>]+>", "", alarm.documentation)


# ---------------------------------------------- its changes, in CloudWatch's three shapes


def sns(alarm, state, at):
    """Keys and values as in tests/payloads/sns_message_metric_2026.json and sns_event_metric_math.json."""
    shared = {key: alarm[key] for key in ("EvaluationPeriods", "ComparisonOperator", "Threshold")}
    trigger = shared | {"TreatMissingData": "notBreaching", "EvaluateLowSampleCountPercentile": ""}
    if "Metrics" in alarm:
        trigger["Metrics"] = [
            each if "Expression" in each else each | {"MetricStat": each["MetricStat"] | {"Metric": {
                **each["MetricStat"]["Metric"], "Dimensions": lower(each["MetricStat"]["Metric"]["Dimensions"]),
            }}}
            for each in alarm["Metrics"]
        ]  # fmt: skip
    else:
        trigger |= {key: alarm[key] for key in ("MetricName", "Namespace", "Period")}
        trigger |= {"Dimensions": lower(alarm["Dimensions"])}
        trigger |= {"StatisticType": "Statistic", "Statistic": alarm.get("Statistic", "").upper()}
    message = {
        "AWSAccountId": "123456789012", "ActionExecutedAfterMuteWindow": False, "AlarmActions": [TOPIC],
        "AlarmArn": arn(alarm), "AlarmDescription": alarm["AlarmDescription"], "AlarmName": alarm["AlarmName"],
        "InsufficientDataActions": [], "NewStateReason": "Threshold Crossed", "NewStateValue": state,
        "OKActions": [TOPIC], "OldStateValue": "ALARM" if state == "OK" else "OK",
        "Region": "US East (N. Virginia)", "StateChangeTime": at, "Trigger": trigger,
    }  # fmt: skip
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": f"{TOPIC}:1", "Sns": {
        "Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Subject": "ALARM", "Message": json.dumps(message),
    }}]}  # fmt: skip


def lower(dimensions):
    return [{"value": each["Value"], "name": each["Name"]} for each in dimensions]


def arn(alarm):
    return f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{alarm['AlarmName']}"


def detail(alarm, state, at):
    """As in tests/payloads/eventbridge_metric_math.json and direct.json."""
    metrics = alarm.get("Metrics") or [{"Id": "m1", "ReturnData": True, "MetricStat": {
        "Metric": {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions")},
        "Period": alarm["Period"], "Stat": alarm.get("Statistic") or alarm["ExtendedStatistic"],
    }}]  # fmt: skip
    described = [
        {"id": each["Id"], "expression": each["Expression"], "label": each["Label"], "returnData": True}
        if "Expression" in each
        else {"id": each["Id"], "returnData": each["ReturnData"], "metricStat": {
            "metric": {
                "namespace": each["MetricStat"]["Metric"]["Namespace"],
                "name": each["MetricStat"]["Metric"]["MetricName"],
                "dimensions": {one["Name"]: one["Value"] for one in each["MetricStat"]["Metric"]["Dimensions"]},
            },
            "period": each["MetricStat"]["Period"], "stat": each["MetricStat"]["Stat"],
        }}
        for each in metrics
    ]  # fmt: skip
    return {
        "alarmName": alarm["AlarmName"],
        "configuration": {"description": alarm["AlarmDescription"], "metrics": described},
        "previousState": {"value": "ALARM" if state == "OK" else "OK", "reason": "before", "timestamp": at},
        "state": {"value": state, "reason": "Threshold Crossed", "timestamp": at},
    }


def eventbridge(alarm, state, at):
    return {
        "version": "0", "id": "1", "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch",
        "account": "123456789012", "time": at, "region": "us-east-1", "resources": [arn(alarm)],
        "detail": detail(alarm, state, at),
    }  # fmt: skip


def direct(alarm, state, at):
    return {
        "source": "aws.cloudwatch", "alarmArn": arn(alarm), "accountId": "123456789012", "time": at,
        "region": "us-east-1", "alarmData": detail(alarm, state, at),
    }  # fmt: skip


ROADS = {"sns": sns, "eventbridge": eventbridge, "direct": direct}
FIRED, OVER = "2026-02-03T11:00:00.000+0000", "2026-02-03T11:20:00.000+0000"
NOW = 1_770_116_400_000


@cache
def shipped():
    return load_configuration(ROOT / "functions", {})


class World:
    """A detector as deployed, with the shipped configuration; what it publishes is kept."""

    def __init__(self):
        config = shipped()
        self.signatures, self.published, self.ledger = config.signatures, [], MemoryLedger()
        reconciler = Reconciler(
            self.ledger, self, Policy(config.settings.intervals, config.signatures), "https://r.example/"
        )
        self.detector = Detector(
            Matcher(config.signatures), config.signatures, config.settings, reconciler=lambda: reconciler,
            failure_queue=lambda: self, own_log_groups="/tocsin/", region="us-east-1",
        )  # fmt: skip

    def publish(self, notification):
        self.published.append(document_of(notification))


def reversed_metrics(alarm):
    return alarm | {"Metrics": alarm["Metrics"][::-1]} if "Metrics" in alarm else alarm


@pytest.mark.parametrize("order", [dict, reversed_metrics], ids=["as defined", "metrics reversed"])
@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("name", EXPECTED)
def test_each_opens_an_incident_of_its_service_under_its_signature_and_its_ok_ends_it(name, road, order):
    signature, service, severity = EXPECTED[name]
    alarm, world = order(watching(**EVERYTHING)[name]), World()
    done = world.detector.detect(ROADS[road](alarm, "ALARM", FIRED), NOW)
    assert (dict(done.occurrences), done.dead_lettered, done.failures) == ({signature: 1}, [], [])
    (opened,) = world.published
    assert (opened["reason"], opened["service"], opened["severity"]) == ("opened", service, severity.value)
    (alert,) = opened["alerts"]
    assert alert["source"]["alarm"] == alarm["AlarmName"]
    assert alert["runbook_url"].endswith(f"{world.signatures[signature].runbook}#confirm")
    assert not re.search(r"\{\w+\}", alert["summary"] + alert["first_action"])
    assert "the function" not in alert["summary"]  # named, not left open
    world.detector.detect(ROADS[road](alarm, "OK", OVER), NOW + 20 * 60_000)
    assert [told["reason"] for told in world.published] == ["opened", "resolved"]


def test_the_stronger_of_two_alarms_explains_the_weaker():
    world, alarms = World(), watching(**EVERYTHING)
    for number, name in enumerate(("error-rate-backend", "success-rate-backend")):
        world.detector.detect(sns(alarms[name], "ALARM", FIRED), NOW + number)
    told = world.published[-1]
    assert told["reason"] == "new_alert"
    explained = {alert["signature"]: alert["inhibited_by"] for alert in told["alerts"]}
    assert explained["lambda-success-rate-alarm"] is None
    assert explained["lambda-error-rate-alarm"]
    assert told["severity"] == "critical"


# ------------------------------------------------------------------ deployed


REFUSED = ("error-rate", "success-rate", "estimated-charges")
"""What the embedded cloud cannot have: metric maths, and a condition that asks for the Region. Of these CloudWatch's
message is published to the alarm topic in its place."""


@pytest.mark.cloud
def test_each_alarm_goes_from_cloudwatch_into_slack_and_back(tmp_path):
    with (
        LocalSlack() as slack,
        EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as embedded,
    ):
        deployed = embedded.deploy(
            {"bot_token": slack.bot_token, "channel": slack.channel_id},
            Watched({}, {"worker": "worker-dlq"}),
            EVERYTHING | {"LogGroupNames": "", "SlackApiUrl": slack.api_url},
        )
        cloudwatch, sns_client = embedded.client("cloudwatch"), embedded.client("sns")
        there = [
            each["AlarmName"]
            for each in cloudwatch.describe_alarms()["MetricAlarms"]
            if each["AlarmActions"] == [deployed.alarm_topic]
        ]
        assert set(there) == {f"tocsin-{name}" for name in EXPECTED if not name.startswith(REFUSED)}
        for state in ("ALARM", "OK"):
            for name in there:
                cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="driven by a test")
            for name, alarm in watching(**EVERYTHING).items():
                if name.startswith(REFUSED):
                    event = sns(alarm, state, FIRED if state == "ALARM" else OVER)
                    message = event["Records"][0]["Sns"]["Message"]
                    sns_client.publish(TopicArn=deployed.alarm_topic, Subject="by a test", Message=message)
            incidents = settled(deployed, "resolved" if state == "OK" else "firing")
            # The event of charges is of another account than this cloud's, and says so in its service's name.
            named = {service.removesuffix(" (123456789012)") for service in incidents}
            assert named == {service for _, service, _ in EXPECTED.values()}
            seen = {alert for alerts in incidents.values() for alert in alerts}
            assert seen == {signature for signature, _, _ in EXPECTED.values()}
        deadline = time.monotonic() + 60
        while unresolved := [service for service in incidents if not is_told_as_over(slack, service)]:
            assert time.monotonic() < deadline, (unresolved, [each["text"] for each in slack.messages()])
            time.sleep(0.3)
        # And what the dashboard shows of it was printed on the way.
        printed = {
            name: "".join(each["message"] for each in logged(embedded, f"/tocsin/tocsin/{name}"))
            for name in ("detect", "reconcile", "notify")
        }
        assert '"Occurrences"' in printed["detect"]
        assert '"Notifications"' in printed["detect"]
        assert '"IncidentsOpen"' in printed["reconcile"]
        assert '"Suppressed"' in printed["reconcile"]
        assert '"Latency"' in printed["notify"]


def logged(embedded: EmbeddedCloud, log_group: str) -> list[dict[str, str]]:
    pages = embedded.client("logs").get_paginator("filter_log_events").paginate(logGroupName=log_group)
    return [event for page in pages for event in page["events"]]


def is_told_as_over(slack: LocalSlack, service: str) -> bool:
    """Whether a message of the channel names the service and says that it is over."""
    told = [json.dumps(each["blocks"]) + each["text"] for each in slack.messages()]
    return any(service in text and "resolved" in text.lower() for text in told)


def settled(deployed: Deployment, state: str) -> dict[str, set[str]]:
    """The signatures of each incident by service, once all alarms were received and all alerts are in a state."""
    deadline, table = time.monotonic() + 60, deployed.client("dynamodb")
    while True:
        deployed.reconcile()
        items = table.scan(TableName=deployed.table)["Items"]
        incidents = [load_incident(item["doc"]["S"]) for item in items if item["pk"]["S"].startswith("G#")]
        alerts = [alert for incident in incidents for alert in incident.alerts.values()]
        quiet = not any(incident.outbox for incident in incidents)
        if quiet and len(alerts) == len(EXPECTED) and {alert.state for alert in alerts} == {state}:
            return {each.service: {alert.signature for alert in each.alerts.values()} for each in incidents}
        assert time.monotonic() < deadline, [
            (alert.signature, alert.origin.alarm, alert.state) for alert in alerts
        ]
        time.sleep(0.3)
