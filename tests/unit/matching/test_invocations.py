"""What Lambda says several times about one failed invocation is one occurrence, and nothing else is left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.config.error_settings import ErrorSettings
from tocsin.core.matching.invocations import Found, once_per_invocation
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.recognition import recognised
from tocsin.core.matching.unknown_error import ErrorFinder, WithUnknownErrors
from tocsin.core.model import LogEvent
from tocsin.core.signatures.signature import Status

SIGNATURES = load_configuration(Path(__file__).resolve().parents[3] / "functions", {}).signatures
MATCHER = Matcher(SIGNATURES)
ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def counted(lines, pause=1):
    found = [Found(LogEvent(str(n), n * pause, line), MATCHER.match(line)) for n, line in enumerate(lines)]
    return Counter(
        match.signature
        for one in once_per_invocation(found, MATCHER.explains, MATCHER.catches_all)
        for match in one.matches
    )


def timed_out(name):
    return [
        f"START RequestId: {name} Version: $LATEST",
        f"2026-03-04T05:06:07.089Z {name} Task timed out after 3.00 seconds",
        f"END RequestId: {name}",
        f"REPORT RequestId: {name}\tDuration: 3000.00 ms\tMemory Size: 128 MB\tStatus: timeout",
    ]


def platform(kind, **record):
    return json.dumps({"time": "2026-03-04T05:06:07.089Z", "type": f"platform.{kind}", "record": record})


IMPORT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'mangum'\nTraceback (most recent call last):"
COLD = [
    "INIT_START Runtime Version: python:3.13.v30",
    "[WARNING]\t2026-03-04T05:06:07.089Z\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.",
    IMPORT,
    "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError",
    "[WARNING]\t2026-03-04T05:06:08.089Z\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.",
    IMPORT,
    "INIT_REPORT Init Duration: 230.04 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError",
    f"START RequestId: {ONE} Version: $LATEST",
    f"END RequestId: {ONE}",
    f"REPORT RequestId: {ONE}\tDuration: 500.00 ms\tStatus: error\tError Type: Runtime.ImportModuleError",
]


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (timed_out(ONE), {"lambda-timeout": 1}),
        (timed_out(ONE)[1:2] + timed_out(ONE)[3:], {"lambda-timeout": 1}),
        (
            [platform("runtimeDone", requestId=ONE, status="timeout"), platform("report", requestId=ONE, status="timeout")],
            {"lambda-timeout": 1},
        ),
        (
            [
                f"RequestId: {ONE} Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
                f"REPORT RequestId: {ONE}\tDuration: 1200.00 ms\tStatus: error\tError Type: Runtime.OutOfMemory",
            ],
            {"lambda-out-of-memory": 1},
        ),
        (COLD, {"import-module-error": 1}),
    ],
    ids=["a time-out", "without START and END", "in JSON", "out of memory", "a failed start"],
)  # fmt: skip
def test_one_failed_invocation_counts_once(lines, right):
    assert counted(lines) == right


def test_two_failed_invocations_count_twice():
    assert counted(timed_out(ONE) + timed_out(TWO)) == {"lambda-timeout": 2}
    without_start = [line for name in (ONE, TWO) for line in timed_out(name)[1:]]
    assert counted(without_start) == {"lambda-timeout": 2}


def test_what_the_application_logs_counts_as_often_as_it_logs_it():
    line = 'ERROR app: FATAL: database "None" does not exist'
    assert counted([f"START RequestId: {ONE} Version: $LATEST", line, line, line]) == {"database-none": 3}
    assert counted([line] * 5) == {"database-none": 5}


def test_what_the_application_logged_is_not_counted_again_when_the_runtime_says_it():
    line = 'ERROR app: FATAL: database "None" does not exist'
    crash = (
        '[ERROR] OperationalError: FATAL: database "None" does not exist\nTraceback (most recent call last):'
    )
    start = f"START RequestId: {ONE} Version: $LATEST"
    assert counted([start, line, crash]) == {"database-none": 1}


def test_two_crashes_without_their_beginnings_may_be_of_two_invocations():
    crash = "[ERROR] KeyError: 'id'\nTraceback (most recent call last):"
    assert counted([crash, crash]) == {"unhandled-exception": 2}
    report = f"REPORT RequestId: {ONE}\tDuration: 5.00 ms\tStatus: error\tError Type: Runtime.ExitError"
    assert counted([crash, report, crash])["unhandled-exception"] == 2


def test_a_failure_of_another_kind_in_the_same_invocation_is_kept():
    throttled = "[ERROR] ClientError: An error occurred (ThrottlingException) when calling the Query operation: slow down"
    assert counted([*timed_out(ONE)[:1], throttled, *timed_out(ONE)[1:]]) == {
        "aws-throttled": 1, "lambda-timeout": 1,
    }  # fmt: skip


NAMED = 'ERROR app: FATAL: database "None" does not exist'
WRAPPED = '[ERROR] OrderError: could not read the order\nTraceback (most recent call last):\n  File "/var/task/app.py", line 9, in run'
UNKNOWN = "ERROR request 17 went wrong"
ALL = WithUnknownErrors(MATCHER, ErrorFinder(SIGNATURES, ErrorSettings()), lambda *_: False)


def all_counted(lines, pause=1, recogniser=ALL):
    events = [LogEvent(str(n), n * pause, line) for n, line in enumerate(lines)]
    return Counter(match.signature for one in recognised(events, recogniser) for match in one.matches)


def start(name):
    return f"START RequestId: {name} Version: $LATEST"


@pytest.mark.parametrize(
    "lines", [[NAMED, UNKNOWN, WRAPPED], [UNKNOWN, NAMED, WRAPPED], [WRAPPED, UNKNOWN, NAMED]]
)
def test_a_failure_with_a_name_is_not_told_again_without_it_by_the_same_invocation(lines):
    assert all_counted([start(ONE), *lines, f"END RequestId: {ONE}"]) == {"database-none": 1}


def test_what_another_invocation_says_is_told_whatever_is_named_next_to_it():
    lines = [start(ONE), NAMED, f"END RequestId: {ONE}", start(TWO), UNKNOWN, WRAPPED]
    assert all_counted(lines) == {"database-none": 1, "unknown-error": 1, "unhandled-exception": 1}


def test_what_comes_more_than_a_second_from_it_is_a_failure_of_its_own():
    counts = all_counted([start(ONE), NAMED, UNKNOWN, WRAPPED], pause=1_001)
    assert counts == {"database-none": 1, "unknown-error": 1, "unhandled-exception": 1}


def test_where_no_invocation_is_known_each_line_stands_for_itself():
    assert all_counted([NAMED, UNKNOWN, WRAPPED]) == {
        "database-none": 1, "unknown-error": 1, "unhandled-exception": 1,
    }  # fmt: skip


def test_that_an_invocation_timed_out_explains_no_error_that_it_logged_before():
    lines = [timed_out(ONE)[0], UNKNOWN, *timed_out(ONE)[1:]]
    assert all_counted(lines) == {"lambda-timeout": 1, "unknown-error": 1}


def test_a_signature_in_test_mode_hides_no_error_of_its_invocation():
    throttled = (
        "ERROR app: An error occurred (ThrottlingException) when calling the Query operation: slow down"
    )
    rule = replace(SIGNATURES["aws-throttled"], status=Status.TEST)
    signatures = {**SIGNATURES, rule.id: rule}
    finder = ErrorFinder(signatures, ErrorSettings())
    recogniser = WithUnknownErrors(Matcher(signatures), finder, lambda *_: False)
    counts = all_counted([start(ONE), throttled, UNKNOWN, WRAPPED], recogniser=recogniser)
    assert counts == {"aws-throttled": 1, "unhandled-exception": 1, "unknown-error": 2}
