"""Every event shape is taken apart into records that stand or fall alone."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.ingest.event_shapes import (
    AlarmRecord,
    BadRecord,
    IgnoredRecord,
    LogsRecord,
    UnknownEventError,
    split_event,
)
from tocsin_cli.sample_events.events import new_event

ROOT = Path(__file__).resolve().parents[3]
LOGS = new_event("logs", ["one"])
KINESIS = new_event("kinesis", ["one"])
DATA = LOGS["awslogs"]["data"]
SNS = new_event("alarm-sns")
BUS = new_event("alarm-eventbridge")
DIRECT = new_event("alarm-direct")
MESSAGE = json.loads(SNS["Records"][0]["Sns"]["Message"])


def sqs(*bodies):
    return {
        "Records": [
            {"messageId": str(n), "eventSource": "aws:sqs", "body": body} for n, body in enumerate(bodies)
        ]
    }


def test_a_subscription_event_is_one_envelope():
    assert split_event(LOGS) == [LogsRecord(DATA, LOGS)]


def test_each_kinesis_record_is_an_envelope_of_its_own():
    record = KINESIS["Records"][0]
    assert split_event({"Records": [record, record]}) == [LogsRecord(DATA, record)] * 2


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (SNS, MESSAGE),
        (BUS, BUS),
        (DIRECT, DIRECT),
        (MESSAGE, MESSAGE),
        (sqs(json.dumps(MESSAGE)), MESSAGE),
        (sqs(json.dumps(BUS)), BUS),
        (sqs(json.dumps({"Type": "Notification", "Message": json.dumps(MESSAGE)})), MESSAGE),
    ],
)
def test_an_alarm_is_found_in_every_wrapping(event, payload):
    (record,) = split_event(event)
    assert isinstance(record, AlarmRecord)
    assert record.payload == payload
    assert record.original in (event, *event.get("Records", []))


def test_logs_through_a_queue_are_found_too():
    event = sqs(json.dumps(LOGS))
    assert split_event(event) == [LogsRecord(DATA, event["Records"][0])]


def test_what_was_parked_can_be_sent_again_by_itself_or_through_a_queue():
    kinesis = KINESIS["Records"][0]
    for record in (LOGS, kinesis, SNS["Records"][0], BUS):
        parked = {"error": "x", "record": record, "function": "detect"}
        (again,) = split_event(parked)
        assert isinstance(again, LogsRecord | AlarmRecord)
        assert again.original == record  # parked again, it is not wrapped once more
        assert type(split_event(sqs(json.dumps(parked)))[0]) is type(again)


def test_lambdas_own_failure_record_can_be_sent_again():
    failed = {
        "version": "1.0",
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": KINESIS,
        "responsePayload": {},
    }
    assert split_event(failed) == split_event(KINESIS)


@pytest.mark.parametrize("event", [{"Records": []}, sqs()])
def test_an_empty_batch_is_no_records(event):
    assert split_event(event) == []


BAD = {
    "a record that is text": "text",
    "a record that is nothing": None,
    "an empty record": {},
    "kinesis without data": {"eventSource": "aws:kinesis", "kinesis": {}},
    "kinesis that is a list": {"eventSource": "aws:kinesis", "kinesis": []},
    "kinesis with a number": {"eventSource": "aws:kinesis", "kinesis": {"data": 7}},
    "sns without message": {"EventSource": "aws:sns", "Sns": {}},
    "sns that is text": {"EventSource": "aws:sns", "Sns": "x"},
    "an alarm by sns that came apart": {
        "EventSource": "aws:sns",
        "Sns": {"Message": '{"AlarmName": "a", "NewSta'},
    },
    "sqs that is not JSON": {"eventSource": "aws:sqs", "body": "{"},
    "sqs without text": {"eventSource": "aws:sqs", "body": None},
    "awslogs that is text": {"awslogs": "x"},
    "s3 notification": {"eventSource": "aws:s3", "s3": {}},
    "another event of the bus": {"detail-type": "EC2 Instance State-change Notification"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_stops_none_of_the_others_and_is_kept_whole(name):
    good = KINESIS["Records"][0]
    first, bad, last = split_event({"Records": [good, BAD[name], SNS["Records"][0]]})
    assert isinstance(first, LogsRecord)
    assert isinstance(last, AlarmRecord)
    assert isinstance(bad, BadRecord)
    assert bad.original == BAD[name]
    assert len(bad.error) > 10


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({}, "keys seen: none"),
        ({"foo": 1, "bar": 2}, "keys seen: bar, foo.*awslogs"),
        (None, "must be a JSON object"),
        ([], "is a list"),
        ("text", "is text"),
        ({"Records": {}}, "Records must be a list, is an object"),
        ({"Records": None}, "Records must be a list"),
        ({"detail-type": "Scheduled Event"}, "Scheduled Event"),
    ],
)
def test_an_unknown_event_is_refused_with_what_was_seen(event, said):
    with pytest.raises(UnknownEventError, match=said):
        split_event(event)


def test_the_keys_of_an_unknown_event_are_redacted():
    with pytest.raises(UnknownEventError) as raised:
        split_event({"password=hunter2hunter2": 1, "x" * 5_000: 2})
    assert "hunter2" not in str(raised.value)
    assert len(str(raised.value)) < 700


OTHERS = {
    "words": "Your budget is used up",
    "a budget's": '{"budgetName": "b"}',
    "a list": "[1]",
    "a nest": "[" * 100_000,
    "nothing": "",
    "a change of a bucket": json.dumps(
        {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}}}]}
    ),
    "another event of the bus": json.dumps(
        {"detail-type": "EC2 Instance State-change Notification", "detail": {}}
    ),
    "a mail that bounced": json.dumps(
        {"notificationType": "Bounce", "record": "x", "Message": "y", "body": "z"}
    ),
    "a number": "7",
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("queued", [False, True])
def test_what_others_publish_to_the_alarm_topic_is_passed_over_and_not_kept(name, queued):
    by_sns = {"EventSource": "aws:sns", "Sns": {"Message": OTHERS[name]}}
    by_queue = {
        "eventSource": "aws:sqs",
        "body": json.dumps({"Type": "Notification", "Message": OTHERS[name]}),
    }
    other, alarm = split_event({"Records": [by_queue if queued else by_sns, SNS["Records"][0]]})
    assert isinstance(other, IgnoredRecord)
    assert "no alarm" in other.why
    assert isinstance(alarm, AlarmRecord)


def test_an_edit_of_an_alarm_is_ignored_and_said():
    (record,) = split_event({**BUS, "detail-type": "CloudWatch Alarm Configuration Change"})
    assert isinstance(record, IgnoredRecord)
    assert "configuration" in record.why


def test_wrappings_without_end_are_refused():
    event = LOGS
    for _ in range(50):
        event = {"requestPayload": event}
    assert isinstance(split_event(event)[0], BadRecord)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from([DATA, json.dumps(MESSAGE)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "awslogs",
                    "data",
                    "Records",
                    "kinesis",
                    "Sns",
                    "Message",
                    "body",
                    "detail-type",
                    "alarmData",
                    "AlarmName",
                    "requestPayload",
                    "record",
                    "eventSource",
                    "x",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_comes_it_is_taken_apart_or_refused_and_a_batch_is_never_refused(event):
    with contextlib.suppress(UnknownEventError):
        split_event(event)
    records = split_event({"Records": [KINESIS["Records"][0], event]})
    assert isinstance(records[0], LogsRecord)


def test_importing_it_brings_neither_boto3_nor_powertools_nor_the_redaction_table():
    code = "import sys, tocsin.core.ingest.event_shapes; print([m for m in sys.modules if m.split('.')[0] in ('boto3', 'botocore', 'requests', 'aws_lambda_powertools') or m == 'tocsin.core.redact'])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "functions", capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
