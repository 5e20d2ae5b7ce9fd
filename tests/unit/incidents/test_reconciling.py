"""Nothing lost, counted once, told once: settling under failures, crashes, duplicates and races."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.store import AlreadyAppliedError, StaleVersionError
from tocsin.core.model import AlertState, OccurrenceCount, Origin, Severity
from tocsin.core.notifications.contract import document_of
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import OUTBOX_TAKEOVER_AFTER, Reconciler

T0 = 1_770_000_000_000
S, MIN, H = 1000, 60_000, 3_600_000
SIGNATURES = {
    "boom": Signature(
        id="boom", file="signatures/t.toml", title="Boom", severity=Severity.HIGH, status=Status.STABLE,
        source=Source.LOG, summary="s", first_action="f", runbook="boom.md",
    )
}  # fmt: skip
POLICY = Policy(Intervals(), SIGNATURES)


def occurrence_count(i, *, n=1, at=T0, service="backend", fingerprint="f0"):
    return OccurrenceCount(
        envelope=f"e{i}", fingerprint=fingerprint, signature="boom", service=service, fields={}, count=n,
        first_seen=at, last_seen=at, received_at=at, sample="a line",
    )  # fmt: skip


class Topic:
    """A publisher that keeps what it is given."""

    def __init__(self):
        self.published = []

    def publish(self, notification):
        self.published.append(document_of(notification))

    @property
    def ids(self):
        return [notification["id"] for notification in self.published]


class CrashError(Exception):
    """The call failed, or the process died, before or after it took effect."""


class Crashing:
    """Makes the nth call fail, before or after it took effect, counting calls over several wrapped objects."""

    def __init__(self, at, *, after):
        self.left, self.after, self.tripped = at, after, False

    def wrap(self, target, *names):
        crashing = self

        class Wrapped:
            def __getattr__(self, name):
                original = getattr(target, name)
                if name not in names:
                    return original

                def call(*args, **kwargs):
                    crashing.left -= 1
                    trips = crashing.left == 0
                    if trips and not crashing.after:
                        crashing.tripped = True
                        raise CrashError(name)
                    answer = original(*args, **kwargs)
                    if trips:
                        crashing.tripped = True
                        raise CrashError(name)
                    return answer

                return call

        return Wrapped()


def reconciler(ledger, topic):
    return Reconciler(ledger, topic, POLICY, "https://runbooks.example/")


def test_a_fresh_occurrence_count_opens_and_publishes_and_leaves_an_empty_outbox():
    ledger, topic = MemoryLedger(), Topic()
    ledger.count(occurrence_count(0))
    reconciled = reconciler(ledger, topic).reconcile("backend", T0, fresh=[occurrence_count(0)])
    assert [n["reason"] for n in topic.published] == ["opened"]
    assert reconciled.sent == ["opened"]
    assert ledger.load("backend").incident.outbox == ()
    assert ledger.pending("backend") == []


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize("nth", range(1, 12))
def test_a_crash_at_any_call_is_repaired_by_the_next_round(nth, after):
    ledger, topic = MemoryLedger(), Topic()
    crashing = Crashing(nth, after=after)
    flaky = reconciler(
        crashing.wrap(ledger, "count", "load", "pending", "save", "open_services"),
        crashing.wrap(topic, "publish"),
    )

    def deliver():
        """What detect does with one event; Lambda calls it again when it raises."""
        fresh = [
            t
            for t in (occurrence_count(0, n=3), occurrence_count(1, n=4, fingerprint="f1"))
            if flaky.ledger.count(t)
        ]
        flaky.reconcile("backend", T0, fresh=fresh)

    try:
        deliver()
    except CrashError:
        deliver()
    now = T0
    for minute in range(1, 20):
        now = T0 + minute * MIN
        with suppress(CrashError):
            reconcile(flaky, now)
    reconcile(reconciler(ledger, topic), now + MIN)
    incident = ledger.load("backend").incident
    assert incident.count == 7
    assert incident.resolved_at is not None
    assert all(alert.notified.count == alert.count for alert in incident.alerts.values())
    first_time = list(dict.fromkeys(topic.ids))
    assert first_time == [f"{incident.id}/{i}" for i in range(1, len(first_time) + 1)]
    # Only a crash between SNS and the table may repeat a notification, and then under the same id.
    assert len(topic.ids) - len(first_time) <= (1 if crashing.tripped else 0) * len(first_time)
    assert topic.published[-1]["reason"] == "resolved"


def test_every_crash_point_above_was_really_reached():
    reached = set()
    for nth in range(1, 12):
        ledger, topic = MemoryLedger(), Topic()
        crashing = Crashing(nth, after=False)
        flaky = reconciler(
            crashing.wrap(ledger, "count", "load", "pending", "save"), crashing.wrap(topic, "publish")
        )
        try:
            fresh = [
                t
                for t in (occurrence_count(0, n=3), occurrence_count(1, n=4, fingerprint="f1"))
                if flaky.ledger.count(t)
            ]
            flaky.reconcile("backend", T0, fresh=fresh)
        except CrashError as error:
            reached.add(error.args[0])
    assert reached == {"count", "load", "pending", "save", "publish"}


def test_the_same_occurrence_count_again_changes_no_count_and_says_nothing():
    ledger, topic = MemoryLedger(), Topic()
    box = reconciler(ledger, topic)
    for second in range(5):
        fresh = [t for t in [occurrence_count(0, n=3)] if ledger.count(t)]
        box.reconcile("backend", T0 + second * S, fresh=fresh)
    assert ledger.load("backend").incident.count == 3
    assert [n["reason"] for n in topic.published] == ["opened"]


def test_a_young_outbox_entry_is_left_to_its_writer_and_an_old_one_is_published():
    ledger, topic = MemoryLedger(), Topic()
    ledger.count(occurrence_count(0))
    with pytest.raises(CrashError):
        reconciler(ledger, Crashing(1, after=False).wrap(topic, "publish")).reconcile(
            "backend", T0, fresh=[occurrence_count(0)]
        )
    reconcile(reconciler(ledger, topic), T0 + OUTBOX_TAKEOVER_AFTER - 1)
    assert topic.ids == []
    reconcile(reconciler(ledger, topic), T0 + OUTBOX_TAKEOVER_AFTER)
    assert [n["reason"] for n in topic.published] == ["opened"]


def test_an_incident_whose_last_word_is_on_its_way_is_not_overwritten_by_a_new_one():
    ledger, topic = MemoryLedger(), Topic()
    box = reconciler(ledger, topic)
    ledger.count(occurrence_count(0))
    box.reconcile("backend", T0, fresh=[occurrence_count(0)])
    over = T0 + 15 * MIN
    with pytest.raises(CrashError):
        reconciler(ledger, Crashing(1, after=False).wrap(topic, "publish")).reconcile("backend", over)
    again = occurrence_count(1, at=over + S)
    ledger.count(again)
    box.reconcile("backend", over + S, fresh=[again])
    assert [n["reason"] for n in topic.published] == ["opened"]
    reconcile(box, over + OUTBOX_TAKEOVER_AFTER)
    assert [n["reason"] for n in topic.published] == ["opened", "resolved", "regressed"]


def test_one_service_that_fails_does_not_keep_the_others():
    class HalfBroken(MemoryLedger):
        def load(self, service):
            if service == "broken":
                raise CrashError(service)
            return super().load(service)

    ledger, topic = HalfBroken(), Topic()
    for service in ("broken", "fine"):
        ledger.count(occurrence_count(service, service=service))
    done = reconcile(reconciler(ledger, topic), T0)
    assert list(done.failures) == ["broken"]
    assert [n["service"] for n in topic.published] == ["fine"]


def test_a_round_says_how_many_incidents_are_open_if_it_had_anything_to_do():
    ledger, topic = MemoryLedger(), Topic()
    assert reconcile(reconciler(ledger, topic), T0).open is None
    for service in ("backend", "worker"):
        ledger.count(occurrence_count(service, service=service))
    assert reconcile(reconciler(ledger, topic), T0).open == 2


def test_a_count_that_fails_fails_nothing_else():
    class Uncountable(MemoryLedger):
        def open_incidents(self):
            raise CrashError("throttled")

    ledger, topic = Uncountable(), Topic()
    ledger.count(occurrence_count(0))
    done = reconcile(reconciler(ledger, topic), T0)
    assert (done.open, done.failures, len(topic.published)) == (None, {}, 1)


class LockedLedger(MemoryLedger):
    """A memory ledger whose operations are atomic, as DynamoDB's are."""

    max_applied = 99

    def __init__(self):
        super().__init__()
        self.lock = threading.RLock()

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        if name not in {"count", "load", "pending", "save", "open_services"}:
            return value
        lock = self.lock

        def locked(*args, **kwargs):
            with lock:
                return value(*args, **kwargs)

        return locked


def test_many_concurrent_settlings_of_one_service_count_once_and_tell_once():
    ledger, topic = LockedLedger(), Topic()
    errors, barrier = [], threading.Barrier(12)

    def deliver(worker):
        try:
            barrier.wait()
            for i in range(20):
                one = occurrence_count(f"{worker}-{i}", fingerprint=f"f{i % 3}")
                duplicate = occurrence_count(f"shared-{i}", n=5)
                fresh = [t for t in (one, duplicate) if ledger.count(t)]
                reconciler(ledger, topic).reconcile("backend", T0 + i, fresh=fresh)
        except Exception as error:  # collected and asserted on
            errors.append(error)

    threads = [threading.Thread(target=deliver, args=(worker,)) for worker in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    reconcile(reconciler(ledger, topic), T0 + MIN)
    assert ledger.pending("backend") == []
    assert ledger.load("backend").incident.count == 12 * 20 + 20 * 5
    assert len(set(topic.ids)) == len(topic.ids)
    assert [n["reason"] for n in topic.published].count("opened") == 1


def test_a_big_backlog_is_folded_in_as_many_saves_as_it_takes():
    ledger, topic = LockedLedger(), Topic()
    for i in range(1000):
        ledger.count(occurrence_count(i))
    reconciler(ledger, topic).reconcile("backend", T0)
    assert ledger.load("backend").incident.count == 1000
    assert ledger.pending("backend") == []
    assert len(topic.ids) == 1


def test_what_an_index_still_shows_though_it_is_folded_is_not_counted_twice():
    class Lagging(MemoryLedger):
        """An index that goes on showing what was applied."""

        def pending(self, service):
            return [t for t in self._occurrence_counts.values() if t.service == service]

    ledger, topic = Lagging(), Topic()
    box = reconciler(ledger, topic)
    for i in range(3):
        ledger.count(occurrence_count(i, at=T0 + i))
        box.reconcile("backend", T0 + i, fresh=[occurrence_count(i, at=T0 + i)])
    assert ledger.load("backend").incident.count == 3
    assert ledger._pending == {}


def test_what_an_index_does_not_show_yet_is_folded_from_the_caller():
    class Blind(MemoryLedger):
        def pending(self, service):
            return []

    ledger, topic = Blind(), Topic()
    ledger.count(occurrence_count(0))
    reconciler(ledger, topic).reconcile("backend", T0, fresh=[occurrence_count(0)])
    assert len(topic.ids) == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 40 * 60), st.integers(1, 30), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
@example(
    [(0, 0, 1, False)] * 5 + [(0, 900, 1, False), (1, 1837, 2, False), (3, 1752, 5, False), (5, 0, 2, False)]
)
@settings(max_examples=60, deadline=None)
def test_whatever_fails_and_repeats_every_occurrence_is_told_of_once(deliveries):
    """Deliveries with repeated envelopes; each may die at some call and be delivered again, or never again."""
    ledger, topic = MemoryLedger(), Topic()
    counted = {}
    for i, (envelope, second, nth, after) in enumerate(sorted(deliveries, key=lambda d: d[1])):
        now = T0 + second * S
        t = replace(
            occurrence_count(envelope, n=envelope + 1, fingerprint=f"f{envelope % 2}"), received_at=now
        )
        crashing = Crashing(nth, after=after)
        flaky = reconciler(
            crashing.wrap(ledger, "count", "load", "pending", "save"), crashing.wrap(topic, "publish")
        )
        try:
            fresh = [t] if flaky.ledger.count(t) else []
            counted.setdefault(envelope, envelope + 1)
            flaky.reconcile("backend", now, fresh=fresh)
        except CrashError:
            if ("f" + str(envelope % 2), f"e{envelope}") in ledger._occurrence_counts:
                counted.setdefault(envelope, envelope + 1)
        if i % 3 == 0:
            reconcile(reconciler(ledger, topic), now)
    # What comes and goes must be quiet for hours until it counts as over, and its counts are shown then at the latest.
    for minute in (*range(41, 90), *range(90, 24 * 60, 10)):
        reconcile(reconciler(ledger, topic), T0 + minute * MIN)
    incidents = [*ledger.closed, ledger.load("backend").incident]
    incidents = [incident for incident in incidents if incident]
    assert sum(incident.count for incident in incidents) == sum(counted.values())
    assert all(a.notified.count == a.count for incident in incidents for a in incident.alerts.values())
    for incident in incidents:
        sequences = [
            int(n["id"].split("/")[1]) for n in topic.published if n["incident"]["id"] == incident.id
        ]
        assert sorted(set(sequences)) == list(range(1, incident.sequence + 1))


def test_stale_and_folded_are_told_apart():
    ledger = MemoryLedger()
    ledger.count(occurrence_count(0))
    box = reconciler(ledger, Topic())
    box.reconcile("backend", T0, fresh=[occurrence_count(0)])
    stored = ledger.load("backend")
    with pytest.raises(StaleVersionError):
        ledger.save(stored.incident, stored.version - 1, due=None)
    with pytest.raises(AlreadyAppliedError):
        ledger.save(stored.incident, stored.version, applied=[occurrence_count(0)], due=None)


def test_a_backlog_of_one_long_fault_is_one_incident_not_one_per_batch():
    ledger, topic = LockedLedger(), Topic()
    for i in range(2400):
        ledger.count(occurrence_count(i, at=T0 + i * S))
    reconcile(reconciler(ledger, topic), T0 + 2400 * S)
    assert [n["reason"] for n in topic.published] == ["opened"]
    assert ledger.load("backend").incident.count == 2400


def test_what_is_new_does_not_wait_behind_a_backlog():
    ledger, topic = LockedLedger(), Topic()
    ledger.count(occurrence_count("known"))
    box = reconciler(ledger, topic)
    box.reconcile("backend", T0)
    for i in range(500):
        ledger.count(occurrence_count(i, at=T0 + i))
    new = occurrence_count("new", at=T0 + S, fingerprint="new")
    ledger.count(new)
    saves = []
    save = ledger.save
    ledger.save = lambda *args, **kwargs: saves.append(len(topic.ids)) or save(*args, **kwargs)
    box.reconcile("backend", T0 + S, fresh=[new])
    assert [n["reason"] for n in topic.published] == ["opened", "new_alert"]
    assert saves[1] == 2, "told after the first of many saves"


def test_what_another_writer_is_publishing_this_moment_is_left_to_it():
    ledger, topic = MemoryLedger(), Topic()
    ledger.count(occurrence_count(0))
    with pytest.raises(CrashError):  # stands for a writer that is between its save and its publish
        reconciler(ledger, Crashing(1, after=False).wrap(topic, "publish")).reconcile(
            "backend", T0, fresh=[occurrence_count(0)]
        )
    other = occurrence_count(1, at=T0 + 5, fingerprint="f1")
    ledger.count(other)
    reconciler(ledger, topic).reconcile("backend", T0 + 5, fresh=[other])
    assert [n["reason"] for n in topic.published] == ["new_alert"]


def test_an_ok_that_nobody_waits_for_leaves_the_ledger_at_last():
    ledger, topic = MemoryLedger(), Topic()
    ok = replace(occurrence_count(0, n=0), state=AlertState.RESOLVED, origin=Origin(alarm="a"))
    ledger.count(ok)
    for hour in range(8):
        reconcile(reconciler(ledger, topic), T0 + hour * 60 * MIN)
    assert ledger.open_services(T0 + 9 * 60 * MIN) == []
    assert topic.ids == []


def test_a_service_that_is_not_due_is_not_looked_at():
    ledger, topic = MemoryLedger(), Topic()
    ledger.count(occurrence_count(0))
    box = reconciler(ledger, topic)
    box.reconcile("backend", T0)
    assert reconcile(box, T0 + MIN - 1).services == 0  # after a minute: whether other services joined it
    assert reconcile(box, T0 + 5 * MIN).services == 1


def test_a_round_that_runs_out_of_time_leaves_the_rest_to_the_next_which_begins_with_it():
    ledger, topic = MemoryLedger(), Topic()
    for i in range(4):
        ledger.count(occurrence_count(i, at=T0 + i, service=f"s{3 - i}", fingerprint=f"f{i}"))
    allowed = iter([True, True, False])
    reconcile(reconciler(ledger, topic), T0 + S, may_go_on=lambda: next(allowed))
    assert [n["service"] for n in topic.published] == ["s3", "s2"]
    reconcile(reconciler(ledger, topic), T0 + MIN)
    assert [n["service"] for n in topic.published] == ["s3", "s2", "s1", "s0"]


def test_a_backlog_of_many_quiet_alerts_is_one_incident_and_all_of_it_is_told():
    ledger, topic = MemoryLedger(), Topic()
    for i in range(150):
        ledger.count(occurrence_count("one", fingerprint=f"f{i}"))
    reconcile(reconciler(ledger, topic), T0 + 16 * MIN)
    assert [n["reason"] for n in topic.published] == ["opened", "new_alert", "resolved"]
    assert topic.published[-1]["incident"]["count"] == 150
    assert len(set(topic.ids)) == 3


def test_an_incident_that_follows_another_of_the_same_envelope_has_an_id_of_its_own():
    ledger, topic = MemoryLedger(), Topic()
    box = reconciler(ledger, topic)
    for i in range(3):
        part = occurrence_count("one", fingerprint=f"f{i}")
        ledger.count(part)
        box.reconcile("backend", T0 + 16 * MIN, fresh=[part])
    assert [n["reason"] for n in topic.published] == ["opened", "resolved"] * 3
    assert len(set(topic.ids)) == 6
    assert len(ledger.closed) == 2


@pytest.mark.parametrize("between", [0, 1])
def test_what_comes_back_goes_on_in_its_own_incident_although_another_was_in_between(between):
    ledger, topic = MemoryLedger(), Topic()
    box = reconciler(ledger, topic)

    def log(i, at, fingerprint):
        ledger.count(occurrence_count(i, at=at, fingerprint=fingerprint, n=10))
        box.reconcile("backend", at, fresh=[])
        box.reconcile("backend", at + H)

    log(1, T0, "first")
    log(2, T0 + H, "second")
    if between:
        log(3, T0 + 2 * H, "third")
    log(4, T0 + 3 * H, "first")
    told = [(n["reason"], n["incident"]["id"], n["sequence"]) for n in topic.published]
    opened = [name for reason, name, _ in told if reason == "opened"]
    assert len(set(opened)) == 2 + between
    assert told[-2:] == [("regressed", opened[0], 3), ("resolved", opened[0], 4)]
    last = topic.published[-1]
    assert last["incident"]["count"] == 20
    kept = [incident.id for incident in ledger.closed]
    assert sorted(kept) == sorted(set(opened[1:]))
    log(5, T0 + 4 * H, "second")
    assert [(n["reason"], n["incident"]["id"]) for n in topic.published[-2:]] == [
        ("regressed", opened[1]), ("resolved", opened[1]),
    ]  # fmt: skip


def test_an_incident_that_is_open_makes_way_for_none():
    ledger, topic = MemoryLedger(), Topic()
    box = reconciler(ledger, topic)
    for i, (at, name) in enumerate([(T0, "first"), (T0 + 20 * MIN, "second"), (T0 + 21 * MIN, "first")]):
        box.reconcile("backend", at)
        ledger.count(occurrence_count(i, at=at, fingerprint=name))
        box.reconcile("backend", at)
    assert [n["reason"] for n in topic.published] == ["opened", "resolved", "opened", "regressed"]
    assert len({n["incident"]["id"] for n in topic.published}) == 2


def test_a_round_reads_the_silences_once_however_many_services_it_settles():
    class Asked(MemoryLedger):
        times = 0

        def silences(self):
            self.times += 1
            return super().silences()

    ledger, topic = Asked(), Topic()
    for service in ("backend", "worker", "scheduler"):
        ledger.count(occurrence_count(service, service=service))
    reconcile(reconciler(ledger, topic), T0)
    assert len(topic.published) == 3
    assert ledger.times == 1
    reconcile(reconciler(ledger, topic), T0 + 9 * H)  # the next round reads them again
    assert ledger.times == 2
