"""Precision is half of the job: what quotes an error is silent, and what is known to go wrong is written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.quoting import SHAPES, quoted_as
from tools.evidence_page import corpus_lines, evidence, known_wrong

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
    "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'",
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
        "NOTICE:  {}", 'level=info msg="{}"', "see https://example.com/errors/{}", "docs: `{}` means that it is broken",
        'grep -rn "{}" .', "$ grep '{}' app.log", 'assert "{}" in caplog.text', "tests/test_x.py::test_y[{}] PASSED [ 12%]",
        "fields @message | filter @message like /{}/", "SELECT 1 FROM logs WHERE message LIKE '%{}%'", 'search query: "{}"',
        "# raises {}", "if you see {} rebuild it", "- `{}`", "| `{}` | rotate the secret |", "Expected: {}", 'with pytest.raises(RuntimeError, match="{}"):',
        "docs/faq.md:14:{}", "no {} in the last hour", "commit 1a2b3c4 fix {}", "How to fix {}",
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
