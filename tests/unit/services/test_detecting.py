"""Detection: from any event to counted occurrences, one call where one is enough, bad input said aloud."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from tocsin.core.config.settings import Intervals, Service, Settings
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.ingest.event_shapes import UnknownEventError
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import Severity
from tocsin.core.notifications.contract import document_of
from tocsin.core.signatures.signature import AlarmRule, Signature, Source, Status
from tocsin.services.detection import Detector
from tocsin.services.reconcile_service import Reconciler

T0 = 1_770_000_000_000
MIN = 60_000
BOOM = "[ERROR] Kaboom: module 'mangum' exploded"


def signature(name, **changes):
    given = {
        "id": name, "file": "signatures/t.toml", "title": name, "severity": Severity.HIGH, "status": Status.STABLE,
        "source": Source.LOG, "summary": "s", "first_action": "f", "runbook": f"{name}.md",
    }  # fmt: skip
    return Signature(**{**given, **changes})


SIGNATURES = {
    s.id: s
    for s in [
        signature("kaboom", any=(r"Kaboom: module '(?P<module>\w+)'",), group_by=("module",)),
        signature("leak", any=(r"Leaking: (?P<what>.+)",), group_by=("what",)),
        signature(
            "depth", source=Source.ALARM, alarm=AlarmRule(metric=("ApproximateNumberOfMessagesVisible",))
        ),
    ]
}
SETTINGS = Settings(
    services=(
        Service("backend", ("*backend*",), ("*backend*",)),
        Service("worker", ("*worker*",)),
        Service("clinic", ("*clinic*",), strict=True),
    )
)


def envelope(lines, *, group="/aws/lambda/backend", first_id=0, **changes):
    document = {
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": group, "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [
            {"id": str(first_id + i), "timestamp": T0 + i, "message": line} for i, line in enumerate(lines)
        ],
        **changes,
    }  # fmt: skip
    return packed(json.dumps(document).encode())


def packed(raw):
    return base64.b64encode(gzip.compress(raw, mtime=0)).decode()


def logs(lines, **changes):
    return {"awslogs": {"data": envelope(lines, **changes)}}


def alarm(state="ALARM", at="2026-02-03T11:00:00.000+0000", name="backend-dlq-depth"):
    return {
        "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "id": "x", "account": "123456789012",
        "region": "us-east-1", "time": "2026-02-03T11:00:00Z",
        "resources": [f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"],
        "detail": {
            "alarmName": name, "state": {"value": state, "reason": "Threshold Crossed", "timestamp": at},
            "configuration": {"metrics": [{"id": "m", "metricStat": {"metric": {
                "namespace": "AWS/SQS", "name": "ApproximateNumberOfMessagesVisible",
                "dimensions": {"QueueName": "backend-dlq"}}, "period": 60, "stat": "Maximum"}, "returnData": True}]},
        },
    }  # fmt: skip


class Calls(MemoryLedger):
    """A ledger that remembers which of its operations were called."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        if name in {"count", "load", "pending", "save"}:
            object.__getattribute__(self, "calls").append(name)
        return object.__getattribute__(self, name)


class World:
    """A detector with everything it speaks to recorded."""

    def __init__(self):
        self.ledger, self.published, self.dead_lettered, self.made = Calls(), [], [], []
        self.reconciler = Reconciler(
            self.ledger, self, Policy(Intervals(), SIGNATURES), "https://runbooks.example/"
        )
        self.detector = self.another_process()

    def another_process(self):
        return Detector(
            Matcher(SIGNATURES), SIGNATURES, SETTINGS, reconciler=self._make_settler, failure_queue=lambda: self,
            own_log_groups="/tocsin/", region="us-east-1",
        )  # fmt: skip

    def _make_settler(self):
        self.made.append("reconciler")
        return self.reconciler

    def publish(self, notification):
        self.published.append(document_of(notification))

    def dead_letter(self, record, error):
        self.dead_lettered.append((record, error))

    def detect(self, event, now=T0):
        return self.detector.detect(event, now)

    @property
    def incident(self):
        return self.ledger.load("backend").incident


@pytest.fixture
def world():
    return World()


def test_a_matching_line_opens_an_incident_at_once(world):
    done = world.detect(logs(["fine", BOOM, BOOM]))
    assert done.summary()["occurrences"] == {"kaboom": 2}
    assert done.sent == {"backend": ["opened"]}
    assert world.published[0]["alerts"][0]["fields"] == {"module": "mangum"}
    assert world.published[0]["incident"]["count"] == 2


def test_how_old_the_lines_were_is_said_of_batches_with_something_in_them_alone(world):
    assert world.detect(logs(["fine"] * 100), T0 + MIN).line_ages is None
    assert world.detect(logs(["fine", BOOM, "fine"]), T0 + 1_002).line_ages == (1_000, 1_002)


def test_of_several_envelopes_the_newest_line_of_all_and_the_oldest_of_all_count(world):
    data = [envelope([BOOM]), envelope([BOOM] * 3, first_id=100), envelope(["fine"] * 9, first_id=200)]
    records = [{"eventSource": "aws:kinesis", "kinesis": {"data": each}} for each in data]
    assert world.detect({"Records": records}, T0 + 500).line_ages == (498, 500)


def test_lines_of_a_clock_that_is_ahead_are_not_younger_than_nothing(world):
    assert world.detect(logs([BOOM]), T0 - 5_000).line_ages == (0, 0)


def test_a_batch_without_a_match_makes_no_client_and_no_call(world):
    done = world.detect(logs(["fine"] * 100))
    assert world.made == []
    assert world.ledger.calls == []
    assert done.events == 0


def test_a_batch_that_only_adds_to_a_known_alert_makes_one_call(world):
    world.detect(logs([BOOM]))
    world.ledger.calls.clear()
    world.detect(logs([BOOM] * 50, first_id=100), T0 + MIN)
    assert world.ledger.calls == ["count"]


def test_a_known_alert_is_written_without_its_sample(world):
    world.detect(logs([BOOM]))
    world.detect(logs([BOOM], first_id=100), T0 + MIN)
    assert [
        occurrence_count.sample for occurrence_count in MemoryLedger.pending(world.ledger, "backend")
    ] == [""]


def test_what_a_process_knows_ends_with_the_quiet_period_so_that_what_is_back_is_told_at_once(world):
    world.detect(logs([BOOM]))
    world.reconciler.reconcile("backend", T0 + 15 * MIN)
    done = world.detect(logs([BOOM], first_id=100), T0 + 15 * MIN)
    assert done.sent == {"backend": ["regressed"]}


def test_the_same_envelope_again_changes_no_count_and_posts_nothing(world):
    event = logs([BOOM, BOOM])
    world.detect(event)
    for retry in range(1, 4):
        done = world.detect(event, T0 + retry * MIN)
        assert done.duplicates == 1
        assert not done.occurrences
    done = world.another_process().detect(event, T0 + 5 * MIN)
    assert done.duplicates == 1
    assert world.incident.count == 2
    assert len(world.published) == 1


def test_the_same_envelope_through_kinesis_is_the_same_envelope(world):
    world.detect(logs([BOOM]))
    record = {
        "eventSource": "aws:kinesis", "eventID": "shard:1", "kinesis": {"data": envelope([BOOM]), "sequenceNumber": "1"},
    }  # fmt: skip
    done = world.detect({"Records": [record, record]})
    assert done.duplicates == 2
    assert world.incident.count == 1


def test_a_retry_after_a_crash_between_counting_and_telling_tells(world):
    class DeadError(Exception):
        pass

    def die(notification):
        raise DeadError

    healthy, world.publish = world.publish, die
    done = world.detect(logs([BOOM]))
    assert [type(failure) for failure in done.failures] == [DeadError]
    world.publish = healthy
    world.another_process().detect(logs([BOOM]), T0 + MIN)
    assert [n["reason"] for n in world.published] == ["opened"]
    assert world.incident.count == 1


def test_two_alerts_of_one_envelope_are_one_incident(world):
    world.detect(logs([BOOM, "[ERROR] Kaboom: module 'other' exploded"]))
    assert [n["reason"] for n in world.published] == ["opened"]
    assert world.published[0]["incident"]["alert_count"] == 2


def test_services_are_told_apart(world):
    world.detect(logs([BOOM]))
    world.detect(logs([BOOM], group="/aws/lambda/worker"))
    world.detect(logs([BOOM], group="/aws/lambda/unclaimed"))
    assert [n["service"] for n in world.published] == ["backend", "worker", "unclaimed"]


def test_secrets_reach_neither_the_table_nor_a_notification(world):
    secret = "AKIA" + "Q3EGRIJ7K4L2M5NP"
    world.detect(logs([f"[ERROR] Leaking: aws_access_key_id={secret} password=hunter2!"]))
    everything = json.dumps(world.published) + repr(world.incident)
    assert "leak" in everything
    assert secret not in everything
    assert "hunter2" not in everything


def test_our_own_log_groups_are_refused(world):
    done = world.detect(logs([BOOM], group="/tocsin/tocsin/detect"))
    assert done.ignored == ["log group /tocsin/tocsin/detect is Tocsin's own"]
    assert world.ledger.calls == []


def test_control_messages_are_ignored(world):
    done = world.detect(logs([BOOM], messageType="CONTROL_MESSAGE"))
    assert "control message" in done.ignored[0]
    assert world.published == []


def test_an_alarm_opens_and_its_ok_resolves(world):
    world.detect(alarm())
    done = world.detect(alarm("OK", at="2026-02-03T11:05:00.000+0000"), T0 + 5 * MIN)
    assert done.sent == {"backend": ["resolved"]}
    assert [n["reason"] for n in world.published] == ["opened", "resolved"]
    assert world.published[0]["alerts"][0]["source"]["alarm"] == "backend-dlq-depth"


def test_an_alarm_transition_by_two_roads_is_counted_once(world):
    message = {
        "AlarmName": "backend-dlq-depth", "AWSAccountId": "123456789012", "NewStateValue": "ALARM", "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed", "StateChangeTime": "2026-02-03T11:00:00.000+0000",
        "Region": "US East (N. Virginia)", "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:backend-dlq-depth",
        "Trigger": {"MetricName": "ApproximateNumberOfMessagesVisible", "Namespace": "AWS/SQS",
                    "Dimensions": [{"name": "QueueName", "value": "backend-dlq"}]},
    }  # fmt: skip
    world.detect({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(message)}}]})
    done = world.detect(alarm(), T0 + 1000)
    assert done.duplicates == 1
    assert world.incident.count == 1


def test_insufficient_data_is_no_news(world):
    done = world.detect(alarm("INSUFFICIENT_DATA"))
    assert "INSUFFICIENT_DATA" in done.ignored[0]
    assert world.published == []


def sns_records(*messages):
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message}} for message in messages]}


@pytest.mark.parametrize(
    "bad",
    [
        {"eventSource": "aws:kinesis", "kinesis": {"data": "%%%"}},
        {"eventSource": "aws:kinesis", "kinesis": {"data": base64.b64encode(b"not gzip").decode()}},
        {"eventSource": "aws:kinesis", "kinesis": {"data": packed(b"not json")}},
        {"eventSource": "aws:kinesis", "kinesis": {"data": packed(b"[]")}},
        {"eventSource": "aws:kinesis", "kinesis": {"data": packed(b'{"messageType":"DATA_MESSAGE"}')}},
        {"eventSource": "aws:kinesis", "kinesis": {}},
        {"eventSource": "aws:kinesis"},
        {"EventSource": "aws:sns", "Sns": {"Message": '{"AlarmName": "x", '}},
        {"EventSource": "aws:sns", "Sns": {}},
        {"EventSource": "aws:sns", "Sns": {"Message": '{"AlarmName": "x"}'}},
        {"eventSource": "aws:not_notified-of"},
        "a string",
        None,
    ],
    ids=repr,
)
def test_a_bad_record_is_parked_with_its_reason_and_the_others_go_on(world, bad):
    good = {"eventSource": "aws:kinesis", "kinesis": {"data": envelope([BOOM])}}
    done = world.detect({"Records": [bad, good]})
    assert done.occurrences == {"kaboom": 1}
    assert len(done.dead_lettered) == 1
    assert len(done.dead_lettered[0]) > 10
    assert [record for record, _ in world.dead_lettered] == [bad]


def test_a_log_event_that_is_none_is_parked_and_the_others_go_on(world):
    done = world.detect(
        logs([], logEvents=[{"id": "1", "timestamp": T0}, 7, {"id": "2", "timestamp": T0, "message": BOOM}])
    )
    assert done.occurrences == {"kaboom": 1}
    assert len(done.dead_lettered) == 2


def test_an_alarm_without_a_trigger_reaches_people_if_any_signature_takes_it(world):
    done = world.detect(sns_records(json.dumps({
        "AlarmName": "backend-composite", "NewStateValue": "ALARM", "NewStateReason": "r",
        "StateChangeTime": "2026-02-03T11:00:00.000+0000", "AlarmRule": "ALARM(a)",
    })))  # fmt: skip
    assert done.dead_lettered == []


def test_an_event_of_no_known_shape_is_refused_by_the_keys_seen(world):
    with pytest.raises(UnknownEventError, match="what"):
        world.detect({"what": 1})


@pytest.mark.parametrize("event", [{"Records": []}, logs([])], ids=["no records", "no log events"])
def test_an_empty_batch_is_nothing(world, event):
    assert world.detect(event).summary()["failures"] == []
    assert world.ledger.calls == []


def test_a_line_of_a_megabyte_is_matched_and_its_sample_bounded(world):
    world.detect(logs([BOOM + " x" * 500_000]))
    assert world.incident.count == 1
    assert len(world.incident.alerts[next(iter(world.incident.alerts))].sample) < 3000


def test_a_queue_that_fails_while_parking_is_a_failure_so_that_the_event_comes_again(world):
    def broken(record, error):
        raise ConnectionError

    world.dead_letter = broken
    done = world.detect({"Records": [{"eventSource": "aws:kinesis"}]})
    assert len(done.failures) == 1


def test_one_service_whose_table_fails_does_not_keep_the_others(world):
    count = world.ledger.count

    def broken(occurrence_count):
        if occurrence_count.service == "backend":
            raise ConnectionError
        return count(occurrence_count)

    world.ledger.count = broken
    records = [
        {"eventSource": "aws:kinesis", "kinesis": {"data": envelope([BOOM], group=f"/aws/lambda/{name}")}}
        for name in ("backend", "worker")
    ]
    done = world.detect({"Records": records})
    assert len(done.failures) == 1
    assert [n["service"] for n in world.published] == ["worker"]


def test_alarms_of_one_queue_are_alerts_of_their_own_and_one_ok_does_not_end_the_other(world):
    world.detect(alarm(name="backend-dlq-depth"))
    world.detect(alarm(name="backend-dlq-high"), T0 + 1000)
    done = world.detect(alarm("OK", at="2026-02-03T11:05:00.000+0000", name="backend-dlq-high"), T0 + 2000)
    assert done.sent == {}
    assert len(world.incident.firing) == 1


def test_alarms_that_differ_in_a_number_only_are_told_apart(world):
    world.detect(alarm(name="backend-1-depth"))
    world.detect(alarm(name="backend-2-depth"), T0 + 1000)
    assert len(world.incident.alerts) == 2


def test_ten_thousand_values_in_one_envelope_cost_few_writes_and_all_are_counted(world):
    world.detect(
        logs(
            [f"[ERROR] Kaboom: module '{'m' * (i % 90 + 1)}{'x' * (i // 90)}' exploded" for i in range(3000)]
        )
    )
    assert world.ledger.calls.count("count") <= 60
    assert world.incident.count == 3000


def test_a_duplicate_does_not_make_a_process_believe_the_alert_was_renewed(world):
    event = logs([BOOM])
    world.detect(event)
    second = world.another_process()
    second.detect(event, T0 + 14 * MIN)
    world.reconciler.reconcile("backend", T0 + 15 * MIN)
    done = second.detect(logs([BOOM], first_id=50), T0 + 20 * MIN)
    assert done.sent == {"backend": ["regressed"]}
    assert world.published[-1]["alerts"][0]["sample"]


def test_what_was_hidden_in_what_is_stored_is_counted_and_of_a_duplicate_nothing(world):
    leaking = logs(["Leaking: password=hunter2-hunter2"])
    assert world.detect(leaking).redactions == 2  # the sample and the field
    assert world.detect(leaking).redactions == 0
    assert world.detect(logs([BOOM], first_id=9)).redactions == 0


def test_of_a_strict_service_only_what_is_known_to_be_harmless_is_shown(world):
    world.detect(logs(["Kaboom: module 'db' lost Marisol Etcheverry"], group="/aws/lambda/clinic"))
    world.detect(logs(["Kaboom: module 'db' lost Marisol Etcheverry"], first_id=9))
    strict, plain = (notification["alerts"][0]["sample"] for notification in world.published)
    assert strict == "Kaboom: module 'db' lost …"
    assert "Etcheverry" in plain


def test_the_names_of_log_streams_and_alarms_are_redacted(world):
    world.detect(logs([BOOM], logStream="run/jane.roe@example.com/1"))
    world.detect(alarm(name="backend-depth-of-jane.roe@example.com"))
    world.detect(alarm(state="INSUFFICIENT_DATA", name="depth-of-jane.roe@example.com"))
    said = json.dumps([world.published, world.dead_lettered])
    assert "run/[REDACTED:email]/1" in said
    assert "jane.roe" not in said


def test_what_is_said_about_an_alarm_that_is_passed_over_is_redacted(world):
    done = world.detect(alarm(state="INSUFFICIENT_DATA", name="depth of jane.roe@example.com"))
    assert done.ignored
    assert "jane.roe" not in json.dumps(done.summary())
