"""A signature may match by level or by fields of structured lines, and what could match is never skipped unread."""

from __future__ import annotations

import json

import pytest
import re2

from tocsin.core.expressions import byte_options
from tocsin.core.matching.logline import read_line
from tocsin.core.matching.matcher import ESCAPED_WORD, Matcher
from tocsin.core.matching.unknown_error import raw_expression
from tocsin.core.model import Level
from tocsin.core.signatures.field_search import STATES_ERROR
from tocsin.core.signatures.reader import read_signatures
from tools.log_wrappings import BEFORE, RECORDS

HEAD = {
    "title": "x", "severity": "high", "summary": "x", "first_action": "x", "runbook": "x.md", "matches": ["x"], "ignores": ["x"],
}  # fmt: skip


def matcher(**keys):
    signatures, problems = read_signatures({"a.toml": {"rule": {**HEAD, **keys}}})
    assert problems == []
    return Matcher(signatures)


def ids(rules, record):
    line = record if isinstance(record, str) else json.dumps(record)
    found = rules.match(line)
    assert rules.might_match(json.dumps({"message": line}).encode()) or not found
    assert [v.signature for v in rules.explain(line).verdicts if v.outcome == "matched"] == [
        m.signature for m in found
    ]
    return [match.signature for match in found]


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        ({"level": "ERROR", "message": "boom"}, True),
        ({"level": 60, "msg": "boom"}, True),
        ({"level": 3, "short_message": "boom"}, True),
        ("ERROR app: boom", True),
        ("<3>boom", True),
        ({"level": "warning", "message": "error"}, False),
        ("INFO an error is named", False),
        ("boom", False),
    ],
)
def test_a_level_alone_is_enough(record, fits):
    assert ids(matcher(fields={"level": "error"}), record) == (["rule"] if fits else [])


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        ({"level": "error", "logger": "shop.payments", "event": "charge_failed"}, True),
        ({"level": "ERROR", "logger_name": "shop.payments.card", "event": "charge_failed"}, True),
        ({"level": "error", "message": {"logger": "shop.payments", "event": "charge_failed"}}, True),
        ({"level": "error", "logger": "shop.orders", "event": "charge_failed"}, False),
        ({"level": "error", "event": "charge_failed"}, False),
        ({"level": "info", "logger": "shop.payments", "event": "charge_failed"}, False),
        ("ERROR shop.payments charge_failed", False),
    ],
)
def test_every_field_must_fit(record, fits):
    rules = matcher(
        fields={"level": "error", "logger": "shop.payments*", "event": ["charge_failed", "refund_failed"]}
    )
    assert ids(rules, record) == (["rule"] if fits else [])


def test_fields_are_captured_and_tell_alerts_apart():
    rules = matcher(fields={"logger": "shop.*", "level": "error"}, group_by=["logger"])
    (match,) = rules.match(json.dumps({"level": "error", "logger": "shop.tax", "message": "boom"}))
    assert match.fields == {"logger": "shop.tax"}


def test_fields_narrow_an_expression():
    rules = matcher(any=["no rate for"], fields={"logger": "shop.*"})
    assert ids(rules, {"level": "error", "logger": "shop.tax", "message": "no rate for XX"}) == ["rule"]
    assert ids(rules, {"level": "error", "logger": "blog", "message": "no rate for XX"}) == []


def test_not_and_scope_hold_for_fields_too():
    rules = matcher(fields={"level": "error"}, scope={"services": ["orders"]}, **{"not": ["expected"]})
    line = json.dumps({"level": "error", "message": "boom"})
    assert rules.match(line, service="orders")
    assert not rules.match(line, service="billing")
    assert not rules.match(line.replace("boom", "expected"), service="orders")


def test_an_event_whose_letters_are_escaped_is_found_by_its_fields():
    rules = matcher(fields={"event": "charge_failed"})
    raw = '{"level": "error", "event": "char\\u0067e_failed"}'
    assert rules.match(raw)
    assert rules.might_match(raw.encode())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"level": "loud"}, "must be one of"),
        ({"level": "info"}, "nothing in it can be looked for"),
        ({"event": "a*"}, "nothing in it can be looked for"),
        ({"event": 5}, "must be a list of globs"),
        ("error", "must be a table"),
    ],
)
def test_fields_that_cannot_be_looked_for_are_refused(fields, reason):
    _, problems = read_signatures({"a.toml": {"rule": {**HEAD, "fields": fields}}})
    assert any(reason in str(problem) for problem in problems)


STATEMENTS = [
    *(frame.format("boom") for frame in BEFORE),
    *(frame.replace("{}", "boom") for frame in RECORDS),
    *(
        json.dumps({**record, "message": "boom"})
        for record in (
            {"level": 50}, {"level": 3}, {"PRIORITY": "2"}, {"severity": 500}, {"s": "E", "c": "N", "ctx": "x"}, {"L": "E"},
            {"level": {"name": "ERROR"}}, {"log": {"level": "error"}}, {"level_value": 40000}, {"levelno": 40},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("encoded", [0, 1, 2])
@pytest.mark.parametrize("line", STATEMENTS)
def test_what_states_an_error_is_seen_in_the_raw_bytes_however_often_it_is_encoded(line, encoded):
    assert any(read_line(part).is_error for part in (line, line.split("\n")[0]))
    raw = line
    for _ in range(encoded + 1):
        raw = json.dumps({"message": raw})
    for expression in (f"{STATES_ERROR}|{ESCAPED_WORD}", raw_expression(Level.ERROR)):
        assert re2.compile(expression.encode("latin-1"), byte_options(8 << 20)).search(raw.encode())
