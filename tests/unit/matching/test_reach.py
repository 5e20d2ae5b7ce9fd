"""What the last two rounds came to, once the kinds that failed had been fixed; first readings are in the evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.config.error_settings import ErrorSettings
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import ErrorFinder, WithUnknownErrors
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tools.log_wrappings import wrapped

ROOT = Path(__file__).parents[3]
ROWS = [
    json.loads(line)
    for path in sorted((ROOT / "tests/corpus/reach").glob("*.jsonl"))
    for line in path.read_text().splitlines()
]
FAILING, NEAR_MISSES = [row for row in ROWS if row["labels"]], [row for row in ROWS if not row["labels"]]
CATCH_ALLS = {"unhandled-exception", UNKNOWN_ERROR}
SIGNATURES = load_configuration(ROOT / "functions", {}).signatures
RECOGNISER = WithUnknownErrors(
    Matcher(SIGNATURES), ErrorFinder(SIGNATURES, ErrorSettings()), lambda *_: False
)


def raised(message):
    return {match.signature for match in RECOGNISER.match(message)}


def test_no_more_than_one_failing_line_in_a_hundred_is_silent_and_few_get_another_name():
    found = [raised(row["message"]) for row in FAILING]
    assert sum(not ids for ids in found) <= 1
    right = [
        bool(ids) and ids <= {*row["labels"], *CATCH_ALLS} for ids, row in zip(found, FAILING, strict=True)
    ]
    assert right.count(False) <= 3


@pytest.mark.parametrize("row", NEAR_MISSES, ids=[str(place) for place in range(len(NEAR_MISSES))])
def test_a_line_of_a_healthy_system_raises_nothing(row):
    assert raised(row["message"]) == set()


def test_no_more_than_one_in_a_thousand_is_silent_in_ordinary_wrappings_at_level_error():
    lines = [line for row in FAILING for line in wrapped(row["message"]).values()]
    assert sum(not raised(line) for line in lines) <= len(lines) // 1000


@pytest.mark.parametrize(
    ("line", "signature"),
    [
        ("[2024-01-01 00:00:00 +0000] [7] [WARNING] Worker with pid 9 was terminated due to signal 15", ""),
        ("[2024-01-01 00:00:00 +0000] [7] [WARNING] Worker with pid 9 was terminated due to signal 6", "worker-killed"),
        ("[3] ! the worker process crashed unexpectedly, starting another", "worker-killed"),
        ("nginx: [alert] could not open error log file: open() failed (13: Permission denied)", UNKNOWN_ERROR),
        ("nginx: [notice] signal process started", ""),
        ("ERRO[0004] the job said: ERROR - no rows", UNKNOWN_ERROR),
        ("2025/01/01 00:00:00 Recovered from panic: assignment to entry in nil map", "unhandled-exception"),
        ("./start.sh: line 3: aws: command not found", "unhandled-exception"),
        ("thread '<unnamed>' has overflowed its stack", "unhandled-exception"),
        ("connect ECONNREFUSED 10.0.0.7:27017", "store-unreachable"),
        ("An unhandled exception occurred while processing the request.", "unhandled-exception"),
        ("Could not open the ledger: it is locked", UNKNOWN_ERROR),
        ("web-1  | failed to open the ledger: it is locked", UNKNOWN_ERROR),
        ("2025/01/01 00:00:00 store.go:17: cannot open the ledger", UNKNOWN_ERROR),
        ("Error while opening the ledger", UNKNOWN_ERROR),
        ('{"message": "Unable to open the ledger", "tenant": 5}', UNKNOWN_ERROR),
        ('{"level": "info", "message": "Unable to open the ledger", "tenant": 5}', ""),
        ("INFO Unable to open the ledger, made a new one", ""),
        ("2025-01-01 00:00:00,000 WARNING store: Failed to open the ledger", ""),
        ("the ledger that we failed to open is here again", ""),
        ("Failed to open the ledger, as expected", ""),
        ("3|api  | Error: no ledger", UNKNOWN_ERROR),
        ("Ledger Error: Page seven is torn", UNKNOWN_ERROR),
        ("Mean Error: 0.31", ""),
        ("asyncpg.exceptions.UndefinedPageError: page seven", "unhandled-exception"),
        ("ledger.errors.Torn: page seven", "unhandled-exception"),
        ("SQLSTATE[HY000]: General error: no ledger", "unhandled-exception"),
        ("INFO 17 lines were read, the process exited as expected", ""),
    ],
)  # fmt: skip
def test_the_kinds_that_failed_are_recognised_in_other_words_too(line, signature):
    assert raised(line) == ({signature} if signature else set())
