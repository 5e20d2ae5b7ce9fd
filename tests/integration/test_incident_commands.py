"""``tocsin silence`` and ``tocsin incidents`` through the real command, on a stack of the embedded cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from argparse import Namespace
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from sample_incidents import BUCKET, DLQ, IMPORT_ERROR, incident, pending

from tocsin.adapters.aws.delivery_table import DeliveryStore
from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.core.incidents.incident import Pace
from tocsin.core.incidents.silences import Silence
from tocsin.core.model import AlertState, Reason
from tocsin.core.slack.delivery_record import DeliveryRecord
from tocsin_cli.local_aws import cloud as cloud_module
from tocsin_cli.local_aws.cloud import EmbeddedCloud
from tocsin_cli.main import main
from tocsin_cli.stack import target as deployed_module
from tocsin_cli.stack.target import (
    DeployedError,
    deployed,
    remove_ready_file,
    running_local,
    write_ready_file,
)

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[2]
TABLE = "incidents"
HOUR = 3_600_000


def now():
    return time.time_ns() // 1_000_000


def template(table):
    """The part of the template that these commands see."""
    return {
        "Resources": {
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": table,
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [
                        {"AttributeName": name, "AttributeType": kind}
                        for name, kind in (("pk", "S"), ("sk", "S"), ("grp", "S"), ("due", "N"))
                    ],
                    "KeySchema": [
                        {"AttributeName": "pk", "KeyType": "HASH"},
                        {"AttributeName": "sk", "KeyType": "RANGE"},
                    ],
                    "GlobalSecondaryIndexes": [
                        {
                            "IndexName": "due",
                            "KeySchema": [
                                {"AttributeName": "grp", "KeyType": "HASH"},
                                {"AttributeName": "due", "KeyType": "RANGE"},
                            ],
                            "Projection": {
                                "ProjectionType": "INCLUDE",
                                "NonKeyAttributes": ["occurrence_count"],
                            },
                        }
                    ],
                },
            }
        },
        "Outputs": {"TableName": {"Value": {"Ref": "Table"}}},
    }


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with EmbeddedCloud(ROOT, log=tmp_path_factory.mktemp("cloud") / "cloud.log") as embedded:
        create_stack(embedded.client("cloudformation"), "tocsin", template(TABLE))
        yield embedded


def create_stack(client, name, template):
    client.create_stack(StackName=name, TemplateBody=json.dumps(template))
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@pytest.fixture
def aws(cloud, monkeypatch, tmp_path):
    """The environment of somebody whose AWS is the embedded cloud."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", cloud_module.REGION)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return cloud


@pytest.fixture
def dynamodb(aws):
    client = aws.client("dynamodb")
    empty(client)
    return client


def empty(client):
    for item in client.scan(TableName=TABLE)["Items"]:
        client.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})


@pytest.fixture
def table(dynamodb):
    return IncidentTable(dynamodb, TABLE)


@pytest.fixture
def tocsin(capsys):
    def call(*arguments):
        status = main(arguments)
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def answered(result):
    status, out, err = result
    assert (status, err) == (0, "")
    return json.loads(out)


def keep(table, *alerts, service="worker", **changes):
    """An open incident of a service, as detect leaves it."""
    made = incident(*alerts, service=service, opened_at=now() - HOUR, **changes)
    table.save(made, 0, due=now() + HOUR if made.resolved_at is None else None)
    return made


# --- silence ---


def add(*more):
    return ("silence", "add", "--for", "2h", "--reason", "the partner knows", "--author", "Ada", *more)


def test_a_silence_is_kept_as_it_was_given_and_ends_when_it_was_said(table, tocsin):
    before = now()
    report = answered(
        tocsin(*add("--signature", "s3-*", "--service", "worker", "--field", "bucket=a=b*", "--json"))
    )
    (kept,) = table.silences()
    assert before <= kept.created_at <= now()
    expected = Silence(kept.id, kept.created_at + 2 * HOUR, "the partner knows", "Ada", kept.created_at, "s3-*", "worker", {"bucket": "a=b*"})  # fmt: skip
    assert kept == expected
    assert (report["id"], report["state"], report["fields"]) == (kept.id, "active", {"bucket": "a=b*"})


def test_it_is_said_how_much_of_what_fires_is_muted(table, tocsin):
    resolved = replace(DLQ, state=AlertState.RESOLVED)
    keep(table, IMPORT_ERROR, BUCKET, resolved)
    keep(table, IMPORT_ERROR, service="backend", id="other")
    assert answered(tocsin(*add("--service", "worker", "--json")))["firing_alerts"] == 2
    status, out, _ = tocsin(*add("--field", "module=mang*"))
    assert status == 0
    assert "mutes 2 firing alerts" in out
    assert "backend: import-module-error module=mangum" in out
    assert "Nothing that it covers fires now" in tocsin(*add("--field", "module=none"))[1]
    assert [r["alerts_silenced"] for r in answered(tocsin("incidents", "list", "--json"))["incidents"]] in (
        [1, 2],
        [2, 1],
    )


def test_a_mistyped_signature_or_service_is_said_and_the_silence_is_made(table, tocsin):
    status, _, err = tocsin(*add("--signature", "database-nonne", "--service", "wrkr"))
    assert status == 0
    assert "did you mean database-none?" in err
    assert "'wrkr'" in err
    assert len(table.silences()) == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--for", "31d", "--service", "a"), "--for: 31 d from now, the most is 30 d"),
        (("--for", "soon", "--service", "a"), "--for: 'soon' is not a duration"),
        (("--for", "0s", "--service", "a"), "--for: must be after"),
        (("--until", "2020-01-01T00:00Z", "--service", "a"), "--until: 2020-01-01 00:00 UTC is over"),
        (("--until", "tomorrow", "--service", "a"), "--until: 'tomorrow' is not a time"),
        (("--until", "2999-01-01", "--service", "a"), "--until: "),
        (("--for", "1h"), "--signature: a signature, a service or a field must be given"),
        (("--for", "1h", "--field", "a=1", "--field", "a=2"), "--field: a field is named twice"),
        (("--for", "1h", "--service", "a" * 201), "--service: 201 characters"),
    ],
)
def test_what_cannot_be_a_silence_is_refused_before_aws_is_asked(tocsin, arguments, word, monkeypatch):
    monkeypatch.setattr("boto3.Session", None)
    status, out, err = tocsin("silence", "add", "--reason", "r", "--author", "a", *arguments)
    assert (status, out) == (1, "")
    assert f"tocsin silence: {word}" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--service", "a", "--reason", "r"),
        ("--service", "a", "--for", "1h"),
        ("--service", "a", "--for", "1h", "--until", "2026-11-22", "--reason", "r"),
        ("--field", "bucket", "--for", "1h", "--reason", "r"),
    ],
    ids=["no end", "no reason", "two ends", "a field without a value"],
)
def test_end_and_reason_are_required(tocsin, arguments):
    with pytest.raises(SystemExit, match="2"):
        tocsin("silence", "add", *arguments)


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_an_empty_reason_is_none(tocsin, reason):
    status, _, err = tocsin(
        "silence", "add", "--service", "a", "--for", "1h", "--reason", reason, "--author", "a"
    )
    assert (status, "--reason: required" in err) == (1, True)


def test_the_author_is_who_git_knows_else_the_user(table, tocsin, tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    for name in [each for each in os.environ if each.startswith(("GIT_AUTHOR", "EMAIL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("USER", "ada")
    arguments = ("silence", "add", "--for", "1h", "--reason", "r", "--service", "worker", "--json")
    assert answered(tocsin(*arguments))["author"] == "ada"
    subprocess.run(["git", "config", "user.name", "Ada Lovelace"], check=True)
    assert answered(tocsin(*arguments))["author"] == "Ada Lovelace"
    subprocess.run(["git", "config", "user.email", "ada@example.com"], check=True)
    assert answered(tocsin(*arguments))["author"] == "Ada Lovelace <ada@example.com>"


def kept_silence(table, name="s-abc123", **changes):
    made = replace(Silence(name, now() + HOUR, "why", "Ada", now() - HOUR, service="worker"), **changes)
    table.put_silence(made)
    return made


def test_the_list_has_the_active_ones_and_with_all_the_expired_ones(table, tocsin):
    assert tocsin("silence", "list")[1] == "Nothing is silenced.\n"
    kept_silence(table)
    kept_silence(table, "s-old", expires_at=now() - 1)
    assert [s["id"] for s in answered(tocsin("silence", "list", "--json"))["silences"]] == ["s-abc123"]
    everything = answered(tocsin("silence", "list", "--all", "--json"))["silences"]
    assert [(s["id"], s["state"]) for s in everything] == [("s-old", "expired"), ("s-abc123", "active")]
    assert "s-abc123" in tocsin("silence", "list")[1]


def test_expiring_ends_it_now_and_again_changes_nothing(table, tocsin):
    made = kept_silence(table)
    assert answered(tocsin("silence", "expire", "s-abc", "--json"))["state"] == "expired"
    (ended,) = table.silences()
    assert ended.created_at < ended.expires_at <= now()
    assert ended == replace(made, expires_at=ended.expires_at)
    status, out, _ = tocsin("silence", "expire", "s-abc123")
    assert (status, "had expired already" in out) == (0, True)
    assert table.silences() == (ended,)


def test_a_silence_that_another_clock_made_in_the_future_can_be_ended_too(table, tocsin):
    made = kept_silence(table, created_at=now() + HOUR, expires_at=now() + 2 * HOUR)
    assert tocsin("silence", "expire", made.id)[0] == 0
    assert table.silences()[0].expires_at == made.created_at + 1


def test_what_names_no_silence_or_two_is_refused(table, tocsin):
    status, _, err = tocsin("silence", "expire", "s-1")
    assert (status, "stack tocsin in us-east-1 has no silence 's-1'" in err) == (1, True)
    first, second = kept_silence(table, "s-11"), kept_silence(table, "s-12")
    status, _, err = tocsin("silence", "expire", "s-1")
    assert (status, "s-11, s-12" in err) == (1, True)
    assert sorted(table.silences(), key=lambda silence: silence.id) == [first, second]


# --- incidents ---


def test_open_incidents_are_listed_the_latest_first_and_those_that_are_over_only_with_all(table, tocsin):
    assert tocsin("incidents", "list")[1] == "No incident is open.\n"
    older = keep(table, IMPORT_ERROR, service="worker", id="20260731-1")
    over = incident(BUCKET, service="worker", id="20260730-1", resolved_at=now(), opened_at=5)
    table.save(older, 1, due=now(), closed=over)
    keep(table, BUCKET, service="not-in-the-configuration", id="20260731-2")
    keep(table, BUCKET, service="quiet", id="20260729-1", resolved_at=now())
    listed = answered(tocsin("incidents", "list", "--json"))["incidents"]
    assert [each["id"] for each in listed] == ["20260731-2", "20260731-1"]
    everything = answered(tocsin("incidents", "list", "--all", "--json"))["incidents"]
    assert {each["id"] for each in everything} == {"20260731-2", "20260731-1", "20260730-1", "20260729-1"}
    assert [each["state"] for each in everything if each["id"] in ("20260730-1", "20260729-1")] == [
        "resolved"
    ] * 2
    of_one = answered(tocsin("incidents", "list", "--all", "--service", "worker", "--json"))["incidents"]
    assert [each["id"] for each in of_one] == ["20260731-1", "20260730-1"]
    assert tocsin("incidents", "list", "--service", "quiet")[1] == "No incident of quiet is open.\n"


def test_a_row_says_which_how_bad_since_when_and_how_much(table, tocsin):
    made = keep(table, DLQ, IMPORT_ERROR, replace(BUCKET, state=AlertState.RESOLVED), sequence=4)
    (row,) = answered(tocsin("incidents", "list", "--json"))["incidents"]
    assert row == {
        "id": made.id, "service": "worker", "state": "firing", "severity": "critical",
        "title": "Lambda cannot import its handler", "opened_at": row["opened_at"], "resolved_at": None,
        "last_seen": "2026-07-31T03:12:00.345Z", "occurrences": 1245, "alerts_firing": 2, "alerts_resolved": 1,
        "alerts_silenced": 0, "notifications": 4,
    }  # fmt: skip
    out = tocsin("incidents", "list")[1]
    assert "Lambda cannot import its handler +2 more" in out
    assert made.id in out


def test_listing_open_incidents_reads_the_index_and_never_the_table(table, tocsin, monkeypatch):
    keep(table, IMPORT_ERROR)
    scans = []

    def seen(model, params, **_):
        if model.name == "Scan":
            scans.append(json.loads(params["body"]).get("IndexName"))

    session = boto3.Session
    monkeypatch.setattr(boto3, "Session", lambda **given: _watched(session(**given), seen))
    tocsin("incidents", "list")
    tocsin("incidents", "list", "--all", "--service", "worker")
    tocsin(*add("--service", "worker"))
    assert scans
    assert set(scans) == {"due"}


def _watched(session, seen):
    session.events.register("before-call.dynamodb", seen)
    return session


def test_one_incident_is_shown_by_its_service_or_its_id_open_or_over(dynamodb, table, tocsin):
    made = keep(table, IMPORT_ERROR, id="20260731-1", sequence=3, pace=Pace(notified_at=5), outbox=(pending(Reason.UPDATE, sequence=3),))  # fmt: skip
    over = incident(BUCKET, service="worker", id="20260730-1", resolved_at=now(), opened_at=5)
    table.save(made, 1, due=now(), closed=over)
    kept_silence(table, service="", signature="import-*", reason="a release fixes it")
    store = DeliveryStore(dynamodb, TABLE)
    store.claim(made.id, 2, "me", now(), 1000)
    store.release(made.id, 2, "me", now(), DeliveryRecord("C1", "17.5", 2, "1-2"), unconfirmed=False)
    by_service = answered(tocsin("incidents", "show", "worker", "--json"))
    assert by_service == answered(tocsin("incidents", "show", "20260731-1", "--json"))
    (alert,) = by_service["alerts"]
    assert alert["silenced_by"] == ["s-abc123"]
    assert (alert["occurrences"], alert["fields"]) == (1204, {"module": "mangum"})
    assert alert["sample"] == IMPORT_ERROR.sample
    assert by_service["slack"] == [
        {
            "destination": "default",
            "channel": "C1",
            "message": "17.5",
            "shown": 2,
            "delivered": "1-2",
            "unconfirmed": [],
        }
    ]
    assert [due["reason"] for due in by_service["waiting"]] == ["update"]
    assert answered(tocsin("incidents", "show", "20260730-1", "--json"))["state"] == "resolved"
    status, out, _ = tocsin("incidents", "show", "worker")
    assert status == 0
    for word in ("20260731-1", "module = mangum", "s-abc123: a release fixes it", "message 17.5 in C1", "waiting to be sent: update", "Runtime.ImportModuleError"):  # fmt: skip
        assert word in out


def test_an_incident_that_does_not_exist_is_an_error_that_says_where_to_look(table, tocsin):
    status, out, err = tocsin("incidents", "show", "nothing")
    assert (status, out) == (1, "")
    assert "`tocsin incidents list --all`" in err


def test_a_signature_that_the_checkout_does_not_know_is_shown_by_its_id(table, tocsin):
    keep(table, replace(IMPORT_ERROR, signature="of-tomorrow"))
    (row,) = answered(tocsin("incidents", "list", "--json"))["incidents"]
    assert (row["title"], row["severity"]) == ("of-tomorrow", None)
    assert tocsin("incidents", "show", "worker")[0] == 0


def test_a_broken_checkout_does_not_keep_an_incident_from_being_shown(table, tocsin, tmp_path):
    keep(table, IMPORT_ERROR)
    (tmp_path / "tocsin.toml").write_text("[[[")
    status, out, err = tocsin("incidents", "list", "--root", str(tmp_path))
    assert (status, "import-module-error" in out, "titles and severities are left out" in err) == (
        0,
        True,
        True,
    )


def test_one_document_that_cannot_be_read_hides_no_other(dynamodb, table, tocsin):
    keep(table, IMPORT_ERROR)
    dynamodb.put_item(
        TableName=TABLE,
        Item={"pk": {"S": "G#broken"}, "sk": {"S": "CURRENT"}, "doc": {"S": "{"}, "grp": {"S": "broken"}, "due": {"N": "1"}},
    )  # fmt: skip
    status, out, err = tocsin("incidents", "list")
    assert (status, "worker" in out, "cannot be read: broken" in err) == (0, True, True)


def test_no_text_out_of_a_log_or_of_a_person_acts_on_the_terminal(dynamodb, table, tocsin):
    text = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e[bold]\u2066\x00\x1f"
    keep(
        table,
        replace(
            IMPORT_ERROR, sample=text, fields={"module": text, text: "x"}, origin=replace(IMPORT_ERROR.origin, log_group=text, log_stream=text, alarm=text), signature=text
        ),
        id=f"i{text}",
    )  # fmt: skip
    table.put_silence(
        Silence(f"s{text}", now() + HOUR, text, text, now() - 1, service="work*", fields={text: "*"})
    )
    dynamodb.put_item(
        TableName=TABLE,
        Item={"pk": {"S": f"G#{text}"}, "sk": {"S": "CURRENT"}, "doc": {"S": text}, "grp": {"S": text}, "due": {"N": "1"}},
    )  # fmt: skip
    looks = [("incidents", "list"), ("incidents", "show", "worker"), ("silence", "list")]
    for arguments in (*looks, add("--field", "module=*", "--service", text), ("silence", "expire", text)):
        _, out, err = tocsin(*arguments)
        assert out + err
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out + err)
    for arguments in looks:
        assert tocsin(*arguments, "--json")[1].isascii()


# --- which Tocsin ---


def test_another_stack_is_named_by_its_name(aws, tocsin):
    create_stack(aws.client("cloudformation"), "tocsin-staging", template("of-staging"))
    assert tocsin("incidents", "list", "--stack", "tocsin-staging")[0] == 0
    status, out, _ = tocsin(*add("--service", "worker"), "--stack", "tocsin-staging")
    assert status == 0
    assert "in stack tocsin-staging in us-east-1" in out
    assert "--stack tocsin-staging" in out.splitlines()[-1]


@pytest.mark.parametrize("command", [("incidents", "list"), ("incidents", "show", "x"), ("silence", "list"), ("silence", "expire", "x")])  # fmt: skip
def test_a_stack_that_is_not_there_is_named_with_its_region_and_what_to_do(aws, tocsin, command):
    status, out, err = tocsin(*command, "--stack", "nope", "--region", "us-east-2")
    assert (status, out) == (2, "")
    assert "there is no stack nope in us-east-2" in err
    assert "--region" in err
    assert "--local" in err


def test_a_stack_of_something_else_is_no_tocsin(aws, tocsin):
    create_stack(
        aws.client("cloudformation"), "other", {**template("of-other"), "Outputs": {"Other": {"Value": "x"}}}
    )
    status, _, err = tocsin("incidents", "list", "--stack", "other")
    assert (status, "(CREATE_COMPLETE) has no output TableName" in err) == (2, True)


def test_a_table_that_is_gone_is_said(aws, tocsin):
    create_stack(aws.client("cloudformation"), "robbed", template("of-robbed"))
    aws.client("dynamodb").delete_table(TableName="of-robbed")
    status, _, err = tocsin("incidents", "list", "--stack", "robbed")
    assert (status, "the table of stack robbed is gone" in err) == (2, True)


def test_no_region_and_no_credentials_are_said(monkeypatch, tocsin, tmp_path):
    for name in (
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    status, _, err = tocsin("incidents", "list")
    assert (status, "no Region" in err, "AWS_REGION" in err) == (2, True, True)
    status, _, err = tocsin("incidents", "list", "--region", "eu-west-1")
    assert (status, "no AWS credentials" in err, "aws sso login" in err) == (2, True, True)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    status, _, err = tocsin("silence", "list")
    assert (status, "(nobody)" in err) == (2, True)


def test_an_endpoint_where_nothing_answers_is_said(monkeypatch, tocsin, aws):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    status, _, err = tocsin("incidents", "list")
    assert (status, "127.0.0.1:9" in err, "AWS_ENDPOINT_URL" in err) == (2, True, True)


def test_the_region_is_that_of_the_option_or_of_either_variable(aws, tocsin, monkeypatch):
    def asked(*more):
        return re.findall(r"in (\S+)\.", tocsin("incidents", "list", "--stack", "nope", *more)[2])[0]

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert asked() == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert asked() == "eu-west-2"
    assert asked("--region", "eu-west-3") == "eu-west-3"


@pytest.mark.parametrize(
    ("code", "operation", "words"),
    [
        (
            "AccessDeniedException",
            "Query",
            "not allowed to dynamodb:Query: ask for that action on stack tocsin",
        ),
        ("AccessDenied", "DescribeStacks", "not allowed to cloudformation:DescribeStacks"),
        ("ExpiredToken", "DescribeStacks", "does not accept these credentials (ExpiredToken)"),
        ("ThrottlingException", "Scan", "dynamodb:Scan: ThrottlingException: words of AWS"),
    ],
)
def test_what_aws_refuses_names_the_action_or_the_credentials(table, code, operation, words):
    with pytest.raises(DeployedError, match=re.escape(words)), deployed(Namespace(local=False, stack="tocsin", region=None)):  # fmt: skip
        raise ClientError({"Error": {"Code": code, "Message": "words of AWS"}}, operation)


# --- tocsin local ---


def test_without_a_tocsin_local_it_is_said_how_to_start_one(monkeypatch, tmp_path, tocsin):
    monkeypatch.setattr(deployed_module, "LOCAL_FILE", tmp_path / "local.json")
    status, _, err = tocsin("incidents", "list", "--local")
    assert (status, "no `tocsin local` is running" in err, "tocsin local" in err) == (2, True, True)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"aws_endpoint": 1}'])
def test_a_broken_file_of_a_tocsin_local_is_said(tmp_path, text):
    (tmp_path / "local.json").write_text(text)
    with pytest.raises(DeployedError, match="cannot be read"):
        running_local(tmp_path / "local.json")


def test_the_file_that_a_killed_tocsin_local_left_is_recognised(tmp_path):
    write_ready_file({"aws_endpoint": "http://127.0.0.1:9", "table": "t"}, tmp_path / "local.json")
    with pytest.raises(DeployedError, match="where nothing answers"):
        running_local(tmp_path / "local.json")


def test_a_tocsin_local_takes_back_its_own_file_and_no_other(tmp_path):
    file = tmp_path / "deep" / "local.json"
    first, second = ({"aws_endpoint": f"http://127.0.0.1:{port}", "table": "t"} for port in (1, 2))
    write_ready_file(first, file)
    write_ready_file(second, file)
    remove_ready_file(first, file)
    assert json.loads(file.read_text()) == second
    remove_ready_file(second, file)
    assert list(file.parent.iterdir()) == []
    remove_ready_file(second, file)  # again is no error
