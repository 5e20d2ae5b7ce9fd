"""Unknown errors from the envelope to the notification: novelty never lost, known errors told to nobody."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_detecting import BOOM, MIN, SIGNATURES, T0, World, logs
from test_detecting import SETTINGS as LEARNING

from tocsin.core.config.error_settings import ErrorSettings
from tocsin.core.errors.error_history import ErrorState
from tocsin.core.errors.error_store import MemoryErrorStore
from tocsin.core.incidents.policy import Policy
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import with_unknown_error
from tocsin.core.model import TEST_MODE_GROUP
from tocsin.core.notifications.email import email_text
from tocsin.core.notifications.parsing import parse_notification
from tocsin.services.detection import Detector
from tocsin.services.known_errors import KnownErrorRefusedError, take_as_known
from tocsin.services.reconcile_service import Reconciler
from tocsin.services.unknown_errors import MAX_NEW, TOO_MANY

PAY = "ERROR payment provider answered 500"
HOUR, DAY = 60 * MIN, 24 * 60 * MIN
SETTINGS = replace(LEARNING, errors=ErrorSettings(learning=0))


class Store(MemoryErrorStore):
    """A store that remembers its writes, and fails when told to."""

    def __init__(self):
        super().__init__()
        self.writes, self.reads, self.broken = [], 0, set()

    def get(self, service, error):
        self.reads += 1
        if "get" in self.broken:
            raise OSError("no table")
        return super().get(service, error)

    def put(self, record):
        if "put" in self.broken:
            raise OSError("no table")
        self.writes.append(record)
        return super().put(record)


class Errors(World):
    """A world that knows unknown errors, with any number of processes."""

    def __init__(self, settings=SETTINGS):
        self.store, self.settings = Store(), settings
        super().__init__()
        policy = Policy(settings.intervals, with_unknown_error(SIGNATURES))
        self.reconciler = Reconciler(self.ledger, self, policy, "https://runbooks.example/")

    def another_process(self):
        return Detector(
            Matcher(SIGNATURES), SIGNATURES, self.settings, reconciler=self._make_settler, failure_queue=lambda: self,
            own_log_groups="/tocsin/", region="us-east-1", error_store=lambda: self.store,
        )  # fmt: skip

    @property
    def reasons(self):
        return [notification["reason"] for notification in self.published]


@pytest.fixture
def world():
    return Errors()


def test_a_new_error_is_told_at_once_with_its_template(world):
    done = world.detect(logs(["fine", PAY, PAY]))
    assert done.summary()["occurrences"] == {"unknown-error": 2}
    alert = world.published[0]["alerts"][0]
    assert alert["signature"] == "unknown-error"
    assert alert["fields"] == {"template": "ERROR payment provider answered <*>", "news": "new"}
    assert "an error that is new here" in alert["summary"]
    assert world.published[0]["service"] == "backend"


def test_a_batch_that_holds_the_word_and_no_error_makes_no_call(world):
    world.detect(logs(["INFO no error", "the error page was shown"]))
    assert (world.made, world.store.reads, world.store.writes) == ([], 0, [])


def test_a_known_error_is_counted_and_told_to_nobody(world):
    world.detect(logs([PAY]))
    world.reconciler.reconcile("backend", T0 + HOUR)
    told = len(world.published)
    world.detect(logs([PAY] * 3, first_id=10), T0 + 2 * HOUR)
    assert len(world.published) == told
    assert world.store.of_service("backend")[0].count == 4
    assert world.store.of_service("backend")[0].state is ErrorState.KNOWN


def written(world, gaps):
    """How often a process writes in each minute, whatever it writes: of what is seen after each of these gaps."""
    writes, now = Counter(), T0
    for number, gap in enumerate(gaps):
        now += gap
        world.ledger.calls.clear()
        world.store.writes.clear()
        world.detect(logs([PAY] * 2, first_id=number * 10), now)
        writes[now // MIN] += world.ledger.calls.count("count") + len(world.store.writes)
    return writes


@settings(deadline=None)
@given(st.lists(st.integers(0, 3 * MIN), min_size=1, max_size=40), st.sampled_from([0, DAY]))
def test_one_process_writes_of_each_error_no_more_often_than_minutes_pass(gaps, learning):
    writes = written(Errors(replace(SETTINGS, errors=ErrorSettings(learning=learning))), gaps)
    spare = 1  # the minute before the first sighting
    for minute in range(min(writes), max(writes) + 1):
        spare = min(spare + 1, 2) - writes[minute]
        assert spare >= 0


@pytest.mark.parametrize("learning", [0, DAY])
def test_what_goes_on_without_a_pause_is_written_once_a_minute_as_news_and_known_and_for_the_digest(learning):
    world = Errors(replace(SETTINGS, errors=ErrorSettings(learning=learning)))
    writes = written(world, [MIN // 2] * (2 * 60 * 27))
    first = min(writes)
    assert writes[first] == 2  # the occurrence of its alert, and that it is known from now on
    assert {count for minute, count in writes.items() if minute > first} == {1}
    (error,) = world.store.of_service("backend")
    assert error.state is ErrorState.KNOWN
    assert 0 <= 2 * 2 * 60 * 27 - error.count <= 8


def test_what_comes_once_in_a_while_reaches_its_alert_and_the_store_each_time():
    writes = written(Errors(), [2 * MIN] * 5)
    assert set(writes.values()) == {2}


def test_an_alert_that_goes_on_is_given_every_occurrence():
    world = Errors()
    for minute in range(12):
        world.detect(logs([PAY] * 10, first_id=minute * 100), T0 + minute * MIN)
    world.reconciler.reconcile("backend", T0 + 12 * MIN)
    assert world.incident.count in {110, 120}  # that of the last minute may be given with the next
    assert world.reasons[0] == "opened"


def test_what_one_process_counted_and_did_not_store_is_no_news_to_another(world):
    for minute in range(4):
        world.detector = world.another_process()
        world.detect(logs([PAY], first_id=minute * 10), T0 + minute * MIN)
    assert world.reasons == ["opened"]
    world.reconciler.reconcile("backend", T0 + 5 * MIN)
    assert world.incident.count == 4


def test_the_same_envelope_again_posts_nothing_and_counts_no_occurrence(world):
    world.detect(logs([PAY]))
    world.detector = world.another_process()
    world.detect(logs([PAY]), T0 + 2 * MIN)
    assert world.reasons == ["opened"]
    assert world.incident.count == 1


def test_two_processes_that_see_it_first_tell_once(world):
    other = world.another_process()
    world.detect(logs([PAY]))
    other.detect(logs([PAY], first_id=10), T0 + 1)
    assert world.reasons == ["opened"]
    assert len(world.store.of_service("backend")) == 1


def test_a_crash_between_count_and_store_loses_nothing(world):
    world.store.broken = {"put"}
    done = world.detect(logs([PAY]))
    assert done.failures
    assert done.unfinished
    world.store.broken = set()
    world.detector = world.another_process()
    again = world.detect(logs([PAY]), T0 + MIN)
    assert again.failures == []
    assert world.incident.count == 1
    assert world.reasons == ["opened"]
    assert len(world.store.of_service("backend")) == 1


def test_a_crash_before_the_count_leaves_the_error_new(world):
    count, world.ledger.count = world.ledger.count, None
    assert world.detect(logs([PAY])).failures
    assert world.store.writes == []
    world.ledger.count = count
    world.detector = world.another_process()
    world.detect(logs([PAY]), T0 + MIN)
    assert world.reasons == ["opened"]


def test_a_store_that_cannot_be_read_keeps_nothing_else_of_the_other_services(world):
    world.store.broken = {"get"}
    done = world.detect(logs([PAY, BOOM]))
    assert done.failures
    assert done.unfinished
    world.store.broken = set()
    world.detect(logs([PAY, BOOM]), T0 + MIN)
    assert {alert.signature for alert in world.incident.alerts.values()} == {
        "kaboom",
        "unknown-error",
    }


def test_a_service_whose_every_line_is_another_error_is_told_as_that(world):
    words = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
    for number, word in enumerate(words):
        world.detect(logs([f"ERROR cannot {word} it"], first_id=number * 10), T0 + number * 1000)
    templates = [record.template for record in world.store.of_service("backend")]
    assert TOO_MANY in templates
    assert len(templates) == MAX_NEW + 1


def test_one_envelope_with_very_many_errors_makes_few_writes(world):
    words = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
    world.detect(logs([f"ERROR cannot {word} it" for word in words]))
    assert len(world.store.writes) <= MAX_NEW + 1
    assert sum(record.count for record in world.store.of_service("backend")) == len(words)


def test_while_it_is_learned_an_error_is_known_and_a_new_one_later_is_told():
    world = Errors(replace(SETTINGS, errors=ErrorSettings(learning=DAY)))
    world.detect(logs([PAY]))
    assert world.published == []
    world.detect(logs([PAY, "ERROR no stock"], first_id=10), T0 + DAY + MIN)
    assert [alert["fields"]["template"] for alert in world.published[0]["alerts"]] == ["ERROR no stock"]


def test_where_it_is_off_nothing_is_counted():
    off = ErrorSettings(learning=0, log_groups=(("*backend*", "off"),))
    world = Errors(replace(SETTINGS, errors=off))
    world.detect(logs([PAY]))
    assert (world.published, world.store.writes) == ([], [])


def test_no_secret_is_stored_or_told(world):
    world.detect(logs(["ERROR login failed password=hunter2secret"]))
    assert "hunter2secret" not in repr(world.store.writes)
    assert "hunter2secret" not in repr(world.published)


def digested(world, at):
    """What the digest that is due at a time says."""
    world.reconciler.reconcile(TEST_MODE_GROUP, at)
    return next(told for told in world.published if told["reason"] == "digest")


def test_the_digest_lists_each_learned_and_each_known_error_with_its_count():
    world = Errors(replace(SETTINGS, errors=ErrorSettings(learning=DAY)))
    world.detect(logs([PAY] * 3))
    world.detect(logs(["ERROR no stock"], first_id=20), T0 + MIN)
    world.detect(logs([PAY] * 4, first_id=30), T0 + HOUR)
    told = digested(world, T0 + 2 * DAY)
    assert told["title"] == "2 unknown errors"
    assert [(alert["fields"]["template"], alert["count"], alert["service"]) for alert in told["alerts"]] == [
        ("ERROR payment provider answered <*>", 7, "backend"),
        ("ERROR no stock", 1, "backend"),
    ]
    text = email_text(parse_notification(json.dumps(told)))
    assert "New, seen while Tocsin was learning; known from now on." in text
    assert "ERROR no stock (unknown-error) in backend: once" in text


def test_what_is_learned_is_told_in_one_digest_whenever_the_day_began():
    world = Errors(replace(SETTINGS, errors=ErrorSettings(learning=DAY)))
    words = [f"{a}{b}" for a in "abcd" for b in "klmnop"]
    for hour, word in enumerate(words):  # one an hour, for the whole day, over the digest at eight
        world.detect(logs([f"ERROR cannot {word} it"], first_id=hour * 10), T0 + hour * HOUR)
        world.reconciler.reconcile(TEST_MODE_GROUP, T0 + hour * HOUR + 30 * MIN)
    assert world.published == []
    told = digested(world, T0 + 2 * DAY)
    assert told["title"] == f"{len(words)} unknown errors"
    assert world.reasons == ["digest"]


def test_once_it_is_learned_the_digest_comes_each_morning():
    world = Errors(replace(SETTINGS, errors=ErrorSettings(learning=DAY)))
    world.detect(logs([PAY]))
    for hour in range(1, 24 * 4):
        world.detect(logs([PAY], first_id=hour * 10), T0 + hour * HOUR)
        world.reconciler.reconcile(TEST_MODE_GROUP, T0 + hour * HOUR + 30 * MIN)
    assert world.reasons == ["digest"] * 3


def test_a_known_error_is_in_the_digest_as_known_and_steady(world):
    world.detect(logs([PAY]))
    world.detect(logs([PAY] * 3, first_id=10), T0 + 2 * HOUR)
    assert "Known and steady." in email_text(parse_notification(json.dumps(digested(world, T0 + 2 * DAY))))


def test_where_there_is_no_digest_nothing_is_counted_for_it():
    quiet = replace(SETTINGS, intervals=replace(SETTINGS.intervals, digest_interval=0))
    world = Errors(replace(quiet, errors=ErrorSettings(learning=DAY)))
    world.detect(logs([PAY]))
    assert world.ledger.load(TEST_MODE_GROUP).incident is None
    assert not list(world.ledger.pending(TEST_MODE_GROUP))


def test_the_same_envelope_again_in_the_same_minute_adds_nothing(world):
    world.detect(logs([PAY]))
    world.detect(logs([PAY]), T0 + 1)
    world.detect(logs([PAY], first_id=10), T0 + MIN)
    world.detect(logs([PAY], first_id=20), T0 + 2 * MIN)
    assert world.store.of_service("backend")[0].count == 3
    world.reconciler.reconcile("backend", T0 + 3 * MIN)
    assert world.incident.count == 2  # and the third with the next


def test_an_error_of_a_service_that_is_strict_shows_only_what_is_known_to_be_harmless(world):
    world.detect(logs(["ERROR cannot admit Zbigniew Brzeczyszczykiewicz"], group="/aws/lambda/clinic"))
    assert "Brzeczyszczykiewicz" not in repr(world.store.writes)
    assert "Brzeczyszczykiewicz" not in repr(world.published)


def test_somebody_takes_an_error_as_known_with_author_and_end(world):
    world.detect(logs([PAY]))
    (error,) = world.store.of_service("backend")
    known = take_as_known(
        world.store, "backend", error.id, span=DAY, author="Ada", reason="it is theirs", now=T0
    )
    assert (known.state, known.known_by, known.known_until) == (ErrorState.KNOWN, "Ada", T0 + DAY)
    world.detector = world.another_process()
    world.detect(logs([PAY] * 500, first_id=10), T0 + HOUR)
    assert world.reasons == ["opened"]


@pytest.mark.parametrize(("error", "span"), [("nonsense", DAY), (None, 0), (None, 366 * DAY)])
def test_what_makes_no_sense_is_not_taken_as_known(world, error, span):
    world.detect(logs([PAY]))
    (record,) = world.store.of_service("backend")
    with pytest.raises(KnownErrorRefusedError):
        take_as_known(world.store, "backend", error or record.id, span=span, author="a", reason="r", now=T0)
    assert world.store.of_service("backend") == [record]


def many(prefix):
    return [f"ERROR cannot {prefix}{a}{b} it" for a in "abcdefghij" for b in "klmnopqrst"]


def test_a_service_that_was_told_of_as_too_many_is_told_so_once_and_not_every_hour(world):
    for hour in range(6):
        world.detector = world.another_process()
        for number, line in enumerate(many("xyzuvw"[hour])):
            at = T0 + hour * HOUR + number * 1000
            world.detect(logs([line], first_id=hour * 100_000 + number * 10), at)
    templates = {record.template for record in world.store.of_service("backend")}
    assert len(templates) == MAX_NEW + 1
    assert sum(TOO_MANY in json.dumps(told["alerts"][0]) for told in world.published) <= 1


def test_a_service_with_many_errors_learns_them_apart():
    world = Errors(replace(SETTINGS, errors=ErrorSettings(learning=DAY)))
    for number, line in enumerate(many("x")):
        world.detect(logs([line], first_id=number * 10), T0 + number * 1000)
    assert TOO_MANY not in {record.template for record in world.store.of_service("backend")}


def test_what_another_process_saw_since_is_no_news_to_one_that_remembers_older_times(world):
    """It was seen every day, by others: for this process it would be back after days."""
    world.detect(logs([PAY]))
    mine = world.detector
    for day in range(1, 5):
        world.detector = world.another_process()
        world.detect(logs([PAY], first_id=day * 10), T0 + day * DAY)
    told = len(world.published)
    world.detector = mine
    world.detect(logs([PAY], first_id=100), T0 + 4 * DAY + HOUR)
    assert len(world.published) == told
    assert world.store.of_service("backend")[0].state is ErrorState.KNOWN
