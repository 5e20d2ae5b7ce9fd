"""First actions at three in the morning: filled in wherever the message knows the value, else with where to find it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from sample_incidents import TIMEOUT

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.model import Origin
from tocsin.core.notifications.named_in_line import NAMED, how_to_find, named_in
from tocsin.core.notifications.placeholders import first_action_of, place_of
from tocsin.core.signatures.reader import PLACE_FIELDS
from tocsin_cli.commands.preview import preview

ROOT = Path(__file__).resolve().parents[3]
CONFIG = load_configuration(ROOT / "functions", {})
T0 = 1_785_000_000_000

NO_PLACEHOLDER = {
    "ERROR", "REPORT",  # what logs are searched for
    "DAILY", "DIMENSION", "SERVICE", "STOPPED", "UUID",  # words of AWS's own commands and queries
}  # fmt: skip
REST = {
    # Their samples name neither; with an ARN, a URL or a server in the line they are filled in (below).
    "s3-access-denied": {"BUCKET"},
    "secret-marked-for-deletion": {"SECRET"},
    "sqs-queue-missing": {"QUEUE"},
    "database-none": {"SECRET"},
    "database-does-not-exist": {"SERVER", "USER"},
    "database-auth-failed": {"SECRET", "DATABASE"},
    "worker-killed": {"CLUSTER", "TASK"},
    # The metric is of the API; the function is known once one that belongs to the service logged why.
    "api-5xx-alarm": {"FUNCTION"},
}
OWN_CHOICE = {"unhandled-exception": {"ID", "LINE"}}
"""What the reader is to write: the id of a signature that does not exist yet, and the line that it is made from."""


def commands(text):
    return " ".join(re.findall(r"`([^`]*)`", text))


def placeholders(text):
    return set(re.findall(r"(?<![\w'])[A-Z][A-Z_]{1,}(?![\w(:])", commands(text))) - NO_PLACEHOLDER


def said_of(name):
    notification = preview(CONFIG, name, now=T0)
    return notification, notification.alerts[0].first_action


def test_over_the_whole_pack_no_placeholder_stays_that_the_message_could_fill():
    left = {}
    for name in CONFIG.signatures:
        notification, said = said_of(name)
        assert name in {alert.signature for alert in notification.alerts}, name
        if found := placeholders(re.split(r" [A-Z]+: ", said)[0]):
            left[name] = found
        for each in placeholders(said) - OWN_CHOICE.get(name, set()):
            assert f"{each}: " in said, (name, each)
    assert left == REST | OWN_CHOICE


def test_no_signature_of_the_pack_has_a_placeholder_that_nobody_ever_fills():
    for name, rule in CONFIG.signatures.items():
        assert placeholders(rule.first_action) == OWN_CHOICE.get(name, set()), name


@pytest.mark.parametrize("event", sorted(path.name for path in (ROOT / "events").glob("alarm-*-alarm.json")))
def test_an_alarm_is_filled_in_by_whatever_road_it_comes(event):
    _, said = said_of(str(ROOT / "events" / event))
    assert placeholders(said) == set()


LINES = [
    ("kms-access-denied", "User: arn:aws:sts::123456789012:assumed-role/orders-role/fn is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
     "--key-id arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab "),
    ("aws-access-denied", "An error occurred (AccessDeniedException) when calling the PutItem operation: User: arn:aws:sts::123456789012:assumed-role/orders-role/fn is not authorized to perform: dynamodb:PutItem on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/t",
     "--role-name orders-role "),
    ("s3-access-denied", "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the PutObject operation: Access Denied for arn:aws:s3:::orders-files/2026/a.pdf",
     "--bucket orders-files`"),
    ("sqs-queue-missing", "An error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the SendMessage operation: https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo",
     "--queue-name orders.fifo`"),
    ("database-auth-failed", 'connection to server at "db-1.internal" (10.0.0.1), port 5432 failed: FATAL:  password authentication failed for user "app"',
     "psql -h db-1.internal -U app "),
    ("database-does-not-exist", 'connection to server at "db-1.internal" (10.0.0.1), port 5432 failed: FATAL:  database "billing" does not exist',
     "psql -h db-1.internal "),
    ("upstream-failed", "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: https://pay.example.com/charge",
     "https://pay.example.com`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line", "command"), LINES, ids=[name for name, *_ in LINES])
def test_what_a_line_names_stands_in_the_command(name, line, command):
    alert = next(each for each in preview(CONFIG, line=line, now=T0).alerts if each.signature == name)
    assert command in alert.first_action


def test_the_address_of_a_client_is_not_taken_for_the_servers():
    line = 'FATAL:  no pg_hba.conf entry for host "10.0.0.12", user "app", database "prod", no encryption'
    [alert] = preview(CONFIG, line=line, now=T0).alerts
    assert "psql -h SERVER -U app -d prod " in alert.first_action
    assert "SERVER: the host in the secret" in alert.first_action


def test_the_function_behind_an_api_is_the_one_that_logged_the_likely_cause():
    alarm = replace(TIMEOUT, origin=Origin("1", "eu-west-1", alarm="api-5xx"))
    cause = replace(TIMEOUT, origin=Origin("1", "eu-west-1", "/aws/lambda/orders"))
    rule = CONFIG.signatures["api-5xx-alarm"]
    said = first_action_of(rule.first_action, "orders", place_of(alarm, cause))
    assert "aws logs tail /aws/lambda/orders " in said
    assert "FUNCTION" not in said


def test_the_days_of_a_bill_are_those_of_its_month():
    assert "Start=2026-07-01,End=2026-07-26`" in said_of("charges-alarm")[1]


def test_a_task_is_the_stream_of_its_container():
    assert named_in("", "web/app/0123456789abcdef0123456789abcdef") == {
        "task": "0123456789abcdef0123456789abcdef"
    }
    assert named_in("", "2026/02/02/[$LATEST]0123456789abcdef0123456789abcdef") == {}


@pytest.mark.parametrize(
    "hostile",
    [
        "arn:aws:sts::123456789012:assumed-role/a;id/b", "s3://$(id)", "s3://-x", "https://`id`.s3.amazonaws.com/",
        'server at "a b; id"', "arn:aws:s3:::..;id", 'user "x\'; id"',
    ],
)  # fmt: skip
def test_nothing_that_a_shell_reads_more_in_comes_into_a_command(hostile):
    command = "`aws x " + " ".join(f"{{{name}}}" for name in NAMED) + "`"
    said = first_action_of(command, "s", named_in(hostile))
    assert not set(";$'\"|&<>") & set(said.partition("`")[2].partition("`")[0])
    assert " -x" not in said


def test_wherever_a_command_has_a_gap_the_sentence_says_where_to_look():
    for name in set(PLACE_FIELDS) - {"log_group", "first_day", "next_day"}:
        assert how_to_find([name], "f").startswith(f"{name.upper()}: "), name
