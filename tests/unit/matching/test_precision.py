"""Precision is half of the job: what quotes an error is silent, and what is known to go wrong is written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.logline import read_line
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.quoting import SHAPES, quoted_as
from tocsin.core.model import Level
from tools.evidence_page import corpus_lines, evidence, known_wrong
from tools.log_wrappings import BEFORE, wrapped

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "corpus"
CONFIGURATION = load_configuration(ROOT / "functions", {})
MATCHER = Matcher(CONFIGURATION.signatures)
FAILURES = [
    "Task timed out after 3.00 seconds",
    'FATAL: database "None" does not exist',
    "ThrottlingException: Rate exceeded",
    "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
    "RuntimeError: Event loop is closed",
    "Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'",
]


SINGLE_LINES = [
    row["message"]
    for _, row in corpus_lines(CORPUS)
    if row["labels"] and "\n" not in row["message"] and not row["message"].startswith("{")
]


def ids(message: str) -> set[str]:
    return {match.signature for match in MATCHER.match(message)}


def test_every_line_of_the_corpus_is_judged_as_a_person_would():
    wrong = []
    for file, row in corpus_lines(CORPUS):
        found, right = ids(row["message"]), set(row["labels"])
        if (right and not found & right) or found - right:
            wrong.append((file, row["message"][:120], sorted(found), sorted(right)))
    assert wrong == []


def test_the_corpus_is_large_and_says_where_each_line_is_from():
    rows = [row for _, row in corpus_lines(CORPUS)]
    assert sum(bool(row["labels"]) for row in rows) >= 300
    assert sum(not row["labels"] for row in rows) >= 230
    assert all(row["source"] for row in rows)
    assert {label for row in rows for label in row["labels"]} <= set(CONFIGURATION.signatures)
    messages = [row["message"] for row in rows]
    assert len(messages) - len(set(messages)) < 10


def test_what_is_known_to_be_wrong_still_is():
    for row in known_wrong(CORPUS):
        found, right = ids(row["message"]), set(row["labels"])
        assert (right and not found & right) or found - right, (
            f"fixed: strike it off the list: {row['message']}"
        )
        assert row["why"]


def test_the_page_of_evidence_is_current():
    assert (ROOT / "docs" / "evidence.md").read_text("utf-8") == evidence(CONFIGURATION, CORPUS), (
        "run `make docs`"
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_each_shape_silences_its_own_example(shape):
    assert ids(shape.example) == set()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_itself_is_no_quotation(failure):
    assert ids(failure)
    assert quoted_as(failure, 0, len(failure)) == ""


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    "frame",
    [
        "INFO {}", "DEBUG {}", "[INFO]\t2026-01-01T00:00:00.000Z\tr\t{}", "2026-01-01 00:00:00,000 - app - INFO - {}",
        "NOTICE:  {}", 'level=info msg="{}"', "see https://example.com/errors/{}", 'grep -rn "{}" .', "$ grep '{}' app.log",
        "fields @message | filter @message like /{}/", "SELECT 1 FROM logs WHERE message LIKE '%{}%'", 'search query: "{}"',
        "if you see {} rebuild it", "no {} in the last hour", "How to fix {}",
        "I0102 15:04:05.000000       1 main.go:3] {}", "[2026-01-01 00:00:00,000: INFO/MainProcess] {}",
    ],
)  # fmt: skip
def test_a_failure_that_is_quoted_is_silent(frame, failure):
    assert ids(frame.format(failure)) == set()


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    "record",
    [
        lambda text: {"level": "INFO", "message": text},
        lambda text: {"log_level": "DEBUG", "message": text},
        lambda text: {"level": 30, "msg": text},
        lambda text: {"level": "ERROR", "message": "bad request", "query": text},
        lambda text: {"level": "ERROR", "message": "not found", "path": "/kb/" + text},
    ],
)
def test_json_that_quotes_a_failure_is_silent(record, failure):
    assert ids(json.dumps(record(failure))) <= {"unhandled-exception"} - {"unhandled-exception"}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    "frame",
    [
        "{}", "ERROR {}", "ERROR:root:{}", "2026-01-01 00:00:00,000 - app - ERROR - {}", "[ERROR]\t2026-01-01T00:00:00.000Z\tr\t{}",
        "worker-1  | {}", 'level=error msg="{}"', "upload failed: {}", "Error: {}", "    {}", "job 17 failed: {}", "{} (retry 1 of 5)",
    ],
)  # fmt: skip
def test_a_failure_in_the_frames_that_logs_have_is_heard(frame, failure):
    assert ids(frame.format(failure))


def test_a_failure_that_is_logged_as_an_error_is_named_whatever_stands_around_it():
    """A sample of the corpus, in every wrapping: the words of a request, a search, a ticket silence nothing."""
    wrong = [
        (wrapping, message[:80])
        for message in SINGLE_LINES[::12]
        if (plain := ids(message))
        for wrapping, line in wrapped(message).items()
        if not ids(line) & plain
    ]
    assert wrong == []


@pytest.mark.parametrize("frame", BEFORE)
def test_every_spelling_of_an_error_level_is_read(frame):
    line = read_line(frame.format("boom").split("\n")[0])
    assert line.is_error
    assert line.level in {Level.ERROR, Level.CRITICAL}


@pytest.mark.parametrize(
    "line",
    [
        "if you see ERROR: boom, restart it", "How to fix FATAL: boom", "docs: `ERROR: boom`", "no FATAL: boom since Monday",
        "INFO ERROR: boom was handled", "<6>app: boom", '{"level": "info", "message": "ERROR: boom"}',
        '{"level": 30, "msg": "error 500"}', '{"severity": 200, "message": "ERROR"}', "error rate is 0.1 %",
        "Errors: 0", "errors=0 level=info",
    ],
)  # fmt: skip
def test_a_line_that_only_names_an_error_states_none(line):
    level, certain = read_line(line).statement_at(max(0, line.find("boom")))
    assert not (certain and level is not None and level.is_error)


@pytest.mark.parametrize(
    "record",
    [
        {"level": "ERROR"}, {"level": 50}, {"level": 60}, {"level": 400, "level_name": "ERROR"}, {"severity": 500},
        {"severity": "CRITICAL"}, {"@l": "Fatal"}, {"log.level": "error"}, {"log": {"level": "error"}}, {"levelno": 40},
        {"level": 3}, {"PRIORITY": "2"}, {"s": "E", "c": "NETWORK", "ctx": "conn1"}, {"L": "ERROR"}, {"level_value": 40000},
        {"level": {"name": "ERROR"}}, {"levelname": "CRITICAL"}, {"lvl": "eror"},
    ],
)  # fmt: skip
def test_every_key_and_scale_of_an_error_level_is_read_in_json(record):
    assert read_line(json.dumps({**record, "message": "boom"})).is_error
