"""The table keeps the ledger's promises: the same tests run against memory and against DynamoDB."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rich.console import Console

from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.lifecycle import advance
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.store import AlreadyAppliedError, SilenceConflictError, StaleVersionError
from tocsin.core.incidents.wide import MAX_SERVICES, Joined
from tocsin.core.model import TEST_MODE_GROUP, OccurrenceCount, Severity
from tocsin.core.notifications.contract import document_of
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import Reconciler
from tocsin_cli.stack.incident_history import IncidentHistory
from tocsin_cli.stack.incident_json import incident_details
from tocsin_cli.stack.incident_tables import show_incident

T0 = 1_770_000_000_000
MIN = 60_000
POLICY = Policy(
    Intervals(),
    {
        "boom": Signature(
            id="boom", file="signatures/t.toml", title="Boom", severity=Severity.HIGH, status=Status.STABLE,
            source=Source.LOG, summary="s", first_action="f", runbook="boom.md",
        )
    },
)  # fmt: skip


def occurrence_count(i, *, n=1, at=T0, service="backend", fingerprint="f0"):
    return OccurrenceCount(
        envelope=f"e{i}", fingerprint=fingerprint, signature="boom", service=service, fields={"module": "ä<&>"},
        count=n, first_seen=at, last_seen=at, received_at=at, sample="a line\nwith ünïcode",
    )  # fmt: skip


def applied(ledger, occurrence_counts, now=T0, service="backend"):
    stored = ledger.load(service)
    moved = advance(stored.incident, occurrence_counts, now, service=service, policy=POLICY)
    return moved.incident, stored.version


def test_a_occurrence_count_is_counted_once(ledger):
    assert ledger.count(occurrence_count(0)) is True
    assert ledger.count(occurrence_count(0)) is False
    assert ledger.count(occurrence_count(0, fingerprint="f1")) is True
    assert ledger.count(occurrence_count(1)) is True


def test_pending_tallies_come_back_as_they_were_and_only_for_their_service(ledger):
    for t in (occurrence_count(0), occurrence_count(1), occurrence_count(2, service="worker")):
        ledger.count(t)
    assert sorted(ledger.pending("backend"), key=lambda t: t.envelope) == [
        occurrence_count(0),
        occurrence_count(1),
    ]
    assert ledger.open_services(T0 + 90 * MIN) == ["backend", "worker"]


def test_an_unknown_service_has_no_incident(ledger):
    assert ledger.load("nobody").incident is None


def test_a_save_replaces_the_incident_and_folds_its_tallies_together(ledger):
    ledger.count(occurrence_count(0))
    incident, version = applied(ledger, [occurrence_count(0)])
    assert ledger.save(incident, version, applied=[occurrence_count(0)], due=T0) == version + 1
    assert ledger.load("backend").incident == incident
    assert ledger.pending("backend") == []
    assert ledger.open_services(T0 + 90 * MIN) == ["backend"]


def test_open_incidents_are_counted_without_their_occurrence_counts(ledger):
    assert ledger.open_incidents() == 0
    ledger.count(occurrence_count(0))
    ledger.count(occurrence_count(1, service="worker"))
    assert ledger.open_incidents() == 0
    incident, version = applied(ledger, [occurrence_count(0)])
    version = ledger.save(incident, version, applied=[occurrence_count(0)], due=T0)
    assert ledger.open_incidents() == 1
    ledger.save(incident, version, due=None)
    assert ledger.open_incidents() == 0


def test_an_incident_that_wants_no_further_look_leaves_the_index(ledger):
    ledger.count(occurrence_count(0))
    incident, version = applied(ledger, [occurrence_count(0)])
    version = ledger.save(incident, version, applied=[occurrence_count(0)], due=T0)
    ledger.save(incident, version, due=None)
    assert ledger.open_services(T0 + 90 * MIN) == []
    assert ledger.load("backend").incident == incident


@pytest.mark.parametrize(
    "occurrence_counts", [[], [occurrence_count(0)]], ids=["alone", "with occurrence_counts"]
)
def test_a_save_with_an_old_version_changes_nothing(ledger, occurrence_counts):
    ledger.count(occurrence_count(0))
    incident, version = applied(ledger, [occurrence_count(0)])
    ledger.save(incident, version, due=T0)
    with pytest.raises(StaleVersionError):
        ledger.save(incident, version, applied=occurrence_counts, due=None)
    assert ledger.pending("backend") == [occurrence_count(0)]


def test_a_occurrence_count_folded_before_is_named_and_nothing_is_saved(ledger):
    for t in (occurrence_count(0), occurrence_count(1)):
        ledger.count(t)
    incident, version = applied(ledger, [occurrence_count(0)])
    version = ledger.save(incident, version, applied=[occurrence_count(0)], due=T0)
    both, _ = applied(ledger, [occurrence_count(0), occurrence_count(1)])
    with pytest.raises(AlreadyAppliedError) as raised:
        ledger.save(both, version, applied=[occurrence_count(1), occurrence_count(0)], due=T0)
    assert raised.value.keys == (("f0", "e0"),)
    assert ledger.load("backend").incident == incident
    assert ledger.pending("backend") == [occurrence_count(1)]


def test_a_folded_occurrence_count_is_still_a_duplicate(ledger):
    ledger.count(occurrence_count(0))
    incident, version = applied(ledger, [occurrence_count(0)])
    ledger.save(incident, version, applied=[occurrence_count(0)], due=T0)
    assert ledger.count(occurrence_count(0)) is False


def test_a_whole_life_runs_on_it(ledger):
    class Topic:
        reasons: list[str] = []

        def publish(self, notification):
            self.reasons.append(notification.reason)

    topic = Topic()
    topic.reasons = []
    box = Reconciler(ledger, topic, POLICY, "https://runbooks.example/")
    for i in range(250):
        ledger.count(occurrence_count(i))
    box.reconcile("backend", T0)
    for minute in (5, 6, 21, 22):
        if minute == 5:
            ledger.count(occurrence_count("late", at=T0 + 5 * MIN))
        reconcile(box, T0 + minute * MIN)
    assert topic.reasons == ["opened", "update", "resolved"]
    assert ledger.open_services(T0 + 90 * MIN) == []
    ledger.count(occurrence_count("again", at=T0 + 60 * MIN))
    box.reconcile("backend", T0 + 60 * MIN)
    assert topic.reasons[-1] == "regressed"


def test_one_write_counts_a_occurrence_count_and_nothing_else_is_called(dynamodb):
    calls = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    IncidentTable(dynamodb, "incidents").count(occurrence_count(0))
    assert calls == ["PutItem"]


def test_an_incident_that_is_over_is_kept_for_the_record_with_a_time_to_live(dynamodb):
    ledger = IncidentTable(dynamodb, "incidents")
    ledger.count(occurrence_count(0))
    incident, version = applied(ledger, [occurrence_count(0)])
    ledger.save(incident, version, applied=[occurrence_count(0)], due=T0, closed=incident)
    kept = dynamodb.get_item(
        TableName="incidents", Key={"pk": {"S": "G#backend"}, "sk": {"S": f"INCIDENT#{incident.id}"}}
    )["Item"]
    assert int(kept["expires_at"]["N"]) > T0 // 1000


def test_what_was_closed_is_found_again_and_may_go_on(ledger):
    incident, version = applied(ledger, [occurrence_count(0)])
    over = replace(incident, id="20260101-000000-aaaaaaaaaaaa", resolved_at=T0)
    assert ledger.closed_incident("backend", over.id) is None
    version = ledger.save(incident, version, due=None, closed=over)
    assert ledger.closed_incident("backend", over.id) == over
    assert ledger.closed_incident("worker", over.id) is None
    goes_on = replace(over, resolved_at=None)
    ledger.save(goes_on, version, due=None, closed=replace(incident, resolved_at=T0))
    assert ledger.load("backend").incident == goes_on
    assert ledger.closed_incident("backend", incident.id).resolved_at == T0


def test_dropped_tallies_leave_the_index_and_stay_known(ledger):
    ledger.count(occurrence_count(0))
    ledger.drop([occurrence_count(0), occurrence_count("never counted")])
    assert ledger.pending("backend") == []
    assert ledger.count(occurrence_count(0)) is False


def test_services_that_are_due_come_longest_due_first(ledger):
    for i, service in enumerate(["c", "a", "b"]):
        ledger.count(occurrence_count(i, at=T0 + i, service=service))
    assert ledger.open_services(T0 + 1) == ["c", "a"]


@pytest.mark.parametrize("operation", ["PutItem", "TransactWriteItems"])
def test_meeting_somebodys_transaction_is_a_lost_race_or_a_duplicate_and_never_an_error(dynamodb, operation):
    ledger = IncidentTable(dynamodb, "incidents")
    ledger.count(occurrence_count(0))
    incident, version = applied(ledger, [occurrence_count(0)])
    answers = {
        "PutItem": {"Error": {"Code": "TransactionConflictException", "Message": "m"}},
        "TransactWriteItems": {"Error": {"Code": "TransactionInProgressException", "Message": "m"}},
    }

    def refuse(**_):
        name = answers[operation]["Error"]["Code"]
        raise getattr(dynamodb.exceptions, name)(answers[operation], operation)

    dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", refuse)
    with pytest.raises(StaleVersionError):
        ledger.save(
            incident, version, applied=[] if operation == "PutItem" else [occurrence_count(0)], due=T0
        )
    if operation == "PutItem":
        assert ledger.count(occurrence_count(0)) is False


SILENCE = Silence(
    "s-1", T0 + 60 * MIN, "known, fixed on Monday", "Ada", T0, "boom", fields={"module": "ä<&>"}
)


def test_silences_come_back_as_they_were_in_the_order_they_expire(ledger):
    sooner = replace(SILENCE, id="s-2", expires_at=T0 + MIN)
    ledger.put_silence(SILENCE)
    ledger.put_silence(sooner)
    assert ledger.silences() == (sooner, SILENCE)


def test_a_ledger_without_silences_says_so(ledger):
    assert ledger.silences() == ()


def test_a_silence_can_be_made_to_end_earlier(ledger):
    ledger.put_silence(SILENCE)
    ended = replace(SILENCE, expires_at=T0 + 5 * MIN)
    ledger.put_silence(ended)
    assert ledger.silences() == (ended,)


def test_when_a_silence_last_matched_is_noted_never_set_back_and_never_makes_one(ledger):
    ledger.put_silence(SILENCE)
    at = SILENCE.created_at
    for noted in (at + 5, at + 3):
        ledger.note_match(SILENCE.id, noted)
    ledger.note_match("never made", at)
    assert ledger.silences() == (replace(SILENCE, last_matched=at + 5),)


def test_who_joins_a_wide_incident_first_leads_and_joining_again_changes_nothing(ledger):
    at = SILENCE.created_at
    assert ledger.wide("cause") is None
    for _ in range(2):
        assert ledger.join_wide("cause", "i1", "orders", at, 1_000) == Joined("i1", at, {"i1": "orders"})
    both = Joined("i1", at, {"i1": "orders", "i2": "billing"})
    for _ in range(2):
        assert ledger.join_wide("cause", "i2", "billing", at + 999, 1_000) == both
    assert ledger.wide("cause") == both
    assert ledger.join_wide("other cause", "i3", "orders", at, 1_000).lead == "i3"


def test_after_the_time_to_join_another_wide_incident_begins_and_who_was_in_the_first_stays_in_it_until_then(
    ledger,
):
    at = SILENCE.created_at
    first = ledger.join_wide("cause", "i1", "orders", at, 1_000)
    assert ledger.join_wide("cause", "i1", "orders", at + 5_000, 1_000) == first
    assert ledger.join_wide("cause", "i2", "billing", at + 1_000, 1_000) == Joined(
        "i2", at + 1_000, {"i2": "billing"}
    )


def test_a_wide_incident_has_an_end_to_its_members(ledger):
    at = SILENCE.created_at
    for number in range(MAX_SERVICES):
        ledger.join_wide("cause", f"i{number}", f"s{number}", at, 1_000)
    assert ledger.join_wide("cause", "one more", "s", at, 1_000).lead == "one more"


def test_the_same_silence_put_again_is_no_conflict(ledger):
    ledger.put_silence(SILENCE)
    ledger.put_silence(SILENCE)
    assert ledger.silences() == (SILENCE,)


@pytest.mark.parametrize(
    "other",
    [
        replace(SILENCE, expires_at=T0 + 61 * MIN),
        replace(SILENCE, expires_at=T0 + 2 * MIN, created_at=T0 + 1, service="everything"),
    ],
    ids=["extended", "somebody else's of the same id"],
)
def test_a_silence_is_never_extended_nor_replaced_by_another(ledger, other):
    ledger.put_silence(SILENCE)
    with pytest.raises(SilenceConflictError):
        ledger.put_silence(other)
    assert ledger.silences() == (SILENCE,)


def test_silences_are_one_query_however_full_the_table_is(dynamodb):
    ledger = IncidentTable(dynamodb, "incidents")
    for i in range(30):
        ledger.count(occurrence_count(i))
    ledger.put_silence(SILENCE)
    calls = []
    dynamodb.meta.events.register(
        "before-call.dynamodb", lambda model, params, **_: calls.append((model.name, params["body"]))
    )
    ledger.silences()
    ((name, body),) = calls
    assert name == "Query"
    assert "IndexName" not in str(body)


def test_an_expired_silence_leaves_the_table_a_month_later(dynamodb):
    IncidentTable(dynamodb, "incidents").put_silence(SILENCE)
    kept = dynamodb.get_item(TableName="incidents", Key={"pk": {"S": "SILENCE"}, "sk": {"S": "s-1"}})["Item"]
    assert int(kept["expires_at"]["N"]) == SILENCE.expires_at // 1000 + 30 * 86_400


def test_a_silence_that_cannot_be_read_mutes_nothing_and_hides_no_other(dynamodb):
    ledger = IncidentTable(dynamodb, "incidents")
    ledger.put_silence(SILENCE)
    for sk, rest in (("broken", {"doc": {"S": "{"}}), ("bare", {})):
        dynamodb.put_item(TableName="incidents", Item={"pk": {"S": "SILENCE"}, "sk": {"S": sk}, **rest})
    assert ledger.silences() == (SILENCE,)


# --- signatures in test mode: the digest ---

EIGHT = 1_770_019_200_000
"""08:00 UTC of the day of ``T0``."""


class Digests:
    """What reconcile tells of signatures in test mode."""

    def __init__(self, ledger):
        rules = {name: replace(rule, status=Status.TEST) for name, rule in POLICY.signatures.items()}
        self.published = []
        self.reconciler = Reconciler(ledger, self, Policy(Intervals(), rules), "https://runbooks.example/")

    def publish(self, notification):
        self.published.append(document_of(notification))

    def round(self, now):
        assert reconcile(self.reconciler, now).failures == {}

    @property
    def told(self):
        return [
            (each["reason"], [(alert["service"], alert["count"]) for alert in each["alerts"]])
            for each in self.published
        ]


def in_test_mode(i, at, *, service="backend"):
    return replace(
        occurrence_count(i, at=at, fingerprint=service), service=TEST_MODE_GROUP, origin_service=service
    )


def test_two_days_of_signatures_on_trial_are_two_digests(ledger):
    digests = Digests(ledger)
    for i in range(130):  # more than one save takes
        ledger.count(in_test_mode(i, T0 + i, service="worker"))
    ledger.count(in_test_mode("other", T0 + 60 * MIN))
    digests.round(T0 + 120 * MIN)
    assert ledger.open_services(EIGHT - 1) == []
    digests.round(EIGHT)
    ledger.count(in_test_mode("next", EIGHT + MIN))
    digests.round(EIGHT + 2 * MIN)
    digests.round(EIGHT + 24 * 60 * MIN)
    digests.round(EIGHT + 25 * 60 * MIN)
    assert digests.told == [("digest", [("worker", 130), ("backend", 1)]), ("digest", [("backend", 1)])]
    assert ledger.open_services(1 << 60) == []


def test_what_waits_for_a_digest_is_no_incident_and_can_be_looked_at(dynamodb):
    table = IncidentTable(dynamodb, "incidents")
    table.count(in_test_mode(0, T0, service="worker"))
    Digests(table).round(T0 + MIN)
    history = IncidentHistory(dynamodb, "incidents")
    assert (history.open_incidents(["worker"]), history.everything()) == ([], [])
    counting = history.current(TEST_MODE_GROUP)
    report = incident_details(counting, T0 + MIN, (), POLICY.signatures, ())
    assert (report["state"], report["severity"], report["occurrences"]) == ("counting", None, 1)
    assert [(alert["service"], alert["state"]) for alert in report["alerts"]] == [("worker", "counted")]
    console = Console(record=True, width=100)
    show_incident(report, {}, T0 + MIN, console)
    assert "in worker counted without a message" in " ".join(console.export_text().split())


def test_two_rounds_that_race_for_a_digest_tell_it_once(ledger):
    digests = Digests(ledger)
    ledger.count(in_test_mode(0, T0))
    digests.round(T0 + MIN)
    stale = ledger.load(TEST_MODE_GROUP)
    digests.round(EIGHT)

    class Behind:
        """A reconcile that had read before the other one wrote."""

        reads = 0

        def __getattr__(self, name):
            return getattr(ledger, name)

        def load(self, service):
            self.reads += 1
            return stale if self.reads == 1 else ledger.load(service)

    replace(digests.reconciler, ledger=Behind()).reconcile(TEST_MODE_GROUP, EIGHT)
    assert digests.told == [("digest", [("backend", 1)])]
