"""The backtest reads logs of every kind, never holds them whole, and says what would have been sent."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import weakref
from pathlib import Path

import boto3
import jsonschema
import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st
from line_by_line import read_text
from outages import write_outage
from rich.console import Console

from tocsin_cli.backtest import cloudwatch as cloudwatch_history
from tocsin_cli.backtest.cloudwatch import logs_client, read_log_group, time_of
from tocsin_cli.backtest.external_sort import in_time_order
from tocsin_cli.backtest.html import render_backtest_page
from tocsin_cli.backtest.line_times import FALLBACK_START
from tocsin_cli.backtest.log_files import Reading, files_below
from tocsin_cli.backtest.timeline import show_report, sparkline, summary
from tocsin_cli.main import main
from tocsin_cli.simulation import LoggedLine
from tocsin_cli.timestamps import parse_time

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def outages(tmp_path_factory):
    """A folder with one file for each outage."""
    folder = tmp_path_factory.mktemp("outages")
    for name in "ABCDE":
        write_outage(name, folder)
    return folder


AT = 1_769_990_591_201  # 2026-02-02T00:03:11.201Z
BOOM = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


def read(text, *, group="", year=2026, **options):
    reading = Reading(group, **options)
    return list(read_text(io.StringIO(text), reading, log_group=group, year=year)), reading.problems


def times(text, **options):
    return [line.timestamp for line in read(text, **options)[0]]


# --- reading ---


def test_json_lines_bring_their_time_group_and_stream():
    lines, problems = read(
        json.dumps({"message": "a", "timestamp": AT, "logGroup": "/g", "logStream": "s", "label": "x"})
        + "\n"
        + json.dumps({"message": "b\nc", "timestamp": "2026-02-02T00:03:12Z"})
        + "\n\n"
        + json.dumps({"message": "d"})
    )
    assert lines == [
        LoggedLine(AT, "a", "/g", "s"),
        LoggedLine(AT + 799, "b\nc", "backtest"),
        LoggedLine(AT + 800, "d", "backtest"),
    ]
    assert problems == []


def test_a_time_that_cannot_be_read_is_said_and_the_line_is_kept():
    lines, problems = read(
        '{"message":"a","timestamp":1770000000000}\n{"message":"b","timestamp":"yesterday"}\n'
    )
    assert [line.timestamp for line in lines] == [1_770_000_000_000, 1_770_000_000_001]
    assert problems == ["-: a time that cannot be read ('yesterday'); taken as just after the line before"]


def test_a_json_log_of_an_application_is_a_message_as_a_whole():
    entry = {"level": "ERROR", "message": "x", "timestamp": "2026-02-02T00:03:11.201Z"}
    assert read(json.dumps(entry))[0] == [LoggedLine(AT, json.dumps(entry), "backtest")]
    platform = {
        "time": "2026-02-02T00:03:11.201Z",
        "type": "platform.report",
        "record": {"status": "timeout"},
    }
    assert read(json.dumps(platform))[0][0] == LoggedLine(AT, json.dumps(platform), "backtest")


@pytest.mark.parametrize("indent", [None, 4])
def test_what_the_aws_command_prints_is_read(indent):
    events = [
        {"logStreamName": "s", "timestamp": AT + n, "message": f"m{n}\n{{", "eventId": str(n)}
        for n in range(300)
    ]
    lines, problems = read(
        json.dumps({"events": events, "searchedLogStreams": []}, indent=indent), group="/g"
    )
    assert lines == [LoggedLine(AT + n, f"m{n}\n{{", "/g", "s") for n in range(300)]
    assert problems == []


def test_an_answer_that_breaks_off_is_read_as_far_as_it_goes_and_said():
    text = json.dumps(
        {"events": [{"timestamp": AT, "message": "a"}, {"timestamp": AT, "message": "b"}]}, indent=2
    )
    lines, problems = read(text[: text.index('"b"')])
    assert [line.message for line in lines] == ["a"]
    assert "breaks off" in problems[0]


def test_a_text_that_only_begins_like_json_is_text():
    assert [line.message for line in read("{ not json\nRuntimeError: x\n")[0]] == [
        "{ not json",
        "RuntimeError: x",
    ]


def test_aws_logs_tail_is_read_without_what_it_puts_before_each_message():
    text = f"2026-02-02T00:03:11.201000+00:00 2026/02/02/[$LATEST]8f6b {BOOM}\n"
    assert read(text)[0] == [LoggedLine(AT, BOOM, "backtest", "2026/02/02/[$LATEST]8f6b")]


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2026-02-02T00:03:11.201Z x", AT),
        ("2026-02-02 00:03:11,201 ERROR x", AT),
        ("2026-02-02T01:03:11.201+01:00 x", AT),
        ("[ERROR]\t2026-02-02T00:03:11.201Z\tid\tx", AT),
        ('10.0.0.1 - - [02/Feb/2026:00:03:11 +0000] "GET /" 200', AT - 201),
        ("[Mon Feb 02 00:03:11 2026] [error] x", AT - 201),
        ("2026/02/02 00:03:11 [error] x", AT - 201),
        ("Feb  2 00:03:11 host app[1]: x", AT - 201),
        ("1769990591.201 x", AT),
    ],
)
def test_the_times_of_many_dialects_are_read(line, at):
    assert times(line) == [at]


def test_lines_without_any_time_are_a_millisecond_apart_and_that_is_said():
    lines, problems = read("a\nb\nc\n")
    assert [line.timestamp for line in lines] == [FALLBACK_START, FALLBACK_START + 1, FALLBACK_START + 2]
    assert "no line has a time" in problems[0]


def test_a_line_without_a_time_comes_just_after_the_one_before_it():
    assert times("2026-02-02T00:03:11.201Z x\n  at y\n2026-02-02T00:03:13.201Z z\n") == [
        AT,
        AT + 1,
        AT + 2000,
    ]


def test_with_multiline_a_traceback_is_one_event():
    text = "2026-02-02T00:03:11.201Z ERROR x\nTraceback (most recent call last):\n  File y\nKeyError: 'z'\n2026-02-02T00:03:12.201Z INFO fine\n"
    lines, _ = read(text, multiline=True)
    assert [line.message.count("\n") for line in lines] == [3, 0]
    assert len(read(text)[0]) == 5


def test_lines_before_the_first_time_of_a_file_have_that_time():
    assert times(
        "START RequestId: 1 Version: 1\nno time\n2026-02-02T00:03:11.201Z x\nEND RequestId: 1\n"
    ) == [
        AT,
        AT,
        AT,
        AT + 1,
    ]


def test_no_more_lines_than_bounded_wait_for_a_time(monkeypatch):
    monkeypatch.setattr("tocsin_cli.backtest.line_times.MAX_WAITING", 2)
    assert times("a\nb\nc\n2026-02-02T00:03:11.201Z x\n") == [
        FALLBACK_START,
        FALLBACK_START + 1,
        FALLBACK_START + 2,
        AT,
    ]


def test_text_with_tracebacks_suggests_multiline_and_that_leaves_lambdas_own_lines_alone():
    text = (
        "START RequestId: 1 Version: 1\n[ERROR] KeyError: 'z'\nTraceback (most recent call last):\n  File y\n"
        "END RequestId: 1\nREPORT RequestId: 1\tDuration: 1 ms\n"
    )
    assert any("--multiline" in problem for problem in read(text)[1])
    lines, problems = read(text, multiline=True)
    assert [line.message.partition(" ")[0] for line in lines] == ["START", "[ERROR]", "END", "REPORT"]
    assert not any("--multiline" in problem for problem in problems)


@pytest.mark.parametrize("value", [None, True, "soon", -5, float("1e300"), "9" * 40, [], {"a": 1}])
def test_what_is_no_time_is_none(value):
    assert parse_time(value) is None


def test_seconds_and_milliseconds_are_told_apart():
    assert parse_time(1_769_990_591) == parse_time(1_769_990_591_000) == parse_time("1769990591") == AT - 201


@settings(max_examples=100)
@given(st.text(max_size=400))
def test_any_text_can_be_read(text):
    for line in read(text)[0]:
        assert line.timestamp >= 0


def test_folders_are_read_in_the_order_of_names_without_what_is_hidden(tmp_path):
    for name in ("b.log", "a/c.log", ".git/x", "a/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert files_below([str(tmp_path)]) == [str(tmp_path / "a/c.log"), str(tmp_path / "b.log")]


def test_what_is_not_there_is_said(capsys):
    assert main(["backtest", "no/such/file"]) == 2
    assert "no/such/file: there is no such file or folder" in capsys.readouterr().err


def test_nothing_to_read_is_said(capsys):
    assert main(["backtest"]) == 2
    assert "nothing to read" in capsys.readouterr().err


# --- order ---


@settings(max_examples=100)
@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 7))
def test_lines_are_sorted_by_time_and_stay_in_order_within_it_also_through_files(stamps, most):
    lines = [LoggedLine(at, str(place), "g", "s") for place, at in enumerate(stamps)]
    assert list(in_time_order(lines, most=most)) == sorted(lines, key=lambda line: line.timestamp)


class Tracked(str):  # noqa: SLOT000 - a str whose life can be followed
    pass


def test_no_more_lines_are_held_in_memory_than_allowed():
    held, most = [], []

    def lines():
        for number in range(2_000):
            message = Tracked("x")
            held[:] = [alive for alive in held if alive() is not None] + [weakref.ref(message)]
            most.append(len(held))
            yield LoggedLine(2_000 - number, message, "g")

    assert sum(1 for _ in in_time_order(lines(), most=50)) == 2_000
    assert max(most) <= 52


def test_a_file_with_the_newest_line_first_gives_the_same_answer(tmp_path, capsys, outages):
    path = outages / "D.jsonl"
    back = tmp_path / path.name
    entries = path.read_text("utf-8").splitlines()
    back.write_text("\n".join(sorted(entries, key=lambda entry: -json.loads(entry)["timestamp"])), "utf-8")
    assert [n["reason"] for n in report(capsys, path)["notifications"]] == [
        n["reason"] for n in report(capsys, back)["notifications"]
    ]


# --- the command ---


def report(capsys, *arguments):
    assert main(["backtest", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_report_says_what_would_have_been_told(tmp_path, capsys, outages):
    entries = (outages / "B.jsonl").read_text("utf-8").splitlines()
    path = tmp_path / "until-the-fix.jsonl"
    path.write_text("\n".join(entry for entry in entries if "/api/v1/courses 200" not in entry), "utf-8")
    answer = report(capsys, path)
    assert (answer["version"], answer["lines"], answer["occurrences"]) == ("1", 7_863, 7_863)
    assert answer["messages"] == len(answer["notifications"])
    (incident,) = answer["incidents"]
    assert (incident["opened_at"][:16], incident["service"]) == ("2026-02-02T00:03", "backend")
    assert incident["notifications"][0]["reason"] == "opened"
    after_end = [entry["reason"] for entry in incident["notifications"] if entry["after_end"]]
    assert after_end[-1] == "resolved"
    assert len(after_end) < 3
    assert {alert["signature"]: alert["count"] for alert in incident["alerts"]} == answer["signatures"]
    schema = json.loads((ROOT / "docs" / "notification.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for notification in answer["notifications"]:
        validator.validate(notification)


def test_the_report_is_the_same_every_time(capsys, outages):
    several = [outages / f"{name}.jsonl" for name in "ACDE"]
    first = report(capsys, *several)
    assert len(first["incidents"]) == 8
    assert report(capsys, *several) == first


def test_intervals_can_be_set(capsys, outages):
    path = outages / "A.jsonl"
    often, rare = report(capsys, path), report(capsys, path, "--set", "group_interval=3h")
    assert rare["intervals"]["group_interval"] == 10_800
    assert rare["messages"] < 10 < often["messages"]


@pytest.mark.parametrize("setting", ["group_interval", "nothing=5m", "=", "runbooks=x"])
def test_what_is_no_interval_is_refused(setting, capsys):
    with pytest.raises(SystemExit):
        main(["backtest", "-", "--set", setting])
    assert "is not KEY=VALUE" in capsys.readouterr().err


def test_an_interval_of_nonsense_is_said_in_the_words_of_check(capsys, outages):
    assert main(["backtest", str(outages), "--set", "group_wait=soon"]) == 1
    assert "TOCSIN_GROUP_WAIT" in capsys.readouterr().err


def test_standard_input_and_compressed_files_are_read(tmp_path, monkeypatch, capsys):
    line = json.dumps({"message": BOOM, "timestamp": AT})
    (tmp_path / "a.gz").write_bytes(gzip.compress(line.encode()))
    assert report(capsys, tmp_path / "a.gz")["messages"] == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(line.encode()))))
    assert report(capsys, "-")["messages"] == 2


def test_lines_of_no_group_are_put_into_the_one_given(tmp_path, capsys):
    (tmp_path / "a.log").write_text(f"2026-02-02T00:03:11Z {BOOM}\n")
    assert report(capsys, tmp_path / "a.log")["incidents"][0]["service"] == "a (log group)"
    named = report(capsys, tmp_path / "a.log", "--log-group", "/aws/lambda/prod-worker-1")
    assert named["incidents"][0]["service"] == "worker"


def test_nothing_found_is_an_answer_too(tmp_path, capsys):
    (tmp_path / "a.log").write_text("2026-02-02T00:03:11Z INFO fine\n")
    answer = report(capsys, tmp_path / "a.log")
    assert (answer["messages"], answer["incidents"], answer["first_line"]) == (
        0,
        [],
        "2026-02-02T00:03:11.000Z",
    )
    (tmp_path / "empty").write_text("")
    assert report(capsys, tmp_path / "empty")["lines"] == 0
    assert "Nobody would have been notified" in render_backtest_page(answer)


def test_on_a_terminal_the_first_line_says_it_all(capsys, outages):
    assert main(["backtest", str(outages / "A.jsonl")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == (
        "168 lines · 72 occurrences · 1 incident · 1 message in the channel, 1 reply, 35 silent edits; by webhook 8"
    )
    assert any("14:02:17" in line and "opened" in line for line in out)
    assert any("update ×" in line for line in out)


def test_many_incidents_are_not_all_shown_unless_asked_for(tmp_path, capsys):
    lines = [
        {"message": "[ERROR] No module named 'x'", "timestamp": AT + hour * 3_600_000, "logGroup": "/g"}
        for hour in range(0, 80 * 26, 26)
    ]
    path = str(tmp_path / "hourly.jsonl")
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines))
    main(["backtest", path])
    short = capsys.readouterr().out
    main(["backtest", path, "--all"])
    assert "more incidents" in short
    assert len(short) < len(capsys.readouterr().out) / 2


def test_log_text_cannot_command_the_terminal_nor_the_page(tmp_path, capsys):
    hostile = "No module named 'x\x1b]0;owned\x07<script>alert(1)</script>'"
    line = {"message": f"[ERROR] {hostile}", "timestamp": AT, "logGroup": "/g/<b>\x1b[31m"}
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    page = tmp_path / "page.html"
    assert main(["backtest", str(tmp_path / "a.jsonl"), "--html", str(page)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert "<script" not in page.read_text()
    assert "<b>\x1b" not in page.read_text()


def test_secrets_are_in_none_of_the_answers(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"message": f"{BOOM} password=hunter2hunter2", "timestamp": AT})
    )
    page = tmp_path / "page.html"
    assert main(["backtest", str(tmp_path / "a.jsonl"), "--json", "--html", str(page)]) == 0
    assert "hunter2" not in capsys.readouterr().out + page.read_text()


def test_the_page_has_the_timeline_and_the_messages(tmp_path, outages):
    page = tmp_path / "deep" / "page.html"
    assert main(["backtest", str(outages / "D.jsonl"), "--html", str(page)]) == 0
    text = page.read_text()
    assert text.count("<circle") >= 10
    assert "Lambda runs into its time limit" in text
    assert "connect-src" not in text.partition("</head>")[0]
    assert "default-src 'none'" in text


def test_bars_rise_with_the_occurrences():
    minutes = [["2026-02-02T00:00:00.000Z", 1], ["2026-02-02T00:02:00.000Z", 8]]
    assert sparkline(minutes, "2026-02-02T00:00:10.000Z", "2026-02-02T00:03:59.000Z") == "▁ █ "


def test_a_summary_counts_in_words():
    slack = {
        "mode": "bot", "incidents": 0, "messages": 0, "replies": 1, "silent_edits": 5, "by_webhook": 7, "after_end": 0
    }  # fmt: skip
    counted = {"lines": 14_302, "occurrences": 1, "slack": slack}
    assert summary(counted) == "14,302 lines · 1 occurrence · nobody would have been notified"
    assert summary({**counted, "slack": {**slack, "incidents": 1, "messages": 1, "after_end": 2}}) == (
        "14,302 lines · 1 occurrence · 1 incident · 1 message in the channel, 1 reply, 5 silent edits; by webhook 7"
        " · 2 of these after the last line"
    )
    one = {**slack, "mode": "webhook", "incidents": 1, "messages": 1, "after_end": 2}
    assert summary({**counted, "slack": one}) == (
        "14,302 lines · 1 occurrence · 1 incident · 7 messages in the channel; with a bot 1 message, 1 reply, 5 silent edits"
        " · 2 of the 7 after the last line"
    )


def test_what_people_see_adds_up_to_the_notifications(capsys, outages):
    answer = report(capsys, outages / "D.jsonl")
    slack = answer["slack"]
    assert slack["messages"] + slack["replies"] + slack["silent_edits"] == answer["messages"]
    assert slack["messages"] < slack["by_webhook"] <= answer["messages"]
    assert slack["incidents"] == sum(bool(incident["notifications"]) for incident in answer["incidents"])
    assert slack["after_end"] == sum(
        entry["after_end"] for incident in answer["incidents"] for entry in incident["notifications"]
    )


def test_the_page_speaks_of_the_mode_that_is_set_and_draws_its_messages(tmp_path, capsys, outages):
    shown = {}
    for mode in ("bot", "webhook"):
        page = tmp_path / f"{mode}.html"
        assert main(["backtest", str(outages / "A.jsonl"), "--mode", mode, "--html", str(page)]) == 0
        shown[mode] = page.read_text()
    assert "<b>1</b>messages in the channel" in shown["bot"]
    assert "<b>8</b>messages, if by webhook" in shown["bot"]
    assert "incoming webhook" not in shown["bot"]
    assert "<b>8</b>messages in the channel" in shown["webhook"]
    assert "<b>1</b>messages, if with a bot" in shown["webhook"]
    assert "incoming webhook" in shown["webhook"]
    assert "2 more messages in between are not drawn" in shown["webhook"]


def test_thirty_services_that_lose_one_host_are_one_message_by_bot_and_two_by_webhook(tmp_path, capsys):
    line = 'could not translate host name "db-1.example.internal" to address: Name or service not known'
    events = [
        {
            "message": f"[ERROR] {line}",
            "timestamp": AT + number * 30,
            "logGroup": f"/aws/lambda/service-{number}",
        }
        for number in range(30)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    slack = report(capsys, tmp_path / "a.jsonl")["slack"]
    assert (slack["incidents"], slack["messages"]) == (30, 1)
    assert slack["by_webhook"] == 2 + 30  # the end of each is told


# --- two versions ---


@pytest.fixture
def history(tmp_path):
    """A repository whose signatures changed since the tag ``before``."""
    root = tmp_path / "functions"
    (root / "signatures").mkdir(parents=True)
    table = (
        '[{name}]\ntitle = "{name}"\nseverity = "high"\nsummary = "s"\nfirst_action = "f"\nrunbook = "{name}.md"\n'
        "any = ['''{expression}''']\nmatches = [\"x\"]\nignores = [\"y\"]\n"
    )

    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    (root / "tocsin.toml").write_text('[intervals]\nresolve_after = "15m"\n')
    (root / "signatures" / "a.toml").write_text(table.format(name="kaboom", expression="Kaboom"))
    git("add", ".")
    git("commit", "-q", "-m", "before")
    git("tag", "before")
    (root / "signatures" / "b.toml").write_text(table.format(name="sluggish", expression="Sluggish"))
    (root / "signatures" / "a.toml").write_text(table.format(name="kaboom", expression="Kaboom in core"))
    lines = [("Kaboom in core", 0), ("Kaboom in tests", 3_600_000), ("Sluggish reply", 7_200_000)]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps({"message": message, "timestamp": AT + at}) for message, at in lines))
    return root, log


def test_two_versions_of_the_signatures_are_compared_on_the_same_lines(history, capsys):
    root, log = history
    answer = report(capsys, log, "--root", root, "--changed-since", "before")
    comparison = answer["comparison"]
    assert comparison["messages"] == {"before": 4, "after": 4}
    assert comparison["signatures"] == {
        "kaboom": {"before": 2, "after": 1},
        "sluggish": {"before": 0, "after": 1},
    }
    assert [(entry["reason"], entry["title"]) for entry in comparison["only_before"]] == [
        ("regressed", "kaboom"),
        ("resolved", "kaboom"),
    ]
    assert {entry["title"] for entry in comparison["only_after"]} == {"sluggish"}
    console = Console(file=io.StringIO(), width=120)
    show_report(answer, console=console)
    assert "Since before: 4 → 4 messages" in console.file.getvalue()
    assert "Since before" in render_backtest_page(answer)


@pytest.mark.parametrize("ref", ["no-such-ref", "--output=x"])
def test_what_is_no_reference_is_said(history, capsys, ref):
    root, log = history
    assert main(["backtest", str(log), "--root", str(root), f"--changed-since={ref}"]) == 1
    assert ref in capsys.readouterr().err


# --- CloudWatch ---


def logs():
    return boto3.client("logs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def page(events, token=None):
    answer = {
        "events": [{"timestamp": at, "message": message, "logStreamName": "s"} for at, message in events]
    }
    return answer | ({"nextToken": token} if token else {})


def test_a_log_group_is_read_page_by_page_also_where_a_page_is_empty():
    client, seen = logs(), []
    asked = {"logGroupName": "/g", "startTime": AT, "endTime": AT + 100}
    with Stubber(client) as stub:
        stub.add_response("filter_log_events", page([(AT, "a"), (AT + 5, "b")], "1"), asked)
        stub.add_response("filter_log_events", page([], "2"), asked | {"nextToken": "1"})
        stub.add_response("filter_log_events", page([(AT + 9, "c")]), asked | {"nextToken": "2"})
        lines = list(
            read_log_group(client, "/g", AT, AT + 100, lambda at, count: seen.append((at - AT, count)))
        )
        stub.assert_no_pending_responses()
    assert lines == [
        LoggedLine(AT, "a", "/g", "s"),
        LoggedLine(AT + 5, "b", "/g", "s"),
        LoggedLine(AT + 9, "c", "/g", "s"),
    ]
    assert seen == [(5, 2), (5, 0), (9, 1)]


def test_the_command_reads_a_log_group(monkeypatch, capsys):
    client = logs()
    monkeypatch.setattr(cloudwatch_history, "logs_client", lambda _region: client)
    with Stubber(client) as stub:
        stub.add_response("filter_log_events", page([(AT, BOOM)]))
        answer = report(
            capsys,
            "--log-group",
            "/aws/lambda/prod-worker-1",
            "--since",
            "2026-02-01T00:00Z",
            "--region",
            "eu-west-1",
        )
    assert answer["incidents"][0]["service"] == "worker"
    assert "eu-west-1" in answer["notifications"][0]["alerts"][0]["links"]["insights"]


def test_what_aws_refuses_is_said(monkeypatch, capsys):
    client = logs()
    monkeypatch.setattr(cloudwatch_history, "logs_client", lambda _region: client)
    with Stubber(client) as stub:
        stub.add_client_error("filter_log_events", "ResourceNotFoundException", "there is no such log group")
        assert main(["backtest", "--log-group", "/g"]) == 2
    assert "there is no such log group" in capsys.readouterr().err


def test_a_period_that_ends_before_it_begins_is_said(capsys):
    assert main(["backtest", "--log-group", "/g", "--since", "1h", "--until", "2h"]) == 2
    assert "is not before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "at"), [("7d", AT - 604_800_000), ("0s", AT), ("2026-02-02T00:03:11.201Z", AT)]
)
def test_a_moment_is_a_duration_ago_or_a_time(text, at):
    assert time_of(text, AT) == at


def test_what_is_no_moment_is_said():
    with pytest.raises(ValueError, match="neither a duration"):
        time_of("soon", AT)


def test_a_log_group_is_read_in_the_region_that_the_aws_cli_would_take(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert logs_client(None).meta.region_name == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert logs_client(None).meta.region_name == "eu-west-2"
    assert logs_client("eu-west-3").meta.region_name == "eu-west-3"


def test_the_end_says_what_no_signature_explains(tmp_path, capsys):
    log = tmp_path / "a.jsonl"
    messages = ["ERROR order 17 lost", "ERROR order 18 lost", "INFO fine", "ERROR no stock", BOOM]
    log.write_text(
        "".join(
            json.dumps({"message": text, "timestamp": AT + at, "logGroup": "/aws/lambda/backend"}) + "\n"
            for at, text in enumerate(messages)
        )
    )
    assert main(["backtest", "--json", str(log)]) == 0
    unexplained = json.loads(capsys.readouterr().out)["unexplained"]
    assert unexplained["lines"] == 3
    assert [(each["template"], each["count"]) for each in unexplained["templates"]] == [
        ("ERROR order <*> lost", 2),
        ("ERROR no stock", 1),
    ]
    assert unexplained["templates"][0]["command"] == "tocsin new order-lost --from-line 'ERROR order 17 lost'"
    assert main(["backtest", str(log)]) == 0
    assert "3 lines at error or worse that no signature explains" in capsys.readouterr().out
