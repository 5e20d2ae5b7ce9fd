"""A line that must appear, watched: observations in any order, told once, taken back, and nothing spent on anybody else."""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.absence.test_absence import BACKEND, RULE, SIGN, START, WORKER
from tocsin.adapters.files.configuration import Configuration, load_configuration
from tocsin.core.absence.watch import (
    Observation,
    Sighting,
    Watch,
    is_missing,
    is_worth_a_write,
    merged,
    missing_at,
)
from tocsin.core.config.settings import Intervals, Service, Settings
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.store import StaleVersionError
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import TEST_MODE_GROUP
from tocsin.core.notifications.contract import document_of, millis_of
from tocsin.core.signatures.reader import parse_signatures
from tocsin.core.signatures.signature import Status
from tocsin.services.detection import Detector
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import Reconciler
from tocsin_cli.simulation import LoggedLine, Simulation

T0 = 1_766_300_400_000  # 2025-12-21T07:00:00Z, the day the stub was deployed
S, MIN, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
REPORT = "REPORT RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808\tDuration: 12.00 ms\tBilled Duration: 12 ms"
BOOM = "[ERROR] Kaboom"
RULES = (
    RULE.replace('queues       = ["worker-queue"]\n', "")
    + """
[kaboom]
title        = "Kaboom"
severity     = "high"
summary      = "s"
first_action = "f"
runbook      = "kaboom.md"
any          = ["Kaboom"]
matches      = ["Kaboom"]
ignores      = ["Boo"]
"""
)
NAME = "worker-does-nothing"


def signatures(old="", new=""):
    assert old in RULES
    read, problems = parse_signatures({"signatures/x.toml": RULES.replace(old, new, 1)})
    assert problems == []
    return read


SIGNATURES = signatures()
ALWAYS = signatures(RULES[RULES.index("work  ") : RULES.index("[kaboom]")])
QUEUED = signatures('within       = "1h"', 'within = "1h"\nqueues = ["jobs", "jobs.fifo"]')
RULE = SIGNATURES[NAME].absence
SETTINGS = Settings(services=(Service("backend", ("*backend*",)), Service("worker", ("*worker*",))))


# --- observations ---


def moment(at, received_at=None):
    return Sighting(at, at if received_at is None else received_at, WORKER, "s")


def noted(events, rule=RULE, watch=None):
    """A watch after single observations, each ``("sign" | "work", time)``."""
    watch = watch or Watch("worker", NAME)
    for kind, at in events:
        one = (moment(at),)
        watch = merged(
            watch, Observation("worker", NAME, **({"signs": one} if kind == "sign" else {"work": one})), rule
        )
    return watch


EVENTS = st.lists(
    st.tuples(st.sampled_from(["sign", "work"]), st.integers(0, 400).map(lambda n: n * MIN)), max_size=12
)


@given(EVENTS, st.randoms(use_true_random=False), st.lists(st.integers(0, 11), max_size=6))
@hypothesis_settings(max_examples=300, deadline=None)
def test_in_any_order_and_any_number_of_times_marks_say_the_same_and_never_too_early(events, order, again):
    shuffled = [*events, *(events[place % len(events)] for place in again if events)]
    order.shuffle(shuffled)
    watch = noted(shuffled)
    signs = [at for kind, at in events if kind == "sign"]
    last = max(signs, default=None)
    newer = [at for kind, at in events if kind == "work" and (last is None or at > last + RULE.slack)]
    assert (watch.sign.at if watch.sign else None) == last
    assert (watch.latest.at if watch.latest else None) == max(newer, default=None)
    assert (watch.work is None) == (not newer)
    if newer:
        assert min(newer) <= watch.work.at <= max(newer)
        assert not is_missing(watch, RULE, min(newer) + RULE.within - 1)
        assert is_missing(watch, RULE, max(newer) + RULE.within)


@given(EVENTS)
def test_signs_before_the_work_that_follows_them_give_the_exact_time(events):
    events = sorted(events, key=lambda event: (event[1], event[0] == "work"))
    signs = [at for kind, at in events if kind == "sign"]
    newer = [at for kind, at in events if kind == "work" and (not signs or at > signs[-1] + RULE.slack)]
    assert missing_at(noted(events), RULE) == (min(newer) + RULE.within if newer else None)


@given(EVENTS, EVENTS)
def test_one_envelope_is_as_good_as_one_mark_for_each_of_its_lines(first, second):
    observation = Observation(
        "worker", NAME,
        signs=tuple(moment(at) for kind, at in second if kind == "sign"),
        work=tuple(moment(at) for kind, at in second if kind == "work"),
    )  # fmt: skip
    before = noted(first)
    together = merged(before, observation, RULE)
    signs_first = noted(sorted(second, key=lambda event: event[0]), watch=before)
    assert (together.sign, together.work, together.latest) == (
        signs_first.sign,
        signs_first.work,
        signs_first.latest,
    )


def test_what_a_process_knows_is_not_worth_a_write_and_news_is():
    known = replace(noted([("sign", HOUR), ("work", HOUR + 10 * MIN)]), version=3)

    def worth(*events):
        return is_worth_a_write(known, noted(events, watch=known), RULE)

    assert not worth(("sign", HOUR))
    assert not worth(("sign", HOUR + RULE.slack))
    assert not worth(("work", HOUR + 10 * MIN))
    assert not worth(("work", HOUR + 10 * MIN + RULE.slack))
    assert not worth(("work", HOUR + RULE.slack))  # taken as one with the sign
    assert worth(("sign", HOUR + RULE.slack + 1))
    assert worth(("work", HOUR + 5 * MIN))
    assert worth(("work", HOUR + 10 * MIN + RULE.slack + 1))
    assert worth(("sign", HOUR + 20 * MIN))
    assert is_worth_a_write(replace(known, version=0), known, RULE)


# --- detect ---


class Calls(MemoryLedger):
    """A ledger that remembers what was asked of it."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        if not name.startswith("_") and name in vars(MemoryLedger) and name != "max_applied":
            self.__dict__["calls"].append(name)
        return super().__getattribute__(name)


class Depths:
    """Queues with so many messages; those that are not here cannot be asked."""

    def __init__(self, **depths):
        self.depths, self.asked = depths, []

    def depth(self, queue):
        self.asked.append(queue)
        return self.depths.get(queue)


class World:
    """A detector and a reconciler with everything they speak to recorded."""

    def __init__(self, rules=SIGNATURES, *, queues=None, ledger=None, intervals=None):
        self.ledger, self.published, self.made, self.rules = ledger or Calls(), [], [], rules
        policy = Policy(intervals or Intervals(), rules)
        self.reconciler = Reconciler(self.ledger, self, policy, "https://runbooks.example/", queues)
        self.detector = self.another_process()
        self.sent = 0

    def another_process(self):
        return Detector(
            Matcher(self.rules), self.rules, SETTINGS, reconciler=self._make, failure_queue=lambda: pytest.fail("dead_lettered"),
            own_log_groups="/tocsin/", region="us-east-1",
        )  # fmt: skip

    def _make(self):
        self.made.append("reconciler")
        return self.reconciler

    def publish(self, notification):
        self.published.append(document_of(notification))

    def log(self, now, *lines, group=WORKER, at=None, detector=None):
        self.sent += 1
        events = [
            {"id": f"{self.sent}-{i}", "timestamp": now if at is None else at, "message": line}
            for i, line in enumerate(lines)
        ]
        document = {
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": group, "logStream": "s",
            "subscriptionFilters": ["f"], "logEvents": events,
        }  # fmt: skip
        data = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
        done = (detector or self.detector).detect({"awslogs": {"data": data}}, now)
        assert done.failures == []
        return done

    def rounds(self, start, end):
        for now in range(start, end, MIN):
            assert reconcile(self.reconciler, now).failures == {}

    @property
    def told(self):
        return [(each["reason"], each["alerts"][0]["signature"]) for each in self.published]

    @property
    def watch(self):
        return self.ledger.watch("worker", NAME)


def test_other_log_groups_make_no_call_and_are_not_even_parsed(monkeypatch):
    world = World()
    monkeypatch.setattr("tocsin.services.detection.parse_envelope", lambda _: pytest.fail("parsed"))
    world.log(T0, SIGN, START, REPORT, group=BACKEND)
    world.log(T0, REPORT, "INFO all is well")
    assert (world.made, world.ledger.calls) == ([], [])


@pytest.mark.parametrize("status", [Status.OFF, None])
def test_a_rule_that_is_off_or_not_there_costs_nothing(status):
    rules = {
        k: replace(v, status=status) if status else v for k, v in SIGNATURES.items() if status or k != NAME
    }
    world = World(rules)
    world.log(T0, SIGN, START)
    assert (world.made, world.ledger.calls) == ([], [])


def test_a_busy_worker_costs_one_write_a_minute_and_process():
    world = World()
    for second in range(600):
        world.log(T0 + second * S, START, SIGN)
    assert world.ledger.calls.count("save_watch") == 10
    assert world.ledger.calls.count("watch") == 1
    assert set(world.ledger.calls) == {"watch", "save_watch"}


def test_one_batch_makes_one_write_for_one_rule_however_many_records_it_has():
    world = World()

    def record(line, at):
        events = [{"id": f"{at}", "timestamp": at, "message": line}]
        document = {
            "messageType": "DATA_MESSAGE",
            "owner": "1",
            "logGroup": WORKER,
            "logStream": "s",
            "logEvents": events,
        }
        data = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
        return {"kinesis": {"data": data}}

    world.detector.detect({"Records": [record(START, T0 + i * 5 * MIN) for i in range(8)]}, T0 + HOUR)
    assert world.ledger.calls == ["watch", "save_watch"]
    assert (world.watch.work.at, world.watch.latest.at) == (T0, T0 + 35 * MIN)


def test_a_known_failure_in_the_same_batch_is_counted_all_the_same():
    world = World()
    done = world.log(T0, START, BOOM, SIGN)
    assert done.occurrences == {"kaboom": 1}
    assert world.watch.sign.at == T0
    assert world.told == [("opened", "kaboom")]


def test_two_processes_at_once_lose_nothing_of_each_other():
    world = World()
    other = world.another_process()
    world.log(T0, START)
    world.log(T0 + 5 * MIN, SIGN, detector=other)
    world.log(T0 + 10 * MIN, START)
    world.log(T0 + 12 * MIN, START, detector=other)
    assert (world.watch.sign.at, world.watch.work.at) == (T0 + 5 * MIN, T0 + 10 * MIN)


def test_a_ledger_that_is_never_current_is_an_error_that_is_delivered_again():
    class Racing(MemoryLedger):
        def save_watch(self, watch, due):
            raise StaleVersionError

    world = World(ledger=Racing())
    with pytest.raises(AssertionError, match="StaleVersionError"):
        world.log(T0, START)


# --- told ---


def test_work_without_a_sign_is_told_within_the_minute_and_once_and_a_sign_ends_it():
    world = World()
    world.log(T0, START)
    world.rounds(T0 + MIN, T0 + HOUR)
    assert world.told == []
    world.rounds(T0 + HOUR, T0 + 3 * HOUR)
    assert world.told == [("opened", NAME)]
    (told,) = world.published
    assert T0 + HOUR <= millis_of(told["at"]) <= T0 + HOUR + MIN
    (alert,) = told["alerts"]
    assert alert["sample"] == (
        "No line like “INFO Classified as: cme_certificate (0.95)” was ever seen here, although there was work in "
        "/aws/lambda/worker at 2025-12-21T07:00:00.000Z, 1 h ago. It must appear within 1 h."
    )
    assert (alert["count"], alert["source"]["log_group"], alert["account"]) == (1, WORKER, "123456789012")
    assert alert["region"] == "us-east-1"
    world.log(T0 + 3 * HOUR, SIGN)
    assert world.told == [("opened", NAME), ("resolved", NAME)]
    world.rounds(T0 + 3 * HOUR + MIN, T0 + 9 * HOUR)
    assert len(world.told) == 2
    assert world.ledger.open_services(T0 + 9 * HOUR) == []


def test_the_words_say_when_the_line_was_last_seen():
    world = World()
    world.log(T0, SIGN)
    world.log(T0 + 9 * HOUR, START)
    world.rounds(T0 + 9 * HOUR, T0 + 10 * HOUR + 2 * MIN)
    assert world.published[0]["alerts"][0]["sample"] == (
        "No line like “INFO Classified as: cme_certificate (0.95)” for 10 h, although there was work in /aws/lambda/worker "
        "at 2025-12-21T16:00:00.000Z, 1 h ago. It was last seen at 2025-12-21T07:00:00.000Z. It must appear within 1 h."
    )


def test_it_does_not_end_by_quiet_and_reminds():
    world = World()
    world.log(T0, START)
    world.rounds(T0 + MIN, T0 + 12 * HOUR)
    assert world.told[0] == ("opened", NAME)
    assert {reason for reason, _ in world.told[1:]} == {"repeat"}


def test_an_idle_worker_and_a_healthy_one_are_silent():
    world = World()
    for hour in range(0, 48, 8):
        world.log(T0 + hour * HOUR, START)
        world.log(T0 + hour * HOUR + 40 * MIN, SIGN)
        world.rounds(T0 + hour * HOUR + 41 * MIN, T0 + (hour + 8) * HOUR)
    assert world.told == []


def test_missing_again_after_its_return_is_told_again():
    world = World()
    for start in (T0, T0 + 30 * HOUR):
        world.log(start, START)
        world.rounds(start + MIN, start + 2 * HOUR)
        world.log(start + 2 * HOUR, SIGN)
        world.rounds(start + 2 * HOUR + MIN, start + 3 * HOUR)
    assert next(reason for reason, _ in world.told if reason != "repeat") == "opened"
    assert [reason for reason, _ in world.told].count("resolved") == 2
    assert len(world.told) == 4


def test_without_work_the_line_must_always_appear_from_the_first_time_it_was_seen():
    world = World(ALWAYS)
    world.rounds(T0, T0 + 3 * HOUR)
    world.log(T0 + 3 * HOUR, START)
    assert (world.told, world.ledger.watch("worker", NAME)) == ([], None)
    world.log(T0 + 3 * HOUR, SIGN)
    world.rounds(T0 + 3 * HOUR, T0 + 4 * HOUR)
    assert world.told == []
    world.rounds(T0 + 4 * HOUR, T0 + 4 * HOUR + 2 * MIN)
    assert world.told == [("opened", NAME)]
    assert "for 1 h. It was last seen" in world.published[0]["alerts"][0]["sample"]


def test_a_delivery_that_was_held_up_is_no_absence():
    world = World()
    world.log(T0 + 10 * HOUR, START, at=T0)
    world.rounds(T0 + 10 * HOUR, T0 + 10 * HOUR + 59 * MIN)
    world.log(T0 + 10 * HOUR + 59 * MIN, SIGN, at=T0 + MIN)
    world.rounds(T0 + 11 * HOUR, T0 + 13 * HOUR)
    assert world.told == [("opened", NAME)] if world.watch.work else world.told == []


def test_everything_is_in_the_ledger_so_that_a_new_deployment_goes_on_where_the_old_one_was():
    world = World()
    world.log(T0, START)
    after = World(ledger=world.ledger)
    after.rounds(T0 + HOUR, T0 + HOUR + 2 * MIN)
    assert after.told == [("opened", NAME)]
    last = World(ledger=world.ledger)
    last.log(T0 + 2 * HOUR, SIGN)
    assert last.told == [("resolved", NAME)]


@pytest.mark.parametrize("change", ["gone", "off"])
def test_a_signature_that_is_not_there_any_more_lets_go_and_its_alert_ends(change):
    world = World()
    world.log(T0, START)
    world.rounds(T0 + HOUR, T0 + HOUR + 2 * MIN)
    rules = {"kaboom": SIGNATURES["kaboom"]}
    if change == "off":
        rules[NAME] = replace(SIGNATURES[NAME], status=Status.OFF)
    after = World(rules, ledger=world.ledger)
    after.rounds(T0 + HOUR + 2 * MIN, T0 + 2 * HOUR)
    assert [reason for reason, _ in after.told] == ["resolved"]
    assert world.watch == Watch("worker", NAME, version=world.watch.version)
    assert world.ledger.open_services(T0 + 2 * HOUR) == []
    again = World(ledger=world.ledger)
    again.rounds(T0 + 2 * HOUR, T0 + 5 * HOUR)
    assert again.told == []


def test_who_waits_for_no_line_asks_the_ledger_for_none():
    world = World({"kaboom": SIGNATURES["kaboom"]}, queues=Depths())
    world.log(T0, BOOM)
    world.rounds(T0 + MIN, T0 + HOUR)
    assert not {"watch", "save_watch"} & set(world.ledger.calls)


def test_on_trial_it_is_counted_and_nobody_is_told():
    world = World({NAME: replace(SIGNATURES[NAME], status=Status.TEST)})
    world.log(T0, START)
    world.rounds(T0 + MIN, T0 + 3 * HOUR)
    world.log(T0 + 3 * HOUR, SIGN)
    assert world.told == []
    assert world.ledger.load("worker").incident is None
    (alert,) = world.ledger.load(TEST_MODE_GROUP).incident.alerts.values()
    assert (alert.count, alert.origin.absence, alert.origin_service, alert.would_have_fired) == (
        1,
        True,
        "worker",
        1,
    )


def test_promoted_while_the_line_is_missing_people_are_told():
    world = World({NAME: replace(SIGNATURES[NAME], status=Status.TEST)})
    world.log(T0, START)
    world.rounds(T0 + MIN, T0 + 3 * HOUR)
    assert world.told == []
    promoted = World(SIGNATURES, ledger=world.ledger)
    promoted.rounds(T0 + 3 * HOUR, T0 + 3 * HOUR + 5 * MIN)
    assert promoted.told == [("opened", NAME)]


class CrashError(Exception):
    """The call failed, or the process died, before or after it took effect."""


class Crashing(MemoryLedger):
    """A ledger whose nth call from now fails."""

    left, after = 10**9, False

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        if name not in {
            "count",
            "load",
            "pending",
            "save",
            "open_services",
            "watch",
            "save_watch",
        }:
            return value

        def call(*args, **kwargs):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise CrashError
            answer = value(*args, **kwargs)
            if self.left == 0:
                raise CrashError
            return answer

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize("nth", range(1, 24))
def test_a_crash_at_any_call_is_repaired_by_the_next_round(nth, after):
    world = World(ledger=Crashing())
    world.ledger.after = after

    def rounds(start, end):
        for minute in range(start, end):
            with suppress(CrashError):
                reconcile(world.reconciler, T0 + minute * MIN)

    def told():
        """Only a crash between SNS and the table may repeat a notification, and then under the same id."""
        return [each["reason"] for each in {each["id"]: each for each in world.published}.values()]

    world.log(T0, START)
    world.ledger.left = nth
    rounds(60, 70)
    assert told() == ["opened"]
    world.ledger.left = nth
    for _ in range(2):  # Lambda invokes again with the same event where the first time failed
        world.another_process().detect(_event(SIGN, T0 + 70 * MIN), T0 + 70 * MIN)
    rounds(71, 75)
    world.ledger.left = 10**9
    assert told() == ["opened", "resolved"]
    assert world.ledger.load("worker").incident.count == 1
    assert world.watch.fired == 0


def _event(line, at):
    document = {
        "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": WORKER, "logStream": "s",
        "logEvents": [{"id": "1", "timestamp": at, "message": line}],
    }  # fmt: skip
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}}


# --- queues ---


def test_a_queue_that_fills_while_nothing_runs_is_told_though_no_line_was_ever_seen():
    queues = Depths(jobs=0, **{"jobs.fifo": 0})
    world = World(QUEUED, queues=queues)
    world.rounds(T0, T0 + 3 * HOUR)
    assert world.told == []
    queues.depths["jobs.fifo"] = 12
    world.rounds(T0 + 3 * HOUR, T0 + 4 * HOUR)
    assert world.told == []
    world.rounds(T0 + 4 * HOUR, T0 + 4 * HOUR + 2 * MIN)
    assert world.told == [("opened", NAME)]
    assert (
        "although queue jobs.fifo had messages at 2025-12-21T10:00:00.000Z"
        in world.published[0]["alerts"][0]["sample"]
    )
    world.log(T0 + 5 * HOUR, SIGN)
    assert world.told == [("opened", NAME), ("resolved", NAME)]


def test_a_queue_is_not_asked_while_signs_come_nor_once_work_is_known():
    queues = Depths(jobs=3)
    world = World(QUEUED, queues=queues)
    world.log(T0, SIGN)
    world.rounds(T0 + MIN, T0 + HOUR)
    assert queues.asked == []
    world.rounds(T0 + HOUR, T0 + HOUR + MIN)
    assert queues.asked == ["jobs"]
    world.rounds(T0 + HOUR + MIN, T0 + 3 * HOUR)
    assert queues.asked == ["jobs"]
    assert world.told == [("opened", NAME)]


def test_a_queue_that_cannot_be_asked_stops_nothing():
    world = World(QUEUED, queues=Depths())
    world.log(T0, BOOM)
    world.rounds(T0, T0 + HOUR)
    assert world.told == [("opened", "kaboom"), ("resolved", "kaboom")]


def test_a_service_whose_watch_cannot_be_begun_is_said_and_the_others_are_settled():
    class Broken(MemoryLedger):
        def watch(self, service, signature):
            raise CrashError

    world = World(QUEUED, queues=Depths(), ledger=Broken())
    world.log(T0, BOOM, group=BACKEND)
    assert list(reconcile(world.reconciler, T0 + MIN).failures) == ["worker"]


# --- the outage it is for, on the simulated clock ---


def fed(lines, rules=SIGNATURES):
    simulation = Simulation(Configuration(rules, SETTINGS))
    simulation.feed(sorted(lines, key=lambda line: line.timestamp))
    return simulation


def replayed(lines, rules=SIGNATURES):
    return fed(lines, rules).finish()


def runs(start, end, every, *, works):
    for at in range(start, end, every):
        yield LoggedLine(at, START, WORKER, "s")
        if works:
            yield LoggedLine(at + 9 * S, SIGN, WORKER, "s")
        yield LoggedLine(at + 10 * S, REPORT, WORKER, "s")


def incident_e(*, before):
    """45 days in which the stub returned success; documents come every three hours."""
    if before:
        yield from runs(T0 - 3 * DAY, T0, 3 * HOUR, works=True)
    yield from runs(T0, T0 + 45 * DAY, 3 * HOUR, works=False)
    yield from runs(T0 + 45 * DAY, T0 + 46 * DAY, 3 * HOUR, works=True)


@pytest.mark.parametrize("before", [True, False], ids=["it had worked before", "it had never worked"])
def test_forty_five_days_of_nothing_are_told_within_an_hour_and_a_minute(before):
    outcome = replayed(incident_e(before=before))
    (incident,) = outcome.incidents
    opened, *reminders, resolved = outcome.notifications
    assert (opened.reason, opened.alerts[0].signature) == ("opened", NAME)
    assert T0 + HOUR <= millis_of(opened.at) <= T0 + HOUR + MIN
    assert {each.reason for each in reminders} <= {"repeat"}
    assert resolved.reason == "resolved"
    back = T0 + 45 * DAY + 9 * S
    assert back <= millis_of(resolved.at) <= back + MIN
    assert incident.count == 1
    assert outcome.occurrences == {NAME: 1}
    assert ("ever seen" in opened.alerts[0].sample) is not before


def test_the_shipped_signature_is_off_and_switched_on_tells_the_same():
    root = Path(__file__).parents[3] / "functions"
    shipped = load_configuration(root, {})
    assert Simulation(shipped)._expected_lines.raw_expression == ""
    rule = shipped.signatures[NAME]
    on = shipped._replace(signatures={**shipped.signatures, NAME: replace(rule, status=Status.STABLE)})
    for config, told in ((shipped, []), (on, ["opened"])):
        simulation = Simulation(config)
        simulation.feed(runs(T0, T0 + 3 * HOUR, 30 * MIN, works=False))
        assert [each.reason for each in simulation.notifications] == told
    assert simulation.notifications[0].alerts[0].runbook_url.endswith("/worker-does-nothing.md#confirm")


def test_a_worker_that_works_is_silent_and_so_is_one_that_has_nothing_to_do():
    assert replayed(runs(T0, T0 + 10 * DAY, 20 * MIN, works=True)).notifications == ()
    assert replayed(runs(T0, T0 + HOUR, 10 * MIN, works=True)).notifications == ()
    other = [line._replace(log_group=BACKEND) for line in runs(T0, T0 + DAY, HOUR, works=False)]
    assert replayed(other).notifications == ()


def test_where_the_lines_end_is_no_absence():
    lines = [*runs(T0, T0 + HOUR, 10 * MIN, works=True)]
    assert replayed(lines, ALWAYS).notifications == ()
    assert replayed([*lines, LoggedLine(T0 + HOUR, START, WORKER, "s")]).notifications == ()


def test_the_simulated_clock_tells_the_same_as_every_minute_of_the_real_one():
    lines = [
        *runs(T0, T0 + 2 * HOUR, 10 * MIN, works=True),
        *runs(T0 + 5 * HOUR, T0 + 9 * HOUR, 17 * MIN, works=False),
    ]
    lines += runs(T0 + 9 * HOUR + 30 * S, T0 + 9 * HOUR + 31 * S, MIN, works=True)
    simulated = fed(lines)
    simulated.let_pass(T0 + 10 * HOUR)
    world, clock = World(), T0
    for line in sorted(lines, key=lambda line: line.timestamp):
        while clock + MIN <= line.timestamp:
            clock += MIN
            reconcile(world.reconciler, clock)
        world.log(line.timestamp, line.message)
    world.rounds(clock + MIN, T0 + 10 * HOUR)
    assert [(each.reason, each.at) for each in simulated.notifications] == [
        (each["reason"], each["at"]) for each in world.published
    ]
    assert [reason for reason, _ in world.told] == ["opened", "resolved"]
