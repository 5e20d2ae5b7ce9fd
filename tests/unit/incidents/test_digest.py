"""Signatures in test mode: counted exactly, told to nobody one by one, and once a day in one calm message."""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_reconciling import CrashError, Crashing

from tocsin.core.config.routing import DEFAULT, Destination, Route, Routing
from tocsin.core.config.settings import Intervals, Service, Settings, parse_settings
from tocsin.core.incidents import digest
from tocsin.core.incidents.counting import MAX_ALERTS
from tocsin.core.incidents.digest import next_digest_at
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.serialization import (
    dump_incident,
    load_incident,
)
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import TEST_MODE_GROUP, AlertState, OccurrenceCount, Origin, Reason, Severity
from tocsin.core.notifications.building import MAX_NOTIFICATION_SIZE
from tocsin.core.notifications.contract import (
    document_of,
    message_attributes,
    millis_of,
    to_json,
)
from tocsin.core.notifications.email import MAX_SUBJECT_LENGTH, email_subject, email_text
from tocsin.core.notifications.parsing import parse_notification
from tocsin.core.problems import ConfigurationError
from tocsin.core.signatures.signature import AlarmRule, Signature, Source, Status, Threshold
from tocsin.core.slack.messages import (
    MAX_BLOCKS,
    MAX_JSON,
    json_length,
    render,
    render_standalone,
    render_thread,
)
from tocsin.core.stored_document import dump_document, load_document
from tocsin.services.detection import Detector
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import Reconciler
from tocsin_cli.fake_slack.block_kit import block_problems

T0 = 1_770_000_000_000  # 2026-02-02T02:40:00Z, a Monday
EIGHT = 1_770_019_200_000  # the same day at 08:00
SECOND, MIN, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "notification.schema.json").read_text())


def rule(name, **changes):
    given = {
        "id": name, "file": "signatures/t.toml", "title": f"Title of {name}", "severity": Severity.CRITICAL,
        "status": Status.TEST, "source": Source.LOG, "summary": "s", "first_action": "f", "runbook": f"{name}.md",
        "owner": "payments",
    }  # fmt: skip
    return Signature(**{**given, **changes})


SIGNATURES = {
    each.id: each
    for each in (
        rule("maybe", any=(r"Maybe (?P<what>\w+)",), group_by=("what",)),
        rule("often", any=(r"Often",), threshold=Threshold(5, 10 * MIN)),
        rule("depth", source=Source.ALARM, alarm=AlarmRule(name=("*depth*",)), watch_queue=True),
        rule("sure", any=(r"Surely",), status=Status.STABLE),
    )
}
SETTINGS = Settings(services=(Service("backend", ("*backend*",)), Service("worker", ("*worker*",))))


def promoted(*names, status=Status.STABLE):
    return {
        name: replace(each, status=status) if name in names else each for name, each in SIGNATURES.items()
    }


def occurrence_count(i, at=T0, *, name="maybe", service="backend", n=1, **changes):
    made = OccurrenceCount(
        envelope=f"e{i}", fingerprint=f"{name}/{service}", signature=name, service=TEST_MODE_GROUP, fields={}, count=n,
        first_seen=at, last_seen=at, received_at=at, sample=f"line {i}", origin_service=service,
    )  # fmt: skip
    return replace(made, **changes)


def policy(rules=None, **intervals):
    return Policy(Intervals(**intervals), rules or SIGNATURES)


class World:
    """A detector and a reconciler on one ledger, with everything they tell."""

    def __init__(self, rules=None, *, ledger=None, **intervals):
        self.ledger, self.published = ledger or MemoryLedger(), []
        self.rules = rules or SIGNATURES
        self.reconciler = Reconciler(
            self.ledger, self, policy(self.rules, **intervals), "https://runbooks.example/"
        )
        self.sent = 0
        self.detector = Detector(
            Matcher(self.rules), self.rules, SETTINGS, reconciler=lambda: self.reconciler, failure_queue=lambda: pytest.fail("dead_lettered"),
            own_log_groups="/tocsin/", region="us-east-1",
        )  # fmt: skip

    def publish(self, notification):
        self.published.append(document_of(notification))

    def deployed(self, rules):
        """What another deployment makes of the same ledger."""
        return World(rules, ledger=self.ledger)

    def log(self, now, *lines, service="backend"):
        self.sent += 1
        document = {
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": f"/aws/lambda/{service}",
            "logStream": "s", "subscriptionFilters": ["f"],
            "logEvents": [
                {"id": f"{self.sent}-{now}-{i}", "timestamp": now, "message": line} for i, line in enumerate(lines)
            ],
        }  # fmt: skip
        data = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
        done = self.detector.detect({"awslogs": {"data": data}}, now)
        assert done.failures == []
        return done

    def round(self, now):
        done = reconcile(self.reconciler, now)
        assert done.failures == {}
        return done

    @property
    def told(self):
        return [each["reason"] for each in self.published]


def lines_of(notification):
    return [(each["signature"], each["service"], each["count"]) for each in notification["alerts"]]


# --- when ---


@pytest.mark.parametrize(
    ("after", "interval", "then"),
    [
        (T0, DAY, EIGHT),
        (EIGHT, DAY, EIGHT + DAY),
        (EIGHT - 1, DAY, EIGHT),
        (T0, 12 * HOUR, EIGHT),
        (EIGHT + 1, 12 * HOUR, EIGHT + 12 * HOUR),
        (EIGHT, 7 * DAY, EIGHT + 7 * DAY),
        (EIGHT + DAY, 7 * DAY, EIGHT + 7 * DAY),
        (T0, 20 * SECOND, T0 + 20 * SECOND),
    ],
)
def test_a_day_ends_at_eight_and_a_week_on_monday(after, interval, then):
    assert next_digest_at(after, interval) == then


def test_nothing_on_trial_makes_no_digest_and_no_work():
    world = World()
    world.log(T0, "all is well")
    world.round(EIGHT)
    assert (world.published, world.ledger.open_services(1 << 60)) == ([], [])


def test_detect_only_counts_and_tells_nobody():
    world = World()
    world.reconciler = type("Counts", (), {"ledger": world.ledger})()  # anything but counting would fail
    done = world.log(T0, "Maybe one", "Maybe one", "Maybe two")
    assert (done.occurrences, done.sent) == ({"maybe": 3}, {})
    assert [t.service for t in world.ledger.pending(TEST_MODE_GROUP)] == [TEST_MODE_GROUP] * 2
    assert world.ledger.load("backend").incident is None


def test_once_a_day_everything_is_told_in_one_message_and_then_it_is_quiet():
    world = World()
    for minute in range(40):
        world.log(T0 + minute * MIN, "Maybe one", "Maybe two", service="worker")
        world.log(T0 + minute * MIN + 1, "Maybe one")
        world.round(T0 + minute * MIN + 2)
    assert world.published == []
    for minute in range(-2, 120):
        world.round(EIGHT + minute * MIN)
    assert world.told == ["digest"]
    assert lines_of(world.published[0]) == [("maybe", "worker", 80), ("maybe", "backend", 40)]
    assert world.published[0]["at"] == "2026-02-02T08:00:00.000Z"
    assert world.ledger.open_services(1 << 60) == []  # no timer is left behind
    world.log(EIGHT + 3 * HOUR, "Maybe one")
    world.round(EIGHT + DAY - 1)
    assert world.told == ["digest"]
    world.round(EIGHT + DAY)
    assert lines_of(world.published[1]) == [("maybe", "backend", 1)]
    assert world.published[0]["incident"]["id"] != world.published[1]["incident"]["id"]
    assert [each.id for each in world.ledger.closed] == [world.published[0]["incident"]["id"]]


def test_between_two_digests_the_index_names_only_the_time_of_the_next():
    world = World()
    world.log(T0, "Maybe one")
    world.round(T0 + MIN)
    assert world.ledger.open_services(EIGHT - 1) == []
    assert world.ledger.open_services(EIGHT) == [TEST_MODE_GROUP]


def test_what_was_received_before_a_digest_and_counted_after_it_waits_for_the_next():
    world = World()
    world.ledger.count(occurrence_count(0, EIGHT - HOUR))
    world.round(EIGHT)
    world.ledger.count(occurrence_count(1, EIGHT - SECOND))
    world.round(EIGHT + MIN)
    assert world.told == ["digest"]
    world.round(EIGHT + DAY)
    assert [each["incident"]["count"] for each in world.published] == [1, 1]


def test_after_days_without_reconcile_there_is_one_digest_for_all_of_them():
    world = World()
    for day in range(4):
        world.ledger.count(occurrence_count(day, T0 + day * DAY))
    world.round(T0 + 4 * DAY)
    assert [each["incident"]["count"] for each in world.published] == [4]


def test_more_than_one_save_takes_is_one_digest_all_the_same():
    world = World()
    for i in range(250):
        world.ledger.count(occurrence_count(i, T0 + i))
    world.round(EIGHT)
    assert [each["incident"]["count"] for each in world.published] == [250]


def test_switched_off_it_is_counted_and_never_told():
    world = World(digest_interval=0)
    world.log(T0, "Maybe one")
    world.round(T0 + MIN)
    world.round(T0 + 30 * DAY)
    assert world.published == []
    assert world.ledger.load(TEST_MODE_GROUP).incident.count == 1
    assert world.ledger.open_services(1 << 60) == []


def test_silences_and_queues_are_none_of_its_business():
    class Queues:
        def read(self, *_):
            pytest.fail("looked at")

        depth = read

    world = World()
    reconciler = replace(world.reconciler, queues=Queues())
    world.ledger.count(
        occurrence_count(0, name="depth", origin=Origin(alarm="a-depth"), fields={"queue": "q"})
    )
    assert reconcile(reconciler, EIGHT).failures == {}
    assert world.told == ["digest"]


# --- what was promoted or put in test mode meanwhile ---


def test_promoted_it_is_told_at_once_and_what_was_counted_stays_in_the_digest():
    world = World()
    world.log(T0, "Maybe one")
    world.round(T0 + MIN)
    later = world.deployed(promoted("maybe"))
    later.log(T0 + HOUR, "Maybe one")
    assert later.told == ["opened"]
    assert later.published[0]["service"] == "backend"
    for minute in range(20):
        later.round(EIGHT + minute * MIN)
    (told,) = [each for each in later.published if each["reason"] == "digest"]
    assert (lines_of(told), told["alerts"][0]["test_mode"]) == (
        [("maybe", "backend", 1)], {"status": "stable", "would_have_fired": 1},
    )  # fmt: skip


def test_an_envelope_that_comes_again_after_the_promotion_is_not_counted_twice():
    world = World()
    first = world.log(T0, "Maybe one")
    again = world.deployed(promoted("maybe"))
    assert first.occurrences == {"maybe": 1}
    assert again.log(T0, "Maybe one").occurrences == {}


def test_what_was_put_on_trial_while_it_fires_is_over_once_quiet():
    world = World(promoted("maybe", "depth"))
    world.log(T0, "Maybe one")
    alarm = occurrence_count(9, name="depth", service="backend", origin=Origin(alarm="a-depth"))
    world.ledger.count(replace(alarm, service="backend", origin_service=""))
    world.round(T0 + MIN)
    later = world.deployed(SIGNATURES)
    later.log(T0 + 2 * MIN, "Maybe one")
    for minute in range(3, 60):
        later.round(T0 + minute * MIN)
    assert world.told[0] == "opened"
    assert later.told[-1] == "resolved"
    assert later.ledger.load("backend").incident.resolved_at == T0 + 15 * MIN
    assert later.ledger.load(TEST_MODE_GROUP).incident.count == 1


# --- how often it would have been told ---


def would_have_fired(*occurrence_counts, rules=None):
    moved = digest.advance(None, occurrence_counts, T0, policy=policy(rules))
    return {alert.signature: alert.would_have_fired for alert in moved.incident.alerts.values()}


def test_it_would_have_begun_once_for_each_time_after_quiet():
    assert would_have_fired(*(occurrence_count(i, T0 + i * MIN) for i in range(100))) == {"maybe": 1}
    assert would_have_fired(*(occurrence_count(i, T0 + i * 15 * MIN) for i in range(4))) == {"maybe": 4}


def test_below_its_threshold_it_would_not_have_begun():
    assert would_have_fired(*(occurrence_count(i, T0 + i * MIN, name="often") for i in range(4))) == {
        "often": 0
    }
    assert would_have_fired(*(occurrence_count(i, T0 + i * MIN, name="often") for i in range(40))) == {
        "often": 1
    }
    sparse = [occurrence_count(i, T0 + i * 4 * MIN, name="often") for i in range(40)]
    assert would_have_fired(*sparse) == {"often": 0}


def test_each_alarm_counts_and_its_ok_does_not():
    rings = [
        occurrence_count(i, T0 + i * MIN, name="depth", origin=Origin(alarm="a-depth")) for i in range(3)
    ]
    fine = occurrence_count(
        "ok", T0 + HOUR, name="depth", origin=Origin(alarm="a-depth"), n=0, state=AlertState.RESOLVED
    )
    assert would_have_fired(*rings, fine) == {"depth": 3}


def test_an_ok_alone_makes_no_digest():
    ledger = MemoryLedger()
    ledger.count(
        occurrence_count("ok", name="depth", origin=Origin(alarm="a-depth"), n=0, state=AlertState.RESOLVED)
    )
    world = World(ledger=ledger)
    world.round(T0)
    world.round(EIGHT)
    assert (world.published, ledger.pending(TEST_MODE_GROUP)) == ([], [])


# --- exactly once, whatever happens ---

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3 * 24 * 60),  # minute of receipt
        st.sampled_from(["maybe", "often"]),
        st.sampled_from(["backend", "worker"]),
        st.integers(1, 9),
        st.integers(0, 2),  # how often it is delivered again
        st.integers(0, 90),  # minutes until it is delivered again
    ),
    max_size=25,
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(EVENTS, st.lists(st.integers(1, 40), max_size=12), st.booleans(), st.sampled_from([6 * HOUR, DAY]))
def test_one_digest_an_interval_and_every_occurrence_in_exactly_one(events, crashes, after, interval):
    ledger = MemoryLedger()
    world = World(ledger=ledger, digest_interval=interval)
    deliveries = []
    for i, (minute, name, service, n, again, wait) in enumerate(events):
        for time in range(again + 1):
            at = T0 + (minute + time * wait) * MIN
            deliveries.append((at, occurrence_count(i, T0 + minute * MIN, name=name, service=service, n=n)))
    deliveries.sort(key=lambda pair: pair[0])
    left, end = list(crashes), T0 + 9 * DAY
    for now in sorted({at + MIN for at, _ in deliveries} | set(range(EIGHT, end, interval))):
        while deliveries and deliveries[0][0] < now:
            ledger.count(deliveries.pop(0)[1])
        if left:  # a round that dies anywhere, then the next minute's
            crashing = Crashing(left.pop(0), after=after)
            flaky = replace(
                world.reconciler,
                ledger=crashing.wrap(ledger, "load", "pending", "save", "drop", "open_services"),
                publisher=crashing.wrap(world, "publish"),
            )
            with suppress(CrashError):
                reconcile(flaky, now)
        world.round(now + MIN // 2)
        world.round(now + MIN // 2 + 20 * SECOND)  # what was left in an outbox is old enough now
    by_id = {each["id"]: each for each in world.published}
    assert {each["reason"] for each in by_id.values()} <= {"digest"}
    counted = {}
    for each in by_id.values():
        for name, service, count in lines_of(each):
            counted[name, service] = counted.get((name, service), 0) + count
    expected = {}
    for _, name, service, n, _, _ in events:
        expected[name, service] = expected.get((name, service), 0) + n
    assert counted == expected
    intervals = [(millis_of(each["at"]) - EIGHT) // interval for each in by_id.values()]
    assert len(intervals) == len(set(intervals))


@given(
    st.permutations(
        [occurrence_count(i, T0 + i * MIN, n=i + 1, name=n) for i, n in enumerate(["maybe", "often"] * 4)]
    )
)
def test_the_order_of_what_is_folded_changes_no_count(occurrence_counts):
    whole = digest.advance(None, occurrence_counts, T0 + HOUR, policy=policy()).incident
    halves = digest.advance(None, occurrence_counts[:4], T0 + HOUR, policy=policy()).incident
    halves = digest.advance(halves, occurrence_counts[4:], T0 + HOUR, policy=policy()).incident
    for each in (whole, halves):
        assert {alert.signature: alert.count for alert in each.alerts.values()} == {"maybe": 16, "often": 20}


def test_the_documents_keep_it_and_older_ones_are_read():
    incident = digest.advance(None, [occurrence_count(0)], T0, policy=policy()).incident
    assert load_incident(dump_incident(incident)) == incident
    assert load_document(dump_document(occurrence_count(0)), OccurrenceCount) == occurrence_count(0)
    old = json.loads(dump_document(occurrence_count(0)))
    del old["origin_service"]
    assert load_document(json.dumps(old), OccurrenceCount).origin_service == ""


# --- what is said ---


def digest_of(*occurrence_counts, rules=None):
    ledger = MemoryLedger()
    world = World(rules, ledger=ledger)
    for each in occurrence_counts:
        ledger.count(each)
    world.round(EIGHT)
    (told,) = world.published
    return parse_notification(json.dumps(told))


def test_it_keeps_the_contract_and_wakes_nobody():
    told = digest_of(occurrence_count(0, n=41), occurrence_count(1, name="often", service="worker", n=3))
    jsonschema.validate(document_of(told), SCHEMA)
    assert parse_notification(to_json(told)) == told
    assert (told.severity, told.title, told.service) == (
        "low",
        "2 signatures in test mode",
        TEST_MODE_GROUP,
    )
    assert told.incident.status == "resolved"
    assert message_attributes(told)["reason"]["StringValue"] == "digest"
    assert [document_of(each.test_mode) for each in told.alerts] == [
        {"status": "test", "would_have_fired": 1}, {"status": "test", "would_have_fired": 0},
    ]  # fmt: skip
    assert (told.why.novelty, told.why.total) == ("repeat", 44)


def test_it_goes_to_the_default_destination_alone_and_calls_nobody():
    routing = Routing(
        {DEFAULT: Destination(DEFAULT), "on-call": Destination("on-call", "secret", "S0ONCALL")},
        {"payments": "S0PAY"},
        (Route("routes[0]", {}, "on-call"),),
    )
    (only,) = routing.targets_for(digest_of(occurrence_count(0)))
    assert (only.destination.name, only.mentions, only.concerned) == (DEFAULT, (), ())


def test_slack_shows_one_calm_message_without_a_reply():
    told = digest_of(occurrence_count(0, n=41), occurrence_count(1, name="often", service="worker", n=3))
    message = render(told, mentions=("S0PAY",))
    assert message == render_standalone(told)
    assert render_thread(told) is None
    text = json.dumps(message.blocks, ensure_ascii=False)
    assert not [sign for sign in ("🔴", "🟠", "🟡", "🔵", "<!subteam", "S0PAY") if sign in text]
    assert "Title of maybe" in text
    assert "41 times" in text
    assert "would have fired once" in text
    assert "its threshold was not reached" in text
    assert "line 0" in text
    assert block_problems(message.blocks) == []


def test_what_became_of_a_signature_meanwhile_is_said():
    told = digest_of(occurrence_count(0), rules=promoted("maybe"))
    assert "stable since" in email_text(told)
    assert "None of the signatures is in test mode any more." in email_text(told)
    gone = {name: each for name, each in SIGNATURES.items() if name != "maybe"}
    assert "removed since" in email_text(digest_of(occurrence_count(0), rules=gone))


def test_of_very_many_the_most_seen_are_shown_and_the_rest_is_counted():
    many = [
        occurrence_count(i, n=i + 1, service=f"service-{i}", sample="<!channel> ``` & " * 90)
        for i in range(MAX_ALERTS + 5)
    ]
    told = digest_of(*many)
    jsonschema.validate(document_of(told), SCHEMA)
    assert len(to_json(told)) <= MAX_NOTIFICATION_SIZE
    total = sum(range(1, MAX_ALERTS + 6))
    assert told.incident.count == total
    assert told.incident.alert_count == MAX_ALERTS
    message = render(told)
    assert len(message.blocks) <= MAX_BLOCKS
    assert json_length(message.blocks) <= MAX_JSON
    text = json.dumps(message.blocks, ensure_ascii=False)
    assert f"{total:,} times" in text
    assert "occurrences of signatures beyond these" in text
    assert "<!channel>" not in text
    assert block_problems(message.blocks) == []
    shown = [each.count for each in told.alerts]
    assert shown == sorted(shown, reverse=True)


def test_the_e_mail_says_the_same_and_fits():
    told = digest_of(occurrence_count(0, n=1204))
    assert email_subject(told) == "[DIGEST] 1 signature in test mode, seen 1,204 times"
    text = email_text(told)
    assert "Title of maybe (maybe) in backend: 1,204 times" in text
    assert 'status = "stable"' in text
    crowd = digest_of(*(occurrence_count(i, service="s" * 90 + str(i), sample="x" * 900) for i in range(60)))
    assert len(email_subject(crowd)) <= MAX_SUBJECT_LENGTH
    assert len(email_text(crowd)) <= 8_000


# --- settings ---


@pytest.mark.parametrize(
    ("value", "span"), [('"12h"', 12 * HOUR), ('"off"', 0), ("0", 0), ('"0"', 0), ('"7d"', 7 * DAY)]
)
def test_how_often_is_a_setting(value, span):
    assert parse_settings(f"[intervals]\ndigest_interval = {value}\n", {}).intervals.digest_interval == span


def test_the_deployment_has_the_last_word():
    assert parse_settings("", {"TOCSIN_DIGEST_INTERVAL": "20s"}).intervals.digest_interval == 20 * SECOND
    assert parse_settings("", {"TOCSIN_DIGEST_INTERVAL": "off"}).intervals.digest_interval == 0
    assert parse_settings("", {"TOCSIN_DIGEST_INTERVAL": ""}).intervals.digest_interval == DAY


def test_no_service_has_the_name_of_the_group():
    with pytest.raises(ConfigurationError, match="a service has another name"):
        parse_settings(f'[services."{TEST_MODE_GROUP}"]\nlog_groups = ["*"]\n', {})
    assert SETTINGS.service_of_alarm(TEST_MODE_GROUP, {}) != TEST_MODE_GROUP
    assert SETTINGS.service_of_log_group(f"/x/{TEST_MODE_GROUP}") != TEST_MODE_GROUP


def test_the_reason_is_one_of_the_contract():
    assert Reason.DIGEST.value in SCHEMA["$defs"]["Reason"]["enum"]


# --- what is in test mode takes nothing away from what is told ---


@pytest.mark.parametrize("catch_all", [False, True])
def test_a_trial_changes_nothing_of_what_people_are_told(catch_all):
    old = rule("old", any=(r"Broken",), status=Status.STABLE, catch_all=catch_all)
    new = rule("new", any=(r"Broken pipe",), inhibits=("old",))
    world = World({each.id: each for each in (old, new)})
    world.log(T0, "Broken pipe")
    assert [(each["reason"], lines_of(each)) for each in world.published] == [
        ("opened", [("old", "backend", 1)])
    ]
    world.round(EIGHT)
    (told,) = [each for each in world.published if each["reason"] == "digest"]
    assert lines_of(told) == [("new", "backend", 1)]
    after = {"old": old, "new": replace(new, status=Status.STABLE)}
    assert [match.signature for match in Matcher(after).match("Broken pipe")] == ["new"]
