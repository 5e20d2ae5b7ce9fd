"""Changes of an alarm's state as CloudWatch sends them: by SNS, by EventBridge, and by a direct Lambda action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.core.model import Millis
from tocsin.core.times import iso_time
from tocsin_cli.sample_events.event_ids import ACCOUNT, REGION, eventbridge_event, uuid_of

_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:tocsin-alarms"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm on one metric.

    Attributes:
        name: Its name.
        namespace: Of the metric; empty for an alarm of which no metric is known, such as a composite one.
        metric: The metric.
        dimensions: Of the metric.
        threshold: Above it the alarm fires.
        period: Seconds that one datapoint covers.
        statistic: As CloudWatch writes it: ``Sum``, ``Maximum``.
        at_threshold: Whether the threshold itself makes it fire too.
        expression: For an alarm of metric maths: the expression over the metric, which it calls ``errors``.
        description: What its owner says of it.
    """

    name: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    threshold: float
    period: int = 60
    statistic: str = "Sum"
    at_threshold: bool = False
    expression: str = ""
    description: str | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{self.name}"

    def reason(self, state: str, datapoint: float, at: Millis) -> str:
        """CloudWatch's words for a change, with its day/month/year and the start of the period."""
        then = iso_time(at - self.period * 1000)
        day = f"{then[8:10]}/{then[5:7]}/{then[2:4]} {then[11:16]}:00"
        compared = "greater than or equal to" if self.at_threshold else "greater than"
        was = f"was {compared}" if state == "ALARM" else f"was not {compared}"
        return f"Threshold Crossed: 1 datapoint [{datapoint} ({day})] {was} the threshold ({self.threshold})."


def alarm_by_sns(alarm: Alarm, state: str, datapoint: float, at: Millis) -> dict[str, Any]:
    """A change as SNS hands it to a function.

    Args:
        alarm: The alarm.
        state: The new state: ``ALARM``, ``OK`` or ``INSUFFICIENT_DATA``.
        datapoint: What it saw.
        at: When it changed; milliseconds.
    """
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "NewStateValue": state,
        "NewStateReason": alarm.reason(state, datapoint, at),
        "StateChangeTime": _time(at),
        "Region": "US East (N. Virginia)",
        "AlarmArn": alarm.arn,
        "OldStateValue": _before(state),
        "OKActions": [_TOPIC],
        "AlarmActions": [_TOPIC],
        "InsufficientDataActions": [],
        "Trigger": _trigger(alarm),
    }
    sns = {
        "Type": "Notification",
        "MessageId": uuid_of(alarm.name, state, at),
        "TopicArn": _TOPIC,
        "Subject": f'{state}: "{alarm.name}" in US East (N. Virginia)',
        "Message": json.dumps(message),
        "Timestamp": iso_time(at),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertUrl": "EXAMPLE",
        "UnsubscribeUrl": "EXAMPLE",
        "MessageAttributes": {},
    }
    subscription = f"{_TOPIC}:{uuid_of(_TOPIC)}"
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": sns,
    }
    return {"Records": [record]}


def alarm_by_eventbridge(alarm: Alarm, state: str, datapoint: float, at: Millis) -> dict[str, Any]:
    """A change as a rule of EventBridge hands it over; arguments as `alarm_by_sns`."""
    identity, detail = uuid_of(alarm.name, state, at), _detail(alarm, state, datapoint, at)
    return eventbridge_event(
        identity, "aws.cloudwatch", "CloudWatch Alarm State Change", at, detail, [alarm.arn]
    )


def alarm_direct(alarm: Alarm, state: str, datapoint: float, at: Millis) -> dict[str, Any]:
    """A change as the alarm's own Lambda action hands it over; arguments as `alarm_by_sns`."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": ACCOUNT,
        "time": _time(at),
        "region": REGION,
        "alarmData": _detail(alarm, state, datapoint, at),
    }


def _trigger(alarm: Alarm) -> dict[str, Any]:
    operator = "GreaterThanOrEqualToThreshold" if alarm.at_threshold else "GreaterThanThreshold"
    trigger: dict[str, Any] = {
        "Period": alarm.period,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "ComparisonOperator": operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "",
    }
    metric = {
        "MetricName": alarm.metric,
        "Namespace": alarm.namespace,
        "Dimensions": [{"value": value, "name": name} for name, value in alarm.dimensions.items()],
    }
    if not alarm.expression:
        statistic = {"StatisticType": "Statistic", "Statistic": alarm.statistic.upper(), "Unit": None}
        return trigger | metric | statistic
    stat = {"Metric": metric, "Period": alarm.period, "Stat": alarm.statistic}
    trigger["Metrics"] = [
        {"Expression": alarm.expression, "Id": "rate", "Label": alarm.name, "ReturnData": True},
        {"Id": "errors", "MetricStat": stat, "ReturnData": False},
    ]
    return trigger


def _detail(alarm: Alarm, state: str, datapoint: float, at: Millis) -> dict[str, Any]:
    """What EventBridge and a direct action have in common, for an alarm without an expression."""
    before = at - 600_000
    metric = {"namespace": alarm.namespace, "name": alarm.metric, "dimensions": dict(alarm.dimensions)}
    stat = {"metric": metric, "period": alarm.period, "stat": alarm.statistic}
    metrics = [{"id": "m1", "metricStat": stat, "returnData": True}] if alarm.namespace else []
    return {
        "alarmName": alarm.name,
        "state": {"value": state, "reason": alarm.reason(state, datapoint, at), "timestamp": _time(at)},
        "previousState": {
            "value": _before(state),
            "reason": alarm.reason(_before(state), 0.0 if state == "ALARM" else 3.0, before),
            "timestamp": _time(before),
        },
        "configuration": {"description": alarm.description, "metrics": metrics},
    }


def _before(state: str) -> str:
    return "ALARM" if state == "OK" else "OK"


def _time(at: Millis) -> str:
    return iso_time(at).replace("Z", "+0000")
