"""The heartbeat goes the way of an alert and never becomes one."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.adapters.files.configuration import load_configuration
from tocsin.adapters.slack.errors import CredentialRefusedError
from tocsin.core.config.routing import DEFAULT, Destination, Routing
from tocsin.core.matching.matcher import Matcher
from tocsin.core.signatures.drill import SIGNATURE as DRILL_SIGNATURE
from tocsin.core.signatures.heartbeat import (
    HEARTBEAT,
    SIGNATURE,
    TOO_LATE,
    Heartbeat,
    heartbeat_from,
    heartbeat_line,
    heartbeat_message,
    is_due,
)
from tocsin.core.signatures.reader import ID
from tocsin.core.signatures.signature import with_built_in
from tocsin.services.detection import Detector, Heartbeats
from tocsin.services.heartbeat import HeartbeatRelay, HeartbeatWriter
from tocsin.services.notifier import Notifier
from tocsin.services.screening import open_prefilter

ROOT = Path(__file__).parents[3]
CONFIG = load_configuration(ROOT / "functions", {})
MATCHER = Matcher(with_built_in(CONFIG.signatures, DRILL_SIGNATURE, SIGNATURE))
OURS = "/tocsin/prod/heartbeat"
T0 = 1_770_000_000_000
MINUTE = 60_000
LINE = heartbeat_line(T0)
BOOM = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


def delivery(*lines, group=OURS):
    document = {
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": group, "logStream": "heartbeat",
        "subscriptionFilters": ["f"],
        "logEvents": [{"id": str(i), "timestamp": T0, "message": line} for i, line in enumerate(lines)],
    }  # fmt: skip
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}}


class World:
    """A detector with the shipped signatures; whatever it speaks to is recorded."""

    def __init__(self, *, heartbeat=OURS):
        self.stored, self.published, self.touched, self.broken = [], [], [], None
        relay = HeartbeatRelay(self, self)
        self.detector = Detector(
            MATCHER, CONFIG.signatures, CONFIG.settings, reconciler=self.touch, failure_queue=self.touch,
            own_log_groups="/tocsin/", region="us-east-1",
            heartbeats=Heartbeats(heartbeat, lambda: relay) if heartbeat else None,
        )  # fmt: skip

    def touch(self):
        self.touched.append("reconciler or failure queue")
        raise AssertionError("an incident or the failure queue is reached for")

    def detected(self, heartbeat):
        if self.broken is not None:
            raise self.broken
        self.stored.append(heartbeat)

    def publish(self, message):
        self.published.append(message)


@pytest.fixture
def world():
    return World()


# ------------------------------------------------------------------------- in detect


def test_the_line_is_stored_published_and_no_occurrence_of_anything(world):
    done = world.detector.detect(delivery(LINE), T0 + 200)
    assert world.stored == [Heartbeat(T0, T0 + 200)]
    assert [heartbeat_from(json.loads(message)) for message in world.published] == world.stored
    assert (done.heartbeats, done.occurrences, done.sent, world.touched) == (1, {}, {}, [])


def test_detect_says_nothing_about_it_so_that_nothing_can_come_back(world):
    done = world.detector.detect(delivery(LINE, "something else", BOOM), T0)
    assert (done.ignored, done.dead_lettered, done.duplicates, done.failures) == ([], [], 0, [])


@pytest.mark.parametrize(
    "line", [BOOM, f"{LINE} {BOOM}", f"x {LINE}", f"{LINE}\n{BOOM}", "tocsin heartbeat 1"]
)
def test_nothing_else_is_taken_from_its_log_group(world, line):
    done = world.detector.detect(delivery(line), T0)
    assert (world.stored, world.published, world.touched) == ([], [], [])
    assert (done.heartbeats, done.occurrences) == (0, {})


@pytest.mark.parametrize(
    "group",
    [
        "/tocsin/other/heartbeat",
        "/tocsin/prod/heartbeat/x",
        "/tocsin/prod/detect",
        "/tocsin/prod/Heartbeat",
    ],
)
@pytest.mark.parametrize("line", [LINE, BOOM])
def test_every_other_log_group_of_tocsins_own_is_refused_as_ever(world, group, line):
    done = world.detector.detect(delivery(line, group=group), T0)
    assert done.ignored == [f"log group {group} is Tocsin's own"]
    assert (world.stored, world.published, world.touched) == ([], [], [])


@pytest.mark.parametrize("group", ["/aws/lambda/backend", "/aws/lambda/tocsin/heartbeat", "heartbeat"])
def test_who_writes_the_line_into_a_log_group_of_theirs_gets_no_alert_and_no_heartbeat(world, group):
    done = world.detector.detect(delivery(LINE, group=group), T0)
    assert (done.occurrences, done.heartbeats, world.touched, world.published) == ({}, 0, [], [])


def test_a_batch_without_a_match_asks_for_no_client_because_of_it(world):
    done = world.detector.detect(delivery(*["INFO all is well"] * 50, group="/aws/lambda/backend"), T0)
    assert (done.records, done.events, world.stored, world.published, world.touched) == (1, 0, [], [], [])


def test_where_it_is_switched_off_its_log_group_is_refused_like_the_others():
    world = World(heartbeat="")
    assert world.detector.detect(delivery(LINE), T0).ignored == [f"log group {OURS} is Tocsin's own"]
    assert world.published == []


def test_a_failure_of_aws_is_raised_like_any_other_and_the_next_delivery_beats(world):
    world.broken = ConnectionError("no table")
    done = world.detector.detect(delivery(LINE), T0)
    assert (done.failures, done.heartbeats, world.published) == ([world.broken], 0, [])
    assert done.unfinished == []  # a stream goes on to what matters
    world.broken = None
    world.detector.detect(delivery(LINE), T0 + MINUTE)
    assert len(world.published) == 1


def test_the_search_that_ships_lets_it_through_at_a_cold_start():
    prefilter = open_prefilter({})
    assert prefilter is not None
    assert prefilter.skips(delivery("INFO all is well")) is not None
    assert prefilter.skips(delivery(LINE)) is None


def test_no_signature_of_a_file_can_take_its_id():
    assert ID.fullmatch(HEARTBEAT) is None
    assert HEARTBEAT not in CONFIG.signatures
    assert (ROOT / "runbooks" / SIGNATURE.runbook).is_file()


@given(now=st.integers(10**12, 10**13 - 1))
def test_its_line_matches_at_every_time_until_the_year_2286(now):
    (match,) = MATCHER.match(heartbeat_line(now), log_group=OURS)
    assert (match.signature, match.fields) == (HEARTBEAT, {"written": str(now)})


# ---------------------------------------------------------------------- in reconcile


class BrokenLog:
    def __init__(self):
        self.lines, self.broken = [], False

    def write(self, line, now):
        if self.broken:
            raise ConnectionError("no log")
        self.lines.append((line, now))


def test_a_heart_beats_at_once_and_then_every_so_often_however_often_it_is_asked():
    log = BrokenLog()
    writer = HeartbeatWriter(log, 5 * MINUTE)
    for second in range(16 * 60):
        writer.write(T0 + second * 1000)
    assert [(now - T0) / MINUTE for _, now in log.lines] == [0, 4.5, 9, 13.5]
    assert log.lines[1][0] == heartbeat_line(T0 + 270_000)


def test_asked_once_a_minute_with_jitter_no_beat_is_skipped():
    log = BrokenLog()
    writer = HeartbeatWriter(log, 5 * MINUTE)
    for minute in range(31):
        writer.write(T0 + minute * MINUTE + (-7_000 if minute % 2 else 7_000))
    assert len(log.lines) == 7


def test_a_line_that_could_not_be_written_is_tried_again_when_asked_next():
    log = BrokenLog()
    log.broken = True
    writer = HeartbeatWriter(log, 5 * MINUTE)
    with pytest.raises(ConnectionError):
        writer.write(T0)
    log.broken = False
    assert writer.write(T0 + 1000) is True
    assert len(log.lines) == 1


def test_a_new_process_beats_at_once():
    assert is_due(None, T0, 5 * MINUTE)


# ------------------------------------------------------------------------- in notify


class Secret:
    """The credential of one destination."""

    def __init__(self):
        self.failing = None

    def credential(self, now, *, fresh=False):
        if self.failing is not None:
            raise self.failing
        return object()


class Desk:
    """Everything notify speaks to; telling, putting off and parking must not happen."""

    def __init__(self):
        self.now, self.arrivals = T0, []
        self.secrets = {name: Secret() for name in (DEFAULT, "payments")}

    def arrived(self, now):
        self.arrivals.append(now)

    def defer(self, *_):
        raise AssertionError("a heartbeat is put off")

    def dead_letter(self, *_):
        raise AssertionError("a heartbeat is parked")

    def connect(self, _):
        raise AssertionError("Slack is spoken to")

    def work(self, body):
        notifier = Notifier(
            routing=Routing({name: Destination(name) for name in (DEFAULT, "payments")}),
            secret_of=lambda destination: self.secrets[destination.name], store_of=self.connect, queue=self,
            connect=self.connect, clock=lambda: self.now, deadline=T0 + 10**9, claimant="c", heartbeat_record=self,
        )  # fmt: skip
        left = notifier.work([{"messageId": "m", "body": body, "receiptHandle": "r"}])
        return notifier, left


def beat(*, written=T0, detected=T0 + 50):
    return heartbeat_message(Heartbeat(written, detected))


def test_a_heartbeat_is_counted_and_told_to_nobody():
    desk = Desk()
    desk.now = T0 + 230
    notifier, left = desk.work(beat())
    assert (left, notifier.heartbeats, notifier.log, desk.arrivals) == ([], [230], [], [T0 + 230])


@pytest.mark.parametrize("destination", [DEFAULT, "payments"])
def test_without_the_credential_of_every_destination_it_is_not_counted_and_not_kept(destination):
    desk = Desk()
    desk.secrets[destination].failing = CredentialRefusedError("xoxb-there-is-no-such-secret")
    notifier, left = desk.work(beat())
    assert (left, notifier.heartbeats, desk.arrivals) == ([], [], [])
    (line,) = notifier.log
    assert line.level == "ERROR"
    assert "CredentialRefusedError" in line.text
    assert "xoxb" not in line.text


def test_one_that_waited_too_long_says_that_the_way_was_closed_and_is_not_counted():
    desk = Desk()
    desk.now = T0 + TOO_LATE + 1
    notifier, left = desk.work(beat())
    assert (left, notifier.heartbeats) == ([], [])
    assert [line.level for line in notifier.log] == ["WARNING"]


def test_a_clock_that_runs_behind_makes_no_negative_time():
    desk = Desk()
    desk.now = T0 - 5
    assert desk.work(beat())[0].heartbeats == [0]


@given(
    content=st.one_of(
        st.none(),
        st.integers(),
        st.text(),
        st.text().map(lambda text: {"kind": "heartbeat", "written_at": text}),
    )
)
def test_whatever_else_comes_by_the_queue_is_no_heartbeat(content):
    assert heartbeat_from(content) is None


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "notification", "title": '"heartbeat"'}, ["heartbeat"], "heartbeat",
        {"kind": "heartbeat", "written_at": True, "detected_at": 1}, {"kind": "heartbeat", "written_at": 1},
    ],
)  # fmt: skip
def test_what_only_looks_like_a_heartbeat_is_none(content):
    assert heartbeat_from(content) is None
