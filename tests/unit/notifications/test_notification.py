"""The contract: what is published about an incident, valid, bounded and complete whatever the log held."""

import json
from pathlib import Path

import jsonschema
import pytest
from hostile_text import hostile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sample_incidents import (
    BUCKET,
    DLQ,
    IMPORT_ERROR,
    MINUTE,
    RUNBOOKS,
    SIGNATURES,
    T0,
    TIMEOUT,
    incident,
    pending,
    signature,
)

from tocsin.core.model import AlertState, Origin, Reason, Severity
from tocsin.core.notifications.building import MAX_NOTIFICATION_SIZE, build_notification
from tocsin.core.notifications.contract import document_of, message_attributes, to_json
from tocsin.core.notifications.email import email_subject, email_text
from tocsin.core.notifications.parsing import NotANotificationError, parse_notification
from tocsin.core.notifications.placeholders import filled, place_of
from tocsin.core.slack.messages import render, render_standalone
from tocsin.core.times import LATEST

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/notification.schema.json").read_text())


def closed(schema):
    """The schema without room for keys it does not name: what we publish has none."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else inner


VALIDATOR = jsonschema.Draft202012Validator(closed(SCHEMA), format_checker=jsonschema.FormatChecker())


def built(*alerts, about=None, reason=Reason.OPENED, signatures=SIGNATURES, **changes):
    made = incident(*alerts, **changes)
    entry = pending(reason, *(about if about is not None else made.alerts.values()))
    notification = build_notification(made, entry, signatures, runbooks_url=RUNBOOKS)
    VALIDATOR.validate(document_of(notification))
    assert parse_notification(to_json(notification)) == notification
    return notification


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_makes_a_valid_notification(reason):
    notification = built(IMPORT_ERROR, DLQ, reason=reason)
    assert notification.reason == reason
    assert notification.incident.status == (
        "resolved" if reason in {Reason.RESOLVED, Reason.DIGEST} else "firing"
    )
    assert (notification.incident.resolved_at is None) == (reason not in {Reason.RESOLVED, Reason.DIGEST})


def test_the_title_and_severity_are_those_of_the_worst_cause():
    notification = built(TIMEOUT, DLQ, IMPORT_ERROR)
    assert notification.title == "Lambda cannot import its handler"
    assert notification.severity == "critical"
    assert notification.incident.count == 1204 + 3 + 1


def test_the_severity_is_that_of_what_still_fires():
    over = replace(IMPORT_ERROR, state=AlertState.RESOLVED)
    notification = built(over, TIMEOUT)
    assert (notification.severity, notification.title) == ("medium", "Lambda timed out")
    assert built(over, reason=Reason.RESOLVED).severity == "critical"


def test_what_the_notification_is_about_comes_first_then_causes_worst_and_newest():
    notification = built(IMPORT_ERROR, BUCKET, DLQ, TIMEOUT, about=[TIMEOUT], reason=Reason.NEW_ALERT)
    assert [alert.signature for alert in notification.alerts] == [
        "lambda-timeout", "s3-bucket-not-accessible", "import-module-error", "dlq-depth",
    ]  # fmt: skip
    assert [alert.changed for alert in notification.alerts] == [True, False, False, False]


def test_a_symptom_names_its_cause_while_the_cause_fires():
    def cause_of_dlq(*alerts):
        return next(a.inhibited_by for a in built(*alerts).alerts if a.signature == "dlq-depth")

    assert cause_of_dlq(IMPORT_ERROR, DLQ) == "import-module-error"
    assert cause_of_dlq(replace(IMPORT_ERROR, state=AlertState.RESOLVED), DLQ) is None


def test_an_alert_below_its_threshold_is_not_told():
    quiet = replace(TIMEOUT, announced=False)
    notification = built(IMPORT_ERROR, quiet)
    assert notification.incident.alert_count == 1
    assert notification.incident.count == 1204


def test_the_count_since_the_last_report_is_what_was_not_told_of():
    entry = pending(Reason.UPDATE, IMPORT_ERROR, sequence=2, told={IMPORT_ERROR.fingerprint: 1200})
    notification = build_notification(incident(), entry, SIGNATURES, runbooks_url=RUNBOOKS)
    assert notification.alerts[0].count_since_last == 4
    assert built().alerts[0].count_since_last == 1204


def test_a_signature_removed_by_a_deployment_is_still_told():
    notification = built(IMPORT_ERROR, signatures={})
    alert = notification.alerts[0]
    assert alert.title == "Import module error (signature removed)"
    assert alert.severity == "high"
    assert alert.runbook_url == RUNBOOKS
    assert "import-module-error" in alert.first_action
    assert alert.sample == IMPORT_ERROR.sample
    assert alert.links.insights


def test_fields_are_put_into_the_sentences_and_missing_ones_are_named():
    alert = built().alerts[0]
    assert alert.summary.endswith("every invocation of worker fails.")
    assert alert.first_action.endswith("check requirements.txt for `mangum`.")
    bare = built(replace(IMPORT_ERROR, fields={})).alerts[0]
    assert bare.first_action.endswith("check requirements.txt for the module.")


def test_a_field_cannot_leave_its_code_or_be_taken_for_formatting():
    fields = {"a": "x` <!channel> *y*\n`z", "long_name": "v" * 500}
    assert filled("Do {a}", "s", fields, code=True) == "Do `x' <!channel> *y* 'z`"
    assert filled("Do `cmd {a} {a}` now", "s", fields, code=True).count("`") == 2
    assert filled("{long_name}", "s", fields, code=False).endswith("…")
    assert filled("{a_b} {} {{x}} {service}", "svc", {}, code=True) == "the a b {} {the x} svc"


@pytest.mark.parametrize(
    "hostile_name",
    [
        "a; rm -rf /",
        "$(id)",
        "a`id`",
        "a b",
        "-rf",
        "a'b",
        'a"b',
        "a\nb",
        "a|b",
        "ä",
        "[REDACTED]",
        "x" * 600,
        "",
    ],
)
def test_in_a_command_stands_a_plain_name_or_the_names_place(hostile_name):
    assert filled("`aws x --name {name}`", "s", {"name": hostile_name}, code=True) == "`aws x --name NAME`"
    assert filled("`aws x --name {service}`", hostile_name, {}, code=True) == "`aws x --name SERVICE`"


def test_a_name_with_blanks_stands_in_a_command_only_between_quotation_marks():
    alarm = {"alarm": "Orders: too slow (p95, prod)"}
    assert filled("`a --n '{alarm}'`", "s", alarm, code=True) == "`a --n 'Orders: too slow (p95, prod)'`"
    assert filled("`a --n {alarm}`", "s", alarm, code=True) == "`a --n ALARM`"
    assert filled("`a --n '{alarm}'`", "s", {"alarm": "x' ; id '"}, code=True) == "`a --n 'ALARM'`"


@pytest.mark.parametrize(
    ("group", "known"),
    [
        ("/aws/lambda/orders", {"log_group": "/aws/lambda/orders", "function": "orders"}),
        ("/ecs/orders", {"log_group": "/ecs/orders"}),
        ("/aws/lambda/prod/orders", {"log_group": "/aws/lambda/prod/orders"}),
        ("", {}),
    ],
)
def test_a_command_knows_the_log_group_and_the_function_only_where_there_is_one(group, known):
    alert = replace(TIMEOUT, origin=Origin("123456789012", "eu-central-1", group))
    place = place_of(alert)
    assert {name: place[name] for name in place if name in {"log_group", "function", "alarm"}} == known


def test_no_shipped_signature_leaves_a_place_open_that_a_message_from_a_function_knows():
    from tocsin.adapters.files.configuration import load_configuration

    for rule in load_configuration(Path(__file__).parents[3] / "functions", {}).signatures.values():
        assert not {"LOG_GROUP", "UUID"} & set(rule.first_action.replace("`", " ").split()), rule.id
        assert "--function-name NAME" not in rule.first_action, rule.id


def test_a_first_action_for_a_composite_alarm_asks_for_every_kind_of_alarm_by_name():
    from tocsin.adapters.files.configuration import load_configuration

    rules = load_configuration(Path(__file__).parents[3] / "functions", {}).signatures
    said = filled(rules["cloudwatch-alarm"].first_action, "s", {"alarm": "orders-any"}, code=True)
    assert "--alarm-names 'orders-any' --alarm-types MetricAlarm CompositeAlarm LogAlarm" in said


@pytest.mark.parametrize("value", ["file:///home/jo/.aws/config", "fileb://x", "#half", "=ls", "@list", "+x"])
@pytest.mark.parametrize("command", ["`x --name {bucket}`", "`x --name '{bucket}'`"])
def test_a_value_that_a_shell_or_the_aws_command_reads_more_into_is_named_instead(command, value):
    assert filled(command, "s", {"bucket": value}, code=True) == command.replace("{bucket}", "BUCKET")


def test_an_alarm_has_an_alarm_link_and_no_log_links():
    links = built(DLQ).alerts[0].links
    assert links.alarm.endswith("#alarmsV2:alarm/prod-documents-dlq-depth")
    assert links.log_stream is None
    assert links.insights is None


def pluralize(number, sample):
    return [
        replace(IMPORT_ERROR, fingerprint=f"f{n}", fields={f"k{i}": sample[:300] for i in range(20)},
                sample=sample, first_seen=T0 + n, origin=replace(IMPORT_ERROR.origin, log_stream="s" * 500))
        for n in range(number)
    ]  # fmt: skip


@pytest.mark.parametrize("character", ["x", "é", "🔥", '"', "\\", "\u0000", "\ud800"])
@pytest.mark.parametrize("number", [1, 7, 50])
def test_the_message_is_bounded_and_says_how_many_alerts_there_are(character, number):
    alerts = pluralize(number, character * 6_000)
    notification = built(*alerts, about=alerts[:1])
    assert len(to_json(notification)) <= MAX_NOTIFICATION_SIZE
    assert notification.incident.alert_count == number
    assert notification.alerts[0].changed
    whole = json.dumps({"default": to_json(notification), "email": email_text(notification)})
    assert len(whole.encode()) + 5_000 < 256 * 1024


def test_the_least_important_lose_their_samples_first():
    alerts = pluralize(30, "x" * 3_000)
    notification = built(*alerts, about=alerts[:1])
    samples = [alert.sample is not None for alert in notification.alerts]
    assert samples == sorted(samples, reverse=True)
    assert samples[0]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(sample=hostile, value=hostile, service=hostile, alarm=hostile, reason=st.sampled_from(list(Reason)))
def test_whatever_the_log_holds_the_notification_is_valid_and_readable(sample, value, service, alarm, reason):
    made = incident(
        replace(
            IMPORT_ERROR,
            sample=sample,
            fields={"module": value},
            origin=replace(IMPORT_ERROR.origin, alarm=alarm),
        ),
        service=service,
    )
    notification = build_notification(
        made, pending(reason, *made.alerts.values()), SIGNATURES, runbooks_url=RUNBOOKS
    )
    VALIDATOR.validate(document_of(notification))
    json.dumps(document_of(notification), ensure_ascii=False).encode()
    subject = email_subject(notification)
    assert len(subject) < 100
    assert all(" " <= character <= "~" for character in subject)
    assert email_text(notification).encode()
    for attribute in message_attributes(notification).values():
        assert attribute["StringValue"]


@given(
    first=st.integers(-(10**20), 10**20),
    last=st.integers(-(10**20), 10**20),
    at=st.integers(-(10**20), 10**20),
)
@example(first=0, last=253_402_300_800_000, at=0)
@example(first=LATEST, last=LATEST, at=LATEST)
def test_whatever_times_are_stored_the_notification_can_be_written_and_told(first, last, at):
    alert = replace(IMPORT_ERROR, first_seen=first, last_seen=last)
    made, entry = incident(alert, opened_at=at), replace(pending(Reason.OPENED, alert), at=at)
    notification = build_notification(made, entry, SIGNATURES, runbooks_url=RUNBOOKS)
    VALIDATOR.validate(document_of(notification))
    assert parse_notification(to_json(notification)) == notification
    assert email_text(notification)
    for show in (render, render_standalone):
        assert show(notification).blocks


def test_the_attributes_are_what_filter_policies_select_by():
    attributes = message_attributes(built(IMPORT_ERROR, DLQ))
    assert {name: value["StringValue"] for name, value in attributes.items() if name != "signature"} == {
        "severity": "critical", "service": "worker", "reason": "opened",
    }  # fmt: skip
    assert attributes["signature"]["DataType"] == "String.Array"
    assert json.loads(attributes["signature"]["StringValue"]) == ["import-module-error", "dlq-depth"]


def test_what_it_is_routed_by_is_whole_where_alerts_are_left_out():
    many = [
        replace(
            TIMEOUT, fingerprint=f"lambda-timeout/{number}", fields={f"f{n}": "é" * 200 for n in range(12)}
        )
        for number in range(40)
    ]
    rules = {**SIGNATURES, "dlq-depth": replace(SIGNATURES["dlq-depth"], owner="data")}
    notification = built(IMPORT_ERROR, *many, DLQ, signatures=rules)
    assert "dlq-depth" not in {alert.signature for alert in notification.alerts}
    assert document_of(notification)["labels"] == [
        {"signature": "dlq-depth", "severity": "high", "owner": "data"},
        {"signature": "import-module-error", "severity": "critical", "owner": None},
        {"signature": "lambda-timeout", "severity": "medium", "owner": None},
    ]


def test_the_subject_says_how_bad_where_and_what():
    assert email_subject(built()) == "[CRITICAL] worker: Lambda cannot import its handler"
    assert email_subject(built(reason=Reason.RESOLVED)).startswith("[RESOLVED] worker")
    assert email_subject(built(reason=Reason.REGRESSED)).startswith("[CRITICAL] again worker")


def test_the_text_says_what_to_do_before_anything_technical():
    text = email_text(built(IMPORT_ERROR, DLQ))
    order = [
        "cannot import",
        "DO FIRST",
        "What it means",
        "Runbook:",
        "Log stream:",
        "Sample",
        "Also in this incident",
    ]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "12 min" in text
    assert "explained by import-module-error" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n: n.pop("alerts"), "alerts"),
        (lambda n: n.update(alerts=[]), "alerts"),
        (lambda n: n.update(version="2"), "version"),
        (lambda n: n.update(sequence="1"), "sequence"),
        (lambda n: n.update(sequence=True), "sequence"),
        (lambda n: n.update(reason="because"), "reason"),
        (lambda n: n["incident"].update(first_seen="yesterday"), "incident.first_seen"),
        (lambda n: n["alerts"][0]["fields"].update(x=1), "alerts[0].fields"),
        (lambda n: n["alerts"][0].pop("links"), "alerts[0].links"),
        (lambda n: n["alerts"][0].update(owner=5), "alerts[0].owner"),
        (lambda n: n.update(labels=[{"signature": "x", "severity": "awful", "owner": None}]), "labels"),
        (lambda n: n["alerts"][0]["links"].update(insights=5), "alerts[0].links.insights"),
    ],
)
def test_what_is_not_a_notification_is_named_by_its_key(change, words):
    notification = document_of(built())
    change(notification)
    with pytest.raises(NotANotificationError) as failure:
        parse_notification(json.dumps(notification))
    assert words in str(failure.value)
    assert "mangum" not in str(failure.value)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "1", '{"AlarmName": "x"}', "[" * 10_000])
def test_other_bodies_are_refused_in_clear_words(body):
    with pytest.raises(NotANotificationError, match="not a notification"):
        parse_notification(body)


def test_a_key_that_a_later_version_adds_is_no_fault():
    notification = {**document_of(built()), "added_later": 1}
    jsonschema.Draft202012Validator(SCHEMA).validate(notification)
    assert parse_notification(json.dumps(notification)) == built()


def test_the_reader_and_the_schema_require_the_same():
    """Every key the schema requires is one whose absence the reader refuses, and the other way round.

    Keys that came later are required by neither: a message under way may be older than its reader.
    """

    def absent(path):
        notification = document_of(built(IMPORT_ERROR, DLQ, TIMEOUT))
        holder = notification
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        try:
            parse_notification(json.dumps(notification))
        except NotANotificationError:
            read = False
        else:
            read = True
        return read, VALIDATOR.is_valid(notification)

    def paths(value, path=()):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict) and path[-1:] != ("fields",):
                yield (*path, key)
            if isinstance(inner, dict | list):
                yield from paths(inner, (*path, key))

    both = {path: absent(path) for path in paths(document_of(built(IMPORT_ERROR, DLQ, TIMEOUT)))}
    assert not [path for path, (read, valid) in both.items() if read != valid]
    # What came with a later release may be missing: a message of the release before may still be on its way.
    later = {path[-1] for path, (read, _) in both.items() if read}
    assert later >= {"why", "updates", "queue", "likely_cause", "silenced_by", "labels", "owner"}
    assert not later & {"id", "sequence", "reason", "incident", "alerts", "state", "count", "links"}


def test_a_low_signature_stays_low():
    rules = {**SIGNATURES, "lambda-timeout": signature("lambda-timeout", "Slow", Severity.LOW)}
    assert built(TIMEOUT, signatures=rules).severity == "low"


def test_an_entry_published_late_says_what_was_true_when_it_became_due():
    made = incident(replace(IMPORT_ERROR, state=AlertState.RESOLVED), resolved_at=T0 + 30 * MINUTE)
    notification = build_notification(made, pending(Reason.OPENED), SIGNATURES, runbooks_url=RUNBOOKS)
    assert notification.incident.status == "firing"
