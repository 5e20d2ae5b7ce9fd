"""A line that must appear: what is accepted as a rule, which lines are signs, and who is not bothered by them."""

from __future__ import annotations

import io
import itertools
import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from tocsin.adapters.files.configuration import Configuration, load_configuration, make_compiled_form
from tocsin.core.absence.expected_lines import ExpectedLines, Sign
from tocsin.core.config.settings import Service, Settings
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import Envelope, LogEvent, Severity
from tocsin.core.signatures.reader import parse_signatures
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin_cli.authoring.filter_pattern import filter_pattern
from tocsin_cli.authoring.json_schema import signature_schema
from tocsin_cli.authoring.samples import prove
from tocsin_cli.commands import filter_pattern as pattern_command
from tocsin_cli.commands.match import answers
from tocsin_cli.main import main

T0 = 1_770_000_000_000
WORKER, BACKEND = "/aws/lambda/worker", "/aws/lambda/backend"
SIGN = "[INFO]\t2025-12-20T09:00:00.000Z\t8da27dae\tClassified as: cme_certificate (0.95)"
START = "START RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808 Version: $LATEST\n"
RULE = """
[worker-does-nothing]
title        = "The worker does nothing"
source       = "absence"
severity     = "critical"
summary      = "{service} is invoked and finishes nothing."
first_action = "Look at its last deploy."
runbook      = "worker-does-nothing.md"
scope        = { services = ["worker"] }
any          = ['''\\bClassified as: ''']
matches      = ["INFO Classified as: cme_certificate (0.95)"]
ignores      = ["INFO Downloaded file from S3: 108418 bytes"]
[worker-does-nothing.absence]
within       = "1h"
work         = ['''^START RequestId: ''', '''(?m)^type: platform\\.start$''']
queues       = ["worker-queue"]
work_matches = ["START RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808 Version: $LATEST"]
work_ignores = ["END RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808"]
"""
SETTINGS = Settings(services=(Service("backend", ("*backend*",)), Service("worker", ("*worker*",))))


def read(text=RULE):
    signatures, problems = parse_signatures({"signatures/x.toml": text})
    assert problems == []
    return signatures


def problems_of(old, new):
    assert old in RULE
    return [str(each) for each in parse_signatures({"signatures/x.toml": RULE.replace(old, new, 1)})[1]]


def expected_lines(signatures=None):
    return ExpectedLines(read() if signatures is None else signatures, SETTINGS.service_of_log_group)


def raw(*lines, group=WORKER, **changes):
    events = [{"id": str(i), "timestamp": T0 + i, "message": line} for i, line in enumerate(lines)]
    document = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": group, "logStream": "s", **changes}
    return json.dumps({**document, "logEvents": events}).encode()


def test_a_rule_is_read():
    rule = read()["worker-does-nothing"]
    assert (rule.source, rule.services, rule.absence.within) == (Source.ABSENCE, ("worker",), 3_600_000)
    assert rule.absence.needs_work
    assert rule.absence.queues == ("worker-queue",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('within       = "1h"', 'within = "soon"', "absence.within: 'soon' is not a duration"),
        ('within       = "1h"', 'within = "59s"', "absence.within: must be a minute or longer"),
        ('within       = "1h"', "", "absence.within: '' is not a duration"),
        ('within       = "1h"', 'within = "1h"\nevery = 5', "absence.every: unknown key; known are within"),
        ("'''^START", "'''(^START", "absence.work[0]: not an RE2 expression"),
        ("'''^START RequestId: '''", "'''^(START)?'''", "absence.work[0]: matches the empty line"),
        ('["worker-queue"]', '"worker-queue"', "absence.queues: must be a list of strings"),
        ('work_ignores = ["END', 'work_ignores = []\nx = ["END', "absence.work: needs proof"),
        ("work         =", "x =", "absence.work: is missing, though there are samples for it"),
        ('scope        = { services = ["worker"] }', "", 'scope: is required with source = "absence"'),
        ('source       = "absence"', "", 'absence: source = "absence" and a table absence'),
        ("any          = ['''\\bClassified as: ''']", "", "any: needs at least one expression"),
        ("any  ", 'threshold = { count = 2, within = "1h" }\nany  ', "threshold: has no meaning"),
        ("any  ", 'resolve_after = "1h"\nany  ', "resolve_after: has no meaning"),
        ("any  ", 'min_level = "info"\nany  ', "min_level: has no meaning"),
        ("any  ", "catch_all = true\nany  ", "catch_all: has no meaning"),
        ("{service} is", "{kind} is", "summary: names {kind}, which no expression captures"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key(old, new, said):
    found = problems_of(old, new)
    assert any(problem.startswith(f"signatures/x.toml: worker-does-nothing.{said}") for problem in found), (
        found
    )


def test_a_table_absence_without_the_source_is_refused():
    found = problems_of('source       = "absence"', 'source = "log"')
    assert any("go together" in problem for problem in found)


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True), ({"absence": None}, False), ({"scope": None}, False), ({"resolve_after": "1h"}, False),
        ({"alarm": {"metric": ["x"]}}, False), ({"source": None}, False), ({"any": None}, False),
    ],
)  # fmt: skip
def test_the_schema_says_what_reading_says(change, fits):
    table = {**tomllib.loads(RULE)["worker-does-nothing"], **change}
    table = {key: value for key, value in table.items() if value is not None}
    validator = jsonschema.Draft202012Validator(signature_schema())
    assert validator.is_valid({"worker-does-nothing": table}) is fits


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"INFO Classified as: cme', '"INFO Declassified: cme', "matches[0]: is not taken for a sign of life"),
        ('"INFO Downloaded', '"INFO Classified as: x Downloaded', "ignores[0]: is taken for a sign of life"),
        ('work_matches = ["START', 'work_matches = ["BEGIN', "absence.work_matches[0]: is not taken for a sign of work"),
        ('work_ignores = ["END', 'work_ignores = ["START', "absence.work_ignores[0]: is taken for a sign of work"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", ["stable", "off"])
def test_samples_are_proven_those_of_a_rule_that_is_off_too(old, new, said, status):
    text = RULE.replace(old, new, 1).replace(
        "[worker-does-nothing]", f'[worker-does-nothing]\nstatus = "{status}"'
    )
    found = [str(problem) for problem in prove(read(text), {"worker-does-nothing.md"})]
    assert len(found) == 1
    assert found[0].startswith(f"signatures/x.toml: worker-does-nothing.{said}")


@pytest.mark.parametrize(
    ("line", "shows"),
    [
        (SIGN, Sign.LIFE),
        (json.dumps({"level": "INFO", "message": "Classified as: cme_certificate (0.95)"}), Sign.LIFE),
        (json.dumps({"level": "DEBUG", "message": "expected 'Classified as: x'"}), Sign.LIFE),
        (START, Sign.WORK),
        ('{"time":"2025-12-21T00:00:00.000Z","type":"platform.start","record":{"requestId":"8da"}}', Sign.WORK),
        ("END RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808", None),
        ('{"type":"platform.report","record":{}}', None),
    ],
)  # fmt: skip
def test_signs_are_found_in_text_and_in_json_at_any_level(line, shows):
    found = expected_lines().shown(line, log_group=WORKER, service="worker")
    assert [(name, sign) for name, sign, _ in found] == ([("worker-does-nothing", shows)] if shows else [])
    assert shows is None or expected_lines().may_show(raw(line))


def test_not_forbids_a_sign_of_life_and_leaves_work_alone():
    rule = replace(read()["worker-does-nothing"], none=("dry run|RequestId",))
    signs = expected_lines({rule.id: rule})
    assert signs.shown("Classified as: x (dry run)") == []
    assert [sign for _, sign, _ in signs.shown(START)] == [Sign.WORK]


def test_other_log_groups_are_told_by_their_name_and_by_nothing_else():
    signs = expected_lines()
    assert signs.may_show(raw(SIGN))
    assert not signs.may_show(raw(SIGN, group=BACKEND))
    assert not signs.may_show(raw("INFO nothing of the kind"))
    assert not signs.may_show(b'{"messageType":"CONTROL_MESSAGE"}')
    assert not signs.may_show(raw(SIGN, "x").replace(b'"/aws/lambda/worker"', b'"\\q"'))


def test_a_message_cannot_pretend_to_be_from_another_log_group():
    faked = f'"logGroup": "{WORKER}" {SIGN}'
    document = json.loads(raw(faked, group=BACKEND))
    document["logGroup"] = document.pop("logGroup")  # after the events, as nobody sends it
    assert not expected_lines().may_show(
        json.dumps({"logEvents": document["logEvents"], **document}).encode()
    )


def test_a_scope_of_log_groups_is_kept_to_as_well():
    rule = replace(read()["worker-does-nothing"], services=(), log_groups=("/aws/lambda/w*",))
    signs = expected_lines({rule.id: rule})
    assert signs.may_show(raw(SIGN))
    assert not signs.may_show(raw(SIGN, group=BACKEND))


def test_without_a_rule_or_with_one_that_is_off_nothing_is_looked_for():
    rule = replace(read()["worker-does-nothing"], status=Status.OFF)
    for signatures in ({}, {rule.id: rule}):
        assert not expected_lines(signatures)
        assert not expected_lines(signatures).may_show(raw(SIGN))
        assert expected_lines(signatures).raw_expression == ""


def test_a_sign_of_life_is_no_failure():
    assert Matcher(read()).match(SIGN) == []
    assert not Matcher(read()).might_match(raw(SIGN, START))


def test_a_signature_that_is_off_recognises_nothing():
    rule = Signature(
        id="boom", file="f", title="t", severity=Severity.HIGH, status=Status.OFF, source=Source.LOG, summary="s",
        first_action="f", runbook="r.md", any=("Kaboom",),
    )  # fmt: skip
    assert Matcher({"boom": rule}).match("Kaboom") == []
    assert [
        match.signature for match in Matcher({"boom": replace(rule, status=Status.TEST)}).match("Kaboom")
    ] == ["boom"]


def test_one_envelope_makes_one_mark_and_no_line_is_from_the_future():
    events = tuple(
        LogEvent(str(i), T0 + at, line)
        for i, (at, line) in enumerate([(0, START), (9, SIGN), (99_000, START)])
    )
    marks = list(expected_lines().observations(Envelope("e", "1", WORKER, "s", events), "worker", T0 + 50))
    assert [(mark.service, mark.signature, mark.account) for mark in marks] == [
        ("worker", "worker-does-nothing", "1")
    ]
    assert [moment.at for moment in marks[0].signs] == [T0 + 9]
    assert [moment.at for moment in marks[0].work] == [T0, T0 + 50]
    assert {moment.received_at for moment in (*marks[0].signs, *marks[0].work)} == {T0 + 50}
    assert {(moment.log_group, moment.log_stream) for moment in marks[0].work} == {(WORKER, "s")}


# --- on disk, and for people ---


@pytest.fixture
def root(tmp_path):
    (tmp_path / "signatures").mkdir()
    (tmp_path / "signatures" / "x.toml").write_text(RULE, "utf-8")
    (tmp_path / "tocsin.toml").write_text('[services.worker]\nlog_groups = ["*worker*"]\n', "utf-8")
    return tmp_path


def test_a_sealed_rule_is_the_same_and_its_search_finds_its_signs(root):
    before = load_configuration(root, {}).signatures
    assert make_compiled_form(root)
    after = load_configuration(root, {}).signatures
    assert after.keys() == before.keys()
    rule = after["worker-does-nothing"]
    assert set(rule.needed) == {*rule.any, *rule.absence.work}
    assert replace(rule, needed={}) == before["worker-does-nothing"]
    search = json.loads((root / "signatures" / "search.json").read_text("utf-8"))["expression"]
    expression = ExpectedLines(after, str).raw_expression
    assert expression
    assert expression in search


def test_work_without_a_literal_does_not_load(root):
    (root / "signatures" / "x.toml").write_text(
        RULE.replace("^START RequestId: ", r"^[A-Z]+ \w+: \d"), "utf-8"
    )
    with pytest.raises(Exception, match=r"absence\.work\[0\]: no literal"):
        load_configuration(root, {})


def test_match_says_what_a_line_shows_and_that_it_is_no_match(root, capsys, monkeypatch):
    lines = [
        json.dumps({"message": line, "logGroup": group}).encode()
        for line, group in ((SIGN, WORKER), (START, WORKER), (SIGN, BACKEND))
    ]
    configuration = load_configuration(root, {})
    assert list(answers(configuration, lines)) == [
        {"index": 0, "matches": [], "signs": [{"signature": "worker-does-nothing", "shows": "sign of life"}]},
        {"index": 1, "matches": [], "signs": [{"signature": "worker-does-nothing", "shows": "sign of work"}]},
        {"index": 2, "matches": []},
    ]  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{SIGN}\n{SIGN}\nINFO x\n".encode())))
    assert main(["match", "--root", str(root), "-"]) == 0
    said = capsys.readouterr().out
    assert "2 × sign of life for worker-does-nothing, which is no failure" in said
    assert "0 of 3 lines recognised" in said


@pytest.mark.parametrize(
    ("group", "outcome", "status"), [(WORKER, "sign of life", 0), (BACKEND, "out of scope", 3)]
)
def test_explain_says_what_a_line_shows_or_why_it_shows_nothing(root, capsys, group, outcome, status):
    assert main(["explain", "--root", str(root), "--log-group", group, "--json", SIGN]) == status
    said = json.loads(capsys.readouterr().out)
    assert [(each["signature"], each["outcome"]) for each in said["verdicts"]] == [
        ("worker-does-nothing", outcome)
    ]
    assert said["literals"] == ["Classified as"]
    assert main(["explain", "--root", str(root), "--log-group", group, SIGN]) == status
    assert outcome in capsys.readouterr().out


def test_the_filter_pattern_lets_signs_and_work_through_where_there_is_room():
    made = filter_pattern(read())
    assert made.left_out == ()
    assert {"Classified", "RequestId"} & set(made.pieces)
    assert any("platform" in piece or piece in "platform" for piece in made.pieces)


def test_the_example_in_the_manual_is_proven():
    page = (Path(__file__).parents[3] / "docs" / "signatures.md").read_text("utf-8")
    (example,) = re.findall(r"(?s)```toml\n(\[reports-are-not-sent\].*?)```", page)
    assert prove(read(example), {"reports-are-not-sent.md"}) == []


FITTING = {"signatures/aws.toml", "signatures/python.toml", "signatures/work.toml"}
"""All of them do not fit into one pattern: a deployment that needs one has fewer."""
SHIPPED = load_configuration(Path(__file__).parents[3] / "functions", {}).signatures


def test_where_there_is_no_room_failures_come_first_and_what_is_lost_is_said_aloud(monkeypatch, capsys):
    words = tuple((one + other) * 4 for one, other in itertools.combinations("bcdfghjlmnpqrtvwxyz", 2))
    fitting = {name: rule for name, rule in SHIPPED.items() if rule.file in FITTING and not rule.catch_all}
    crowded = {**fitting, **{rule.id: replace(rule, any=words) for rule in read().values()}}
    made = filter_pattern(crowded)
    assert made.left_out == ("worker-does-nothing",)
    assert made.pattern == filter_pattern(fitting).pattern != ""
    monkeypatch.setattr(pattern_command, "read_configuration", lambda _: Configuration(crowded, SETTINGS))
    assert main(["filter-pattern", "--json", "--signatures-only"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["left_out"] == ["worker-does-nothing"]
    assert "worker-does-nothing is left out" in said.err
    assert "Tocsin sees neither its signs of life nor its work" in said.err


def test_verifying_asks_for_the_work_too_and_not_for_what_was_left_out():
    assert START.strip() in list(pattern_command.variants(read()))
    assert list(pattern_command.variants(read(), ("worker-does-nothing",))) == []
