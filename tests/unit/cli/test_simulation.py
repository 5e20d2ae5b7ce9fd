"""The simulated clock: the same notifications as the live code with the same clock, minute by minute."""

from __future__ import annotations

import base64
import gzip
import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.config.settings import Intervals, Service, Settings
from tocsin.core.incidents.incident import QueueReading
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import UNKNOWN_ERROR
from tocsin.core.model import Severity
from tocsin.core.notifications.contract import millis_of
from tocsin.core.signatures.absence_rule import AbsenceRule
from tocsin.core.signatures.signature import Signature, Source, Status, Threshold
from tocsin.services.detection import Detector
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import Reconciler
from tocsin_cli.simulation import LoggedLine, Simulation

T0 = 1_770_000_000_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
BACKEND, WORKER = "/aws/lambda/backend", "/aws/lambda/worker"


def signature(name, **changes):
    rule = Signature(
        id=name,
        file="signatures/t.toml",
        title=name,
        severity=Severity.HIGH,
        status=Status.STABLE,
        source=Source.LOG,
        summary="s",
        first_action="f",
        runbook=f"{name}.md",
    )
    return replace(rule, **changes)


SIGNATURES = {
    rule.id: rule
    for rule in (
        signature("kaboom", any=(r"Kaboom in (?P<module>\w+)",), group_by=("module",)),
        signature("often", any=(r"Throttled call",), threshold=Threshold(3, 2 * MINUTE)),
        signature("test_mode", any=(r"Maybe broken",), status=Status.TEST),
        signature("slow", any=(r"Sluggish reply",), resolve_after=90 * MINUTE),
    )
}
CONFIG = Configuration(
    SIGNATURES, Settings(services=(Service("backend", ("*backend*",)), Service("worker", ("*worker*",))))
)
LINES = (
    "Kaboom in mangum",
    "Kaboom in boto3",
    "Throttled call",
    "Maybe broken",
    "Sluggish reply",
    "INFO all is well",
)


def told(lines, config=CONFIG):
    simulation = Simulation(config)
    simulation.feed(lines)
    return simulation.finish()


def storm(count, every, message="Kaboom in mangum", start=T0):
    return [LoggedLine(start + number * every, message, BACKEND) for number in range(count)]


class Live:
    """The live code minute by minute: what ``Simulation`` must be the same as."""

    def __init__(self, config):
        self.notifications = []
        ledger = MemoryLedger()
        policy = Policy(config.settings.intervals, config.signatures)
        self.reconciler = Reconciler(ledger, self, policy, config.settings.runbooks_url)
        self.detector = Detector(
            Matcher(config.signatures),
            config.signatures,
            config.settings,
            reconciler=lambda: self.reconciler,
            failure_queue=lambda: pytest.fail("dead_lettered"),
            own_log_groups="/tocsin/",
            region="",
        )

    def publish(self, notification):
        self.notifications.append(notification)

    def run(self, deliveries, until):
        clock = T0 // MINUTE * MINUTE
        for now, group, lines in deliveries:
            while clock + MINUTE <= now:
                clock += MINUTE
                assert not reconcile(self.reconciler, clock).failures
            events = [
                {"id": f"{now}{i}", "timestamp": line.timestamp, "message": line.message}
                for i, line in enumerate(lines)
            ]
            document = {
                "messageType": "DATA_MESSAGE",
                "owner": "000000000000",
                "logGroup": group,
                "logStream": "s",
                "subscriptionFilters": [],
                "logEvents": events,
            }
            data = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
            assert not self.detector.detect({"awslogs": {"data": data}}, now).failures
        while clock <= until:
            clock += MINUTE
            assert not reconcile(self.reconciler, clock).failures


def essence(notifications):
    """What people are told and when; the incident's id holds a hash of the delivery."""
    return [
        (
            notification.at,
            notification.reason,
            notification.service,
            notification.sequence,
            notification.incident.count,
            [(alert.fingerprint, alert.count, alert.state) for alert in notification.alerts],
        )
        for notification in notifications
    ]


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1_500, 20 * SECOND, MINUTE, 7 * MINUTE, 16 * MINUTE, 3 * HOUR]),
            st.sampled_from([BACKEND, WORKER]),
            st.lists(st.sampled_from(LINES), min_size=1, max_size=4),
        ),
        max_size=25,
    ),
    st.sampled_from([0, 30 * SECOND, 90 * SECOND]),
)
@example([(1_500, BACKEND, ["Kaboom in boto3"]), (MINUTE, WORKER, ["Kaboom in boto3"])], 0)
def test_jumping_through_time_tells_what_the_live_code_tells_minute_by_minute(steps, group_wait):
    # What comes back is asked for half an hour of quiet at most: then all is over two hours after the last line.
    intervals = Intervals(group_wait=group_wait, max_resolve_after=30 * MINUTE)
    config = CONFIG._replace(settings=replace(CONFIG.settings, intervals=intervals))
    now, deliveries = T0, []
    for pause, group, messages in steps:
        now += pause
        deliveries.append((now, group, [LoggedLine(now, message, group) for message in messages]))
    live = Live(config)
    live.run(deliveries, now + 2 * HOUR)
    outcome = told([line for *_, lines in deliveries for line in lines], config)
    digests = [each for each in live.notifications if each.reason == "digest"]
    assert essence(outcome.notifications) == essence(
        each for each in live.notifications if each.reason != "digest"
    )
    # The live code goes on for longer after the last line.
    assert essence(outcome.digests) == essence(digests)[: len(outcome.digests)]
    assert len(digests) - len(outcome.digests) in {0, 1}
    assert outcome.lines == sum(len(lines) for *_, lines in deliveries)


def test_a_storm_tells_opened_then_one_update_per_interval_then_resolved():
    outcome = told(storm(2_000, SECOND))
    reasons = [notification.reason for notification in outcome.notifications]
    assert reasons == ["opened", *["update"] * (len(reasons) - 2), "resolved"]
    assert len(reasons) == 1 + 2_000 // 300 + 1 + 1  # the last minutes come as one more update
    assert outcome.occurrences == {"kaboom": 2_000}
    assert outcome.incidents[0].count == 2_000
    assert sum(outcome.minutes["backend"].values()) == 2_000


def test_the_same_lines_give_the_same_answer_twice():
    lines = [*storm(40, 70 * SECOND), *storm(40, SECOND, "Kaboom in boto3", T0 + HOUR)]
    assert told(lines) == told(lines)


def test_weeks_of_silence_take_no_rounds(monkeypatch):
    rounds = []
    simulation = Simulation(CONFIG)
    monkeypatch.setattr("tocsin_cli.simulation.reconcile", lambda *at: rounds.append(at) or reconcile(*at))
    simulation.feed([LoggedLine(T0 + day * DAY, "Kaboom in mangum", BACKEND) for day in range(60)])
    outcome = simulation.finish()
    assert [n.reason for n in outcome.notifications] == [
        "opened",
        "resolved",
        *["regressed", "resolved"] * 59,
    ]
    assert len(rounds) <= 60 * 3  # of 86,400 minutes


def test_what_is_on_trial_or_below_its_threshold_is_counted_and_told_to_nobody():
    lines = [
        LoggedLine(T0 + n * HOUR, message, BACKEND)
        for n, message in enumerate(("Maybe broken", "Throttled call"))
    ]
    outcome = told(lines)
    assert (outcome.notifications, outcome.occurrences) == ((), {"test_mode": 1, "often": 1})
    assert [incident.sequence for incident in outcome.incidents] == [0, 0]


def test_what_comes_after_the_last_line_is_marked_as_such():
    outcome = told(storm(1, 1))
    assert [outcome.is_after_end(n) for n in outcome.notifications] == [False, True]


def test_an_older_line_after_a_newer_one_is_refused():
    simulation = Simulation(CONFIG)
    with pytest.raises(ValueError, match="sort them by time"):
        simulation.feed([LoggedLine(T0, "a", BACKEND), LoggedLine(T0 - 1, "b", BACKEND)])


def test_our_own_log_groups_are_passed_over_here_too():
    outcome = told([LoggedLine(T0, "Kaboom in mangum", "/tocsin/prod/detect")])
    assert (outcome.notifications, sum(outcome.ignored.values())) == ((), 1)


def test_memory_holds_no_occurrence_count_that_was_folded():
    simulation = Simulation(CONFIG)
    simulation.feed(storm(5_000, SECOND))
    assert len(simulation._ledger._occurrence_counts) <= 61


def test_a_delivery_at_the_same_moment_as_a_round_is_not_lost():
    start = T0 // MINUTE * MINUTE
    outcome = told(list(itertools.chain(*(storm(1, 1, start=start + n * MINUTE) for n in range(7)))))
    assert outcome.incidents[0].count == 7
    assert outcome.notifications[-1].incident.count == 7


class Jobs:
    """A queue in which messages begin to wait, and which says so only when it is asked."""

    def __init__(self):
        self.waiting = 0

    def depth(self, queue):
        return self.waiting if queue == "jobs" else None

    def read(self, name, account, region, now):
        del account, region
        return QueueReading(now, self.waiting, 4 * DAY) if name == "jobs" else None


def test_a_queue_that_fills_while_nothing_is_logged_is_found_as_soon_as_live():
    rule = signature(
        "idle",
        source=Source.ABSENCE,
        any=("Classified as",),
        services=("worker",),
        absence=AbsenceRule(within=HOUR, queues=("jobs",)),
    )
    jobs = Jobs()
    simulation = Simulation(CONFIG._replace(signatures={"idle": rule}), queues=jobs)
    simulation.let_pass(T0)
    simulation.let_pass(T0 + 5 * HOUR)
    assert not simulation.notifications
    jobs.waiting = 3
    simulation.let_pass(T0 + 7 * HOUR)
    at = [millis_of(notification.at) for notification in simulation.notifications]
    assert [notification.reason for notification in simulation.notifications] == ["opened"]
    assert 0 <= at[0] - (T0 + 6 * HOUR) <= 2 * MINUTE


def test_an_error_that_no_signature_explains_is_seen_among_lines_that_no_signature_suspects():
    lines = [
        *storm(3, SECOND, "INFO fine"),
        LoggedLine(T0 + 5 * SECOND, "ERROR: the flux is inverted", BACKEND),
    ]
    assert told(lines).occurrences[UNKNOWN_ERROR] == 1
