"""A change of an alarm is read from whichever shape it comes in, and is the same change in all of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.ingest.alarms import AlarmError, parse_alarm, parse_time
from tocsin.core.ingest.event_shapes import AlarmRecord, IgnoredRecord, split_event
from tocsin.core.model import AlarmState
from tocsin_cli.sample_events.events import new_event

PAYLOADS = Path(__file__).parents[2] / "payloads"


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))["payload"]


def change(name):
    records = split_event(payload(name))
    assert len(records) == 1
    assert isinstance(records[0], AlarmRecord)
    return parse_alarm(records[0].payload)


# name, alarm, state, previous, account, Region, namespace, metric, dimensions, time
READ = {
    "eventbridge_single_metric": (
        "ServerCpuTooHigh",
        "ALARM",
        "OK",
        "123456789012",
        "us-east-1",
        "AWS/EC2",
        "CPUUtilization",
        {"InstanceId": "i-12345678901234567"},
        1_570_035_880_989,
    ),
    "eventbridge_metric_math": (
        "TotalNetworkTrafficTooHigh",
        "ALARM",
        "INSUFFICIENT_DATA",
        "123456789012",
        "us-east-1",
        "AWS/EC2",
        "NetworkIn",
        {"InstanceId": "i-12345678901234567"},
        1_570_036_848_554,
    ),
    "eventbridge_anomaly_detection": (
        "EC2 CPU Utilization Anomaly",
        "ALARM",
        "OK",
        "123456789012",
        "us-east-1",
        "AWS/EC2",
        "CPUUtilization",
        {"InstanceId": "i-12345678901234567"},
        1_570_118_404_653,
    ),
    "direct": (
        "worker-dlq-depth",
        "ALARM",
        "INSUFFICIENT_DATA",
        "111111111111",
        "eu-central-1",
        "namespace",
        "metric1",
        {},
        1_772_100_851_093,
    ),
    "direct_single_metric": (
        "Test alert",
        "ALARM",
        "OK",
        "912397435824",
        "eu-west-1",
        "AWS/Lambda",
        "Invocations",
        {},
        1_708_170_788_431,
    ),
    "direct_composite": (
        "CompositeDemo.Main",
        "ALARM",
        "ALARM",
        "111122223333",
        "us-east-1",
        "",
        "",
        {},
        1_691_153_806_138,
    ),
    "direct_composite_rust": (
        "CompositeDemo.Main",
        "ALARM",
        "ALARM",
        "111122223333",
        "us-east-1",
        "",
        "",
        {},
        1_691_153_806_138,
    ),
    "sns_event_single_metric": (
        "EXAMPLE",
        "ALARM",
        "INSUFFICIENT_DATA",
        "123456789012",
        "",
        "AWS/EC2",
        "NetworkOut",
        {"InstanceId": "TestInstance"},
        1_433_353_407_123,
    ),
    "sns_event_metric_math": (
        "EXAMPLE",
        "ALARM",
        "INSUFFICIENT_DATA",
        "",
        "",
        "AWS/EC2",
        "NetworkOut",
        {"InstanceId": "TestInstance"},
        1_433_353_407_123,
    ),
    "sns_event_ok_transition": (
        "DBMigrationRequired",
        "OK",
        "ALARM",
        "735598076380",
        "",
        "LogMetrics",
        "DBMigrationRequired",
        {},
        1_549_986_324_006,
    ),
    "sns_message_composite": (
        "ServiceAggregatedAlarm",
        "ALARM",
        "OK",
        "123456789012",
        "us-east-1",
        "",
        "",
        {},
        1_658_505_465_394,
    ),
    "sns_message_metric_2026": (
        "worker-dlq-depth",
        "ALARM",
        "INSUFFICIENT_DATA",
        "111111111111",
        "eu-central-1",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        {"QueueName": "worker-dlq"},
        1_772_100_851_093,
    ),
    "sns_message_missing_data_breaching": (
        "worker-dlq-depth",
        "ALARM",
        "INSUFFICIENT_DATA",
        "111111111111",
        "eu-central-1",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        {"QueueName": "worker-dlq"},
        1_772_100_851_093,
    ),
}


@pytest.mark.parametrize("name", READ)
def test_every_real_shape_is_read(name):
    alarm, state, previous, account, region, namespace, metric, dimensions, at = READ[name]
    read = change(name)
    assert (read.name, read.state, read.previous) == (alarm, state, previous)
    assert (read.account, read.region) == (account, region)
    assert (read.namespace, read.metric, dict(read.dimensions)) == (namespace, metric, dimensions)
    assert read.at == at
    assert read.reason


def test_every_payload_is_tried():
    ignored = {path.stem for path in PAYLOADS.glob("eventbridge_config_change_*.json")}
    assert {path.stem for path in PAYLOADS.glob("*.json")} == READ.keys() | ignored | {
        "eventbridge_composite_suppressed"
    }


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in PAYLOADS.glob("eventbridge_config_change_*.json"))
)
def test_an_edit_of_an_alarm_is_no_change_of_its_state(name):
    assert parse_alarm(payload(name)) is None
    assert [type(record) for record in split_event(payload(name))] == [IgnoredRecord]


def test_a_composite_alarm_that_is_muted_by_its_suppressor_says_so():
    muted = change("eventbridge_composite_suppressed")
    assert (muted.muted_by, muted.muted_until) == ("CloudWatch suppressor ServiceMaintenanceAlarm", None)


def test_a_mute_rule_is_named_with_the_end_of_its_window():
    event = payload("eventbridge_single_metric")
    event["detail"]["muteDetail"] = {
        "mutedByArn": "arn:aws:cloudwatch:eu-west-1:210987654321:alarm-mute-rule:patch-day",
        "muteWindowStart": "2026-03-01T01:00:00.000+0000",
        "muteWindowEnd": "2026-03-01T03:00:00.000+0000",
    }
    muted = parse_alarm(event)
    assert (muted.muted_by, muted.muted_until) == ("CloudWatch mute rule patch-day", 1_772_334_000_000)
    assert muted.id != change("eventbridge_single_metric").id, "the one that comes after the mute must count"


MEMBER = {"id": "00ff00ff00ff00ff", "attributes": {"QueueName": "refunds"}}


def contributor_changes():
    """One contributor's change in each of the three shapes, all the same change."""
    at = "2026-03-01T02:00:00.000+0000"
    detail = {
        "alarmName": "old-messages", "state": {"value": "OK", "reason": "r", "timestamp": at},
        "configuration": {"metrics": []}, "alarmContributor": MEMBER,
    }  # fmt: skip
    arn = "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:old-messages"
    return [
        {
            "detail-type": "CloudWatch Alarm Contributor State Change", "account": "210987654321", "region": "eu-west-1",
            "resources": [arn], "detail": detail,
        },
        {"alarmData": detail, "alarmArn": arn, "accountId": "210987654321", "region": "eu-west-1"},
        {
            "AlarmName": "old-messages", "NewStateValue": "OK", "OldStateValue": "ALARM", "StateChangeTime": at,
            "AlarmArn": arn, "AlarmContributorId": MEMBER["id"], "AlarmContributorAttributes": MEMBER["attributes"],
        },
    ]  # fmt: skip


def test_a_contributor_is_the_same_by_whichever_road_it_comes():
    changes = [parse_alarm(each) for each in contributor_changes()]
    assert len({(each.id, each.contributor) for each in changes}) == 1
    assert all(each.attributes == MEMBER["attributes"] for each in changes)


@pytest.mark.parametrize("part", [{"id": "00ff00ff00ff00fe"}, {"id": "", "attributes": {"QueueName": "x"}}])
def test_two_contributors_and_the_alarm_itself_are_three(part):
    given = contributor_changes()[1]
    other = {**given, "alarmData": {**given["alarmData"], "alarmContributor": {**MEMBER, **part}}}
    itself = {**given, "alarmData": {**given["alarmData"], "alarmContributor": None}}
    changes = [parse_alarm(each) for each in (given, other, itself)]
    assert len({each.id for each in changes}) == len({each.contributor for each in changes}) == 3
    assert changes[2].contributor == ""


def test_a_suppressed_return_to_ok_is_passed_on():
    event = payload("eventbridge_composite_suppressed")
    event["detail"]["state"]["value"] = "OK"
    assert parse_alarm(event).state is AlarmState.OK


@pytest.mark.parametrize("state", ["ALARM", "OK"])
def test_one_transition_has_one_id_by_whatever_road(state):
    at = 1_772_100_851_093
    changes = [
        parse_alarm(split_event(new_event(f"alarm-{road}", at=at, state=state))[0].payload)
        for road in ("sns", "eventbridge", "direct")
    ]
    assert len({change.id for change in changes}) == 1
    assert {(c.name, c.state, c.account, c.region, c.at, c.metric) for c in changes} == {
        (
            "credmate-prod-worker-dlq-depth",
            state,
            "123456789012",
            "us-east-1",
            at,
            "ApproximateNumberOfMessagesVisible",
        )
    }
    assert [dict(change.dimensions) for change in changes] == [
        {"QueueName": "credmate-prod-worker-dlq.fifo"}
    ] * 3


@pytest.mark.parametrize(
    "different",
    [{"at": 1_772_100_851_094}, {"state": "OK"}, {"queue": "another-dlq"}],
    ids=["time", "state", "alarm"],
)
def test_another_transition_has_another_id(different):
    base = {"at": 1_772_100_851_093, "state": "ALARM", "queue": "worker-dlq"}
    ids = {parse_alarm(new_event("alarm-direct", **options)).id for options in (base, base | different)}
    assert len(ids) == 2


def test_the_same_alarm_in_another_account_or_region_is_another_change():
    event = payload("eventbridge_single_metric")
    ids = set()
    for arn in (
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:A",
        "arn:aws:cloudwatch:us-east-1:210987654321:alarm:A",
        "arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:A",
        "arn:aws-us-gov:cloudwatch:us-gov-west-1:123456789012:alarm:A",
    ):
        event["resources"] = [arn]
        read = parse_alarm(event)
        assert f":{read.region}:{read.account}:" in arn
        ids.add(read.id)
    assert len(ids) == 4


def test_a_message_without_arn_takes_the_region_only_where_it_is_one():
    message = payload("sns_message_composite")
    del message["AlarmArn"]
    assert parse_alarm(message).region == ""
    assert parse_alarm(message).account == "123456789012"
    assert parse_alarm({**message, "Region": "eu-west-1"}).region == "eu-west-1"


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2022-07-22T15:57:45.394+0000", 1_658_505_465_394),
        ("2022-07-22T15:57:45Z", 1_658_505_465_000),
        ("2022-07-22T15:57:45.394Z", 1_658_505_465_394),
        ("2022-07-22T17:57:45.394+02:00", 1_658_505_465_394),
        ("2022-07-22T15: 57: 45.394+0000", 1_658_505_465_394),
        (" 2022-07-22 15:57:45.394999+0000 ", 1_658_505_465_394),
        ("2022-07-22T15:57:45", 1_658_505_465_000),
        ("1969-12-31T23:59:59.999Z", None),
        ("2999-12-31T23:59:59.999Z", 32_503_679_999_999),
        ("3000-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("date", None),
        ("", None),
        (None, None),
        (1_658_505_465, None),
        ("2022-13-01T00:00:00Z", None),
    ],
)
def test_times_are_read_in_every_form_seen(text, millis):
    assert parse_time(text) == millis


def test_without_a_readable_state_time_the_events_own_time_stands_in():
    event = payload("eventbridge_single_metric")
    event["detail"]["state"]["timestamp"] = "date"
    assert parse_alarm(event).at == 1_570_035_880_000
    del event["time"]
    with pytest.raises(AlarmError, match=r"detail\.state\.timestamp"):
        parse_alarm(event)


@pytest.mark.parametrize(
    ("name", "path", "value", "said"),
    [
        ("sns_message_composite", ["StateChangeTime"], "date", "StateChangeTime"),
        (
            "sns_message_composite",
            ["NewStateValue"],
            "BROKEN password=hunter2",
            "NewStateValue: must be one of ALARM, OK",
        ),
        ("sns_message_composite", ["AlarmName"], " ", "AlarmName"),
        ("eventbridge_single_metric", ["detail", "state"], None, r"detail\.state\.value"),
        ("eventbridge_single_metric", ["detail", "alarmName"], None, r"detail\.alarmName"),
        ("eventbridge_single_metric", ["detail"], "text", r"detail\.state\.value"),
        ("direct", ["alarmData"], None, r"alarmData\.state\.value"),
        ("direct", ["alarmData", "state", "value"], [], r"alarmData\.state\.value"),
    ],
)
def test_what_is_missing_is_named(name, path, value, said):
    event = copy.deepcopy(payload(name))
    holder = event
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(AlarmError, match=said) as raised:
        parse_alarm(event)
    assert "hunter2" not in str(raised.value)


def test_what_is_no_alarm_is_named_by_its_keys():
    with pytest.raises(AlarmError, match="keys seen: budgetName, limit"):
        parse_alarm({"limit": 1, "budgetName": "b"})


@pytest.mark.parametrize(
    "trigger",
    [
        None,
        "text",
        [],
        {},
        {"Metrics": None},
        {"Metrics": ["x"]},
        {"Metrics": [{"Expression": "1"}]},
        {"Metrics": [{"MetricStat": {}}]},
        {"MetricName": "m", "Dimensions": "x"},
    ],
)
def test_an_alarm_with_any_sort_of_trigger_or_none_is_read(trigger):
    message = {**payload("sns_message_composite"), "Trigger": trigger}
    assert parse_alarm(message).name == "ServiceAggregatedAlarm"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    name=st.sampled_from(sorted({"direct", "eventbridge_metric_math", "sns_message_metric_2026"})),
    data=st.data(),
)
def test_whatever_stands_in_any_place_the_answer_is_a_change_or_an_alarm_error(name, data):
    event = copy.deepcopy(payload(name))
    holder = event
    while True:
        key = data.draw(
            st.sampled_from(sorted(holder) if isinstance(holder, dict) else list(range(len(holder))))
        )
        if isinstance(holder[key], (dict, list)) and holder[key] and data.draw(st.booleans()):
            holder = holder[key]
            continue
        holder[key] = data.draw(JSON)
        break
    try:
        read = parse_alarm(event)
    except AlarmError:
        return
    assert read is None or (read.name and len(read.id) == 32)
