"""A batch told by several threads: the invariants hold in whatever order the threads get on; nothing sleeps."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from copy import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from msgspec.structs import replace as with_values
from sample_incidents import IMPORT_ERROR, MINUTE, RUNBOOKS, SIGNATURES, T0, incident, pending

from tocsin.adapters.aws.delivery_table import BusyError
from tocsin.adapters.slack.credentials import BotCredential, SlackSecret
from tocsin.adapters.slack.errors import PermanentDeliveryError, RetryableDeliveryError
from tocsin.adapters.slack.web_api import SlackBot
from tocsin.core.config.routing import Routing
from tocsin.core.model import Reason, Severity
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import WideIncident, to_json
from tocsin.core.slack.delivery_record import DeliveryRecord
from tocsin.services.bot_channel import BotChannel
from tocsin.services.delivery import LEADER_KEPT
from tocsin.services.notifier import AT_A_TIME, PACE, Notifier

WAIT = 20
"""Seconds after which a test that waits for a thread fails; none takes them."""


def about(name, sequence=1, severity=Severity.HIGH, lead=None):
    reason = Reason.OPENED if sequence == 1 else Reason.NEW_ALERT
    made = build_notification(
        replace(incident(IMPORT_ERROR), id=name),
        replace(pending(reason, IMPORT_ERROR), sequence=sequence),
        SIGNATURES,
        runbooks_url=RUNBOOKS,
    )
    wide = lead and WideIncident(
        lead=lead, signature=IMPORT_ERROR.signature, shared={}, services=("a", "b"), service_count=2
    )
    return with_values(made, severity=severity, wide=wide or None, at="2026-07-31T03:00:00.000Z")


def records(*notifications):
    return [
        {
            "messageId": f"{each.incident.id}/{each.sequence}",
            "receiptHandle": f"{each.incident.id}/{each.sequence}",
            "body": to_json(each),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(T0)},
        }
        for each in notifications
    ]


class Later(Executor):
    """Threads as they may get on at worst: what was handed in is begun in an order that the test chooses."""

    def __init__(self, choose):
        self._choose, self._waiting = choose, []

    def submit(self, work, *arguments):
        future = Choosing(self)
        self._waiting.append((future, work, arguments))
        return future

    def run_one(self):
        future, work, arguments = self._waiting.pop(self._choose(len(self._waiting)))
        try:
            future.set_result(work(*arguments))
        except Exception as error:
            future.set_exception(error)


class Choosing(Future):
    def __init__(self, pool):
        super().__init__()
        self._pool = pool


@pytest.fixture(autouse=True)
def waiting_runs_what_waits(monkeypatch):
    """Where work is waited for, a ``Later`` begins the next piece; real threads are waited for as ever."""
    from tocsin.services import concurrent_incidents

    wait = concurrent_incidents.wait

    def run_then_wait(futures, **how):
        pools = {future._pool for future in futures if isinstance(future, Choosing) and not future.done()}
        for pool in pools:
            pool.run_one()
        return wait(futures, **how)

    monkeypatch.setattr(concurrent_incidents, "wait", run_then_wait)


class Store:
    """The delivery records, with leases as the table keeps them, for threads too."""

    def __init__(self):
        self.kept, self.leases, self.peeked, self.lock = {}, {}, [], threading.Lock()

    def claim(self, name, sequence, claimant, now, lease):
        with self.lock:
            if name in self.leases:
                raise BusyError(now + lease)
            self.leases[name] = claimant
            before = self.kept.get(name, DeliveryRecord())
            self.kept[name] = replace(before, unconfirmed=before.unconfirmed | {sequence})
            return before

    def release(self, name, sequence, claimant, now, record, *, unconfirmed):
        with self.lock:
            assert self.leases.pop(name) == claimant
            marks = record.unconfirmed | {sequence} if unconfirmed else record.unconfirmed - {sequence}
            self.kept[name] = replace(record, unconfirmed=marks)

    def peek(self, name):
        self.peeked.append(name)
        return self.kept.get(name)


class Queue:
    def __init__(self):
        self.deferred, self.dead = {}, []

    def defer(self, receipt_handle, delay):
        self.deferred[receipt_handle] = delay

    def dead_letter(self, body, _):
        self.dead.append(json.loads(body)["incident"]["id"])
        return True


class Slack(SlackBot):
    """One Slack for all threads; ``failing`` are the incidents whose posts fail, and ``before`` is called with each."""

    def __init__(self, failing=None, before=lambda _: None):
        self.channel, self.failing, self.before = "C0ALERTS", failing or {}, before
        self.lock, self.posts, self.edits = threading.Lock(), [], []

    def post(self, said, *, incident, sequence, **about):
        self.before(incident)
        if incident in self.failing:
            raise self.failing[incident]
        with self.lock:
            self.posts.append((incident, sequence, about.get("thread_ts")))
            return f"{len(self.posts)}"

    def update(self, ts, said, *, incident, sequence):
        with self.lock:
            self.edits.append((incident, sequence))


class Secret:
    def credential(self, _, *, fresh=False):
        return BotCredential("xoxb-1", "C0ALERTS")


class World:
    def __init__(self, pool, slack=None, **more):
        self.slack, self.queue, self.store = slack or Slack(), Queue(), Store()
        self.connected = []

        def connect(_):
            self.connected.append(threading.get_ident())
            return BotChannel(self.slack)

        secret = Secret()
        given = {"clock": lambda: T0, "deadline": T0 + MINUTE} | more
        self.notifier = Notifier(
            routing=Routing(), secret_of=lambda _: secret, store_of=lambda _: self.store, queue=self.queue,
            connect=connect, claimant="request", pool=pool, **given,
        )  # fmt: skip

    def work(self, *notifications):
        return self.notifier.work(records(*notifications))


def last(waiting):
    return waiting - 1


BATCHES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 4)), max_size=12, unique=True)


@settings(deadline=None)
@given(BATCHES, st.data())
def test_in_whatever_order_threads_get_on_each_is_told_once_and_an_incident_in_its_order(batch, data):
    world = World(Later(lambda waiting: data.draw(st.integers(0, waiting - 1))))
    # One of a long time ago waits for nobody: what is left to keep the order is the batch's own.
    world.notifier.clock = lambda: T0 + 10 * MINUTE * MINUTE
    world.notifier.deadline = world.notifier.clock() + MINUTE
    assert world.work(*(about(name, sequence) for name, sequence in batch)) == []
    assert world.store.leases == {}
    for name in "abcd":
        sequences = sorted(sequence for each, sequence in batch if each == name)
        replies = [sequence for each, sequence, thread in world.slack.posts if each == name and thread]
        assert replies == [sequence for sequence in sequences if sequence > 1]
        messages = [sequence for each, sequence, thread in world.slack.posts if each == name and not thread]
        assert messages == sequences[:1]
        assert world.store.kept.get(name, DeliveryRecord()).unconfirmed == frozenset()


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["told", "refused", "for a while", "a fault"]), max_size=10),
    st.data(),
)
def test_the_messages_that_come_back_are_exactly_those_that_failed(fates, data):
    errors = {
        "refused": PermanentDeliveryError("no"),
        "for a while": RetryableDeliveryError("HTTP 500"),
        "a fault": RuntimeError("a fault of ours"),
    }
    names = {f"i{number}": fate for number, fate in enumerate(fates)}
    failing = {name: errors[fate] for name, fate in names.items() if fate in errors}
    world = World(Later(lambda waiting: data.draw(st.integers(0, waiting - 1))), Slack(failing))
    back = [f"{name}/1" for name, fate in names.items() if fate in {"for a while", "a fault"}]
    assert world.work(*map(about, names)) == back
    assert set(world.queue.deferred) == set(back)
    assert sorted(world.queue.dead) == sorted(name for name, fate in names.items() if fate == "refused")
    assert {name for name, *_ in world.slack.posts} == {n for n, fate in names.items() if fate == "told"}


def test_several_incidents_are_told_at_a_time_and_never_more_than_so_many():
    met, busy, most = threading.Barrier(AT_A_TIME), [], []

    def meet(incident):
        busy.append(incident)
        most.append(len(busy))
        met.wait(WAIT)  # passes only once as many are being told at the same time
        busy.remove(incident)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        world = World(pool, Slack(before=meet))
        assert world.work(*(about(f"i{number}") for number in range(2 * AT_A_TIME))) == []
    assert len(world.slack.posts) == 2 * AT_A_TIME
    assert max(most) <= AT_A_TIME


def test_one_that_hangs_keeps_no_other_waiting():
    others_told = threading.Event()

    def before(incident):
        if incident == "hanging":
            assert others_told.wait(WAIT)
        elif len(world.slack.posts) == 7:
            others_told.set()

    with ThreadPoolExecutor(2) as pool:
        world = World(pool, Slack(before=before))
        assert world.work(about("hanging"), *(about(f"i{number}") for number in range(8))) == []
    assert len(world.slack.posts) == 9


def test_each_thread_has_a_connection_of_its_own():
    met = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        world = World(pool, Slack(before=lambda _: met.wait(WAIT)))
        assert world.work(*(about(f"i{number}") for number in range(6))) == []
    assert len(world.connected) == len(set(world.connected)) == 3


def test_no_thread_of_the_pool_reads_a_message_for_msgspec_learns_its_types_in_one_thread_only(monkeypatch):
    from tocsin.services import notifier

    readers, read = set(), notifier.read_body
    monkeypatch.setattr(
        notifier, "read_body", lambda body: (readers.add(threading.get_ident()), read(body))[1]
    )
    with ThreadPoolExecutor(3) as pool:
        assert World(pool).work(*(about(f"i{number}") for number in range(6))) == []
    assert readers == {threading.get_ident()}


def test_the_most_severe_is_begun_first_and_of_two_as_severe_the_older():
    world = World(Later(lambda _: 0))
    batch = [
        about("low", severity=Severity.LOW),
        about("b"),
        about("a"),
        about("c", severity=Severity.CRITICAL),
    ]
    batch[2] = with_values(batch[2], at="2026-07-31T02:00:00.000Z")
    world.work(*batch)
    assert [name for name, *_ in world.slack.posts] == ["c", "a", "b", "low"]


def test_what_slack_sends_away_comes_back_at_its_pace_and_the_most_severe_first():
    limited = RetryableDeliveryError("429", retry_after=5_000, limited=True)
    severities = {"l": Severity.LOW, "m": Severity.MEDIUM, "h": Severity.HIGH, "c": Severity.CRITICAL}
    world = World(Later(lambda _: 0), Slack(dict.fromkeys(severities, limited)))
    back = world.work(*(about(name, severity=severity) for name, severity in severities.items()))
    assert back == ["l/1", "m/1", "h/1", "c/1"]
    assert world.queue.deferred == {
        "c/1": 5_000, "h/1": 5_000 + PACE, "m/1": 5_000 + 2 * PACE, "l/1": 5_000 + 3 * PACE,
    }  # fmt: skip


def test_several_that_slack_sends_away_at_the_same_time_do_not_all_come_back_at_the_same_time():
    limited, met = RetryableDeliveryError("429", retry_after=5_000, limited=True), threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        world = World(pool, Slack(dict.fromkeys("abc", limited), before=lambda _: met.wait(WAIT)))
        assert world.work(*map(about, "abc")) == ["a/1", "b/1", "c/1"]
    assert sorted(world.queue.deferred.values()) == [5_000, 5_000 + PACE, 5_000 + 2 * PACE]


@pytest.mark.parametrize("choose", [last, lambda _: 0])
def test_who_joined_a_wide_incident_is_told_in_the_thread_of_one_that_leads_from_the_same_batch(choose):
    world = World(Later(choose))
    batch = [about(f"i{number}", lead="lead") for number in range(4)]
    assert world.work(*batch, about("lead", severity=Severity.LOW)) == []
    assert world.slack.posts[0] == ("lead", 1, None)
    assert {thread for *_, thread in world.slack.posts[1:]} == {"1"}
    assert world.queue.deferred == {}


def test_one_that_leads_is_looked_up_once_for_all_of_a_batch_that_joined_it():
    world = World(Later(last))
    assert world.work(about("lead")) == []
    assert world.work(*(about(f"i{number}", lead="lead") for number in range(10))) == []
    assert {thread for *_, thread in world.slack.posts[1:]} == {"1"}
    assert world.store.peeked == ["lead"]


def test_batches_a_moment_apart_look_one_that_leads_up_once_and_a_later_one_looks_again():
    now = [T0]
    world = World(None, clock=lambda: now[0], deadline=T0 + 10 * MINUTE, leads={})
    assert world.work(about("lead")) == []
    for number, age in enumerate((0, LEADER_KEPT - 1, LEADER_KEPT, LEADER_KEPT - 1)):
        now[0] = T0 + age
        world.notifier = copy(world.notifier)  # another invocation
        assert world.work(about(f"i{number}", lead="lead")) == []
    assert {thread for *_, thread in world.slack.posts[1:]} == {"1"}
    assert world.store.peeked == ["lead", "lead", "lead"]  # a clock that went back does not make it last


def test_one_that_leads_and_is_not_told_yet_is_looked_up_again_by_the_next_that_needs_it():
    world = World(None)
    assert world.work(about("a", lead="lead")) == ["a/1"]
    assert world.work(about("lead")) == []
    assert world.work(about("a", lead="lead")) == []
    assert world.slack.posts == [("lead", 1, None), ("a", 1, "1")]


def test_a_lead_that_fails_sends_only_those_back_that_wait_for_it():
    world = World(Later(last), Slack({"lead": RetryableDeliveryError("HTTP 500")}))
    back = world.work(about("lead"), about("joined", lead="lead"), about("other"))
    assert back == ["lead/1", "joined/1"]
    assert [name for name, *_ in world.slack.posts] == ["other"]


def test_two_that_name_each_other_as_lead_are_told_or_come_back_and_nothing_hangs():
    world = World(Later(last), clock=lambda: T0 + 10 * MINUTE * MINUTE, deadline=T0 + 11 * MINUTE * MINUTE)
    assert world.work(about("a", lead="b"), about("b", lead="a")) == []
    assert sorted(name for name, *_ in world.slack.posts) == ["a", "b"]


class NoThreads(Executor):
    """A process that may start no thread any more after so many."""

    def __init__(self, threads):
        self._pool, self._left = ThreadPoolExecutor(1), threads

    def submit(self, work, *arguments):
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("can't start new thread")
        return self._pool.submit(work, *arguments)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_without_threads_everything_is_told_all_the_same(threads):
    world = World(NoThreads(threads))
    batch = [about(f"i{number}", lead="lead") for number in range(4)]
    assert world.work(*batch, about("lead"), about("other")) == []
    assert len(world.slack.posts) == 6


def test_a_fault_of_ours_in_one_lane_is_said_and_leaves_the_others_alone(monkeypatch):
    settle = Notifier._settle

    def faulty(self, message, failures):
        if message.id == "a/1":
            raise ZeroDivisionError("xoxb-secret")
        return settle(self, message, failures)

    monkeypatch.setattr(Notifier, "_settle", faulty)
    world = World(Later(last))
    assert world.work(about("a"), about("b"), about("a", 2)) == ["a/1"]
    said = [line.level for line in world.notifier.log if line.details.get("message_id") == "a/1"]
    assert said[-1] == "ERROR"
    assert "xoxb" not in repr(world.notifier.log)


def test_with_little_time_left_one_is_begun_and_not_one_for_each_thread():
    met = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        world = World(pool, deadline=T0 + 5_000)
        submit = pool.submit
        pool.submit = lambda work, *rest: submit(lambda: (met.wait(WAIT), work(*rest))[1])
        back = world.work(about("a"), about("b"))
    assert len(back) == len(world.slack.posts) == 1
    assert world.queue.deferred == {back[0]: 1_000}


def test_a_secret_that_several_threads_need_at_once_is_read_once():
    met, asked = threading.Barrier(4), []

    class Client:
        def get_secret_value(self, **_):
            asked.append(1)
            return {"SecretString": '{"bot_token": "xoxb-1", "channel": "C0ALERTS"}'}

    secret = SlackSecret("name", Client(), "https://slack.com/api/")

    def read():
        met.wait(WAIT)
        return secret.credential(T0)

    with ThreadPoolExecutor(4) as pool:
        assert len({each.result() for each in [pool.submit(read) for _ in range(4)]}) == 1
    assert len(asked) == 1
