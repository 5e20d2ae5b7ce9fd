"""Which signatures recognise a line or an alarm, and why the others do not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import AlarmChange, AlarmState
from tocsin.core.signatures.reader import parse_signatures

SIGNATURES = load_configuration(Path(__file__).parents[3] / "functions", {}).signatures
MATCHER = Matcher(SIGNATURES)
IMPORT_ERROR = (
    "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
)


def ids(message: str, **scope: str) -> list[str]:
    return [match.signature for match in MATCHER.match(message, **scope)]


def rule(name: str, **keys: object) -> str:
    table = {
        "title": name, "severity": "high", "summary": "s", "first_action": "a", "runbook": "r.md", "any": [f"{name} broke"],
        "matches": ["x"], "ignores": ["y"], **keys,
    }  # fmt: skip
    return f"[{name}]\n" + "".join(
        f"{key} = {json.dumps(value) if not isinstance(value, dict) else '{' + ', '.join(f'{k} = {json.dumps(v)}' for k, v in value.items()) + '}'}\n"
        for key, value in table.items()
    )


def matcher_of(*rules: str) -> Matcher:
    signatures, problems = parse_signatures({"signatures/x.toml": "\n".join(rules)})
    assert problems == []
    return Matcher(signatures)


@pytest.mark.parametrize(
    "entry", [entry for entry in SIGNATURES.values() if entry.source == "log"], ids=lambda entry: entry.id
)
def test_a_signature_keeps_what_its_samples_promise(entry):
    for sample in entry.matches:
        assert ids(sample) == [entry.id], sample
    for sample in entry.ignores:
        assert entry.id not in ids(sample), sample


def test_fields_are_captured_and_empty_ones_left_out():
    (match,) = MATCHER.match(IMPORT_ERROR)
    assert match.fields == {"handler": "handler", "module": "mangum"}
    (match,) = MATCHER.match("S3 bucket NOT accessible")
    assert match.fields == {}


def test_positions_are_those_of_the_canonical_text():
    message = 'é\xa0— [ERROR]\rFATAL: database "None" does not exist'
    (match,) = MATCHER.match(message)
    assert MATCHER.explain(message).line.text[match.start : match.end] == 'database "None" does not exist'


def test_one_broken_cold_start_is_explained_by_its_cause():
    events = [
        "[WARNING]\t2026-04-22T21:00:55.118Z\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.",
        f"{IMPORT_ERROR}\nTraceback (most recent call last):",
        "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError",
        f"{IMPORT_ERROR}\nTraceback (most recent call last):",
        "INIT_REPORT Init Duration: 329.04 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError",
        "REPORT RequestId: r\tDuration: 1.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tStatus: error\tError Type: Runtime.ImportModuleError",
    ]
    found = {name for event in events for name in ids(event)}
    causes = {name for name in found if not any(name in SIGNATURES[other].inhibits for other in found)}
    assert causes == {"import-module-error"}
    fields = {
        tuple(match.fields.items())
        for event in events
        for match in MATCHER.match(event)
        if match.signature in causes
    }
    assert len(fields) == 1, "one cause, one fingerprint"


@pytest.mark.parametrize(
    ("line", "only"),
    [
        (
            "[ERROR] Runtime.ImportModuleError: Unable to import module 'a': cannot import name 'six' from 'botocore.compat'",
            "botocore-six-import",
        ),
        (
            "[ERROR] Runtime.ImportModuleError: Unable to import module 'a': No module named 'pydantic_core._pydantic_core'",
            "wrong-platform-binary",
        ),
        (
            "RequestId: r Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
            "lambda-out-of-memory",
        ),
        ('psycopg2.OperationalError: FATAL:  database "None" does not exist', "database-none"),
        ("RuntimeError: Event loop is closed", "event-loop-error"),
        ("RuntimeError: S3 bucket 'x' is not accessible (error: 404).", "s3-bucket-not-accessible"),
    ],
)
def test_the_most_specific_explanation_wins(line, only):
    assert ids(line) == [only]


def test_an_unexpected_exception_is_known_by_type_and_innermost_own_frame():
    traceback = (
        "[ERROR] KeyError: 'total'\nTraceback (most recent call last):\n"
        '  File "/var/task/app.py", line {}, in handler\n    return price(event)\n'
        '  File "/var/task/orders/pricing.py", line {}, in price\n    return event["total"]\n'
        '  File "/var/task/sqlalchemy/orm/session.py", line 9, in get\n    raise KeyError(key)'
    )
    first, second = (MATCHER.match(traceback.format(*lines))[0] for lines in ((3, 40), (7, 41)))
    assert (
        first.fields
        == second.fields
        == {"exception": "KeyError", "frame": "orders/pricing.py:price", "message": "'total'"}
    )


def test_a_level_below_its_own_silences_a_signature():
    loud, quiet = 'ERROR FATAL: database "None" does not exist', 'INFO FATAL: database "None" does not exist'
    assert ids(loud) == ["database-none"]
    assert ids(quiet) == []
    assert ids("INFO using mock document processing for task 12") == ["mock-processing"]


def test_a_scope_keeps_a_signature_to_its_log_groups_and_services():
    matcher = matcher_of(rule("engine", scope={"log_groups": ["/aws/*/car"], "services": ["car*"]}))
    assert matcher.match("engine broke", log_group="/aws/lambda/car", service="cars")
    assert not matcher.match("engine broke", log_group="/aws/lambda/boat", service="cars")
    assert not matcher.match("engine broke", log_group="/aws/lambda/car", service="boat")
    assert matcher.match("engine broke"), "where nothing is known of its origin, a line is looked at"


def test_not_forbids_a_match():
    matcher = matcher_of(rule("engine", **{"not": ["in the museum"]}))
    assert matcher.match("engine broke")
    assert not matcher.match("engine broke in the museum")


def test_inhibition_reaches_through_what_is_itself_inhibited():
    matcher = matcher_of(
        rule("alpha", any=["broken line"], inhibits=["beta"]), rule("beta", any=["broken line"], inhibits=["gamma"]),
        rule("gamma", any=["broken line"]),
    )  # fmt: skip
    assert [match.signature for match in matcher.match("a broken line")] == ["alpha"]


def test_a_second_place_in_the_line_may_match_where_the_first_was_a_quotation():
    message = "INFO docs: Task timed out after 3.00 seconds is common\nTask timed out after 9.00 seconds"
    assert ids("see `Task timed out after 3.00 seconds`\nERROR Task timed out after 9.00 seconds") == [
        "lambda-timeout"
    ]
    assert ids(message) == [], "a line without a level of its own belongs to its header"


def test_explain_names_who_looked_and_why_not():
    explanation = MATCHER.explain("INFO " + IMPORT_ERROR.removeprefix("[ERROR] "))
    outcomes = {verdict.signature: verdict.outcome for verdict in explanation.verdicts}
    assert outcomes["import-module-error"] == "below its level"
    assert explanation.line.level == "info"
    outcomes = {verdict.signature: verdict.detail for verdict in MATCHER.explain(IMPORT_ERROR).verdicts}
    assert outcomes["module-not-found"] == "import-module-error"
    assert MATCHER.explain("nothing here").verdicts == ()


def test_explain_and_match_agree_on_the_whole_corpus():
    for path in (Path(__file__).parents[2] / "corpus").glob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            message = json.loads(line)["message"]
            explained = {v.signature for v in MATCHER.explain(message).verdicts if v.outcome == "matched"}
            assert explained == set(ids(message)), message


def alarm(**changes: object) -> AlarmChange:
    base: dict[str, object] = {
        "id": "1", "name": "some-alarm", "arn": "", "state": AlarmState.ALARM, "previous": None, "reason": "", "at": 0,
        "account": "", "region": "us-east-1",
    }  # fmt: skip
    return AlarmChange(**{**base, **changes})  # type: ignore[arg-type]


def test_an_alarm_is_recognised_by_metric_and_name():
    change = alarm(
        name="x",
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": "Worker-DLQ"},
    )
    (match,) = MATCHER.match_alarm(change)
    assert match.signature == "dlq-depth"
    assert match.fields["queue"] == "Worker-DLQ"


@pytest.mark.parametrize(
    "change", [alarm(), alarm(namespace="Custom", metric="Odd"), alarm(name="composite", state=AlarmState.OK)]
)
def test_no_alarm_is_dropped_silently(change):
    assert [match.signature for match in MATCHER.match_alarm(change)] == ["cloudwatch-alarm"]


def test_a_line_of_a_megabyte_is_looked_at_in_bounded_time():
    lines = [
        "x" * 1_000_000 + " Task timed out after 3.00 seconds",
        "Task timed out " * 70_000,
        '{"level":"ERROR","message":"' + "No module named " * 60_000 + '"}',
        "`" * 500_000 + 'FATAL: database "None" does not exist',
        "ERROR\n" * 160_000 + "RuntimeError: Event loop is closed",
        "{" * 1_000_000,
    ]
    for line in lines:
        start = time.perf_counter()
        MATCHER.match(line)
        assert time.perf_counter() - start < 10, line[:40]


def test_lone_halves_of_surrogate_pairs_do_no_harm():
    assert ids('\ud800 FATAL: database "None" does not exist \udfff') == ["database-none"]


def test_without_signatures_nothing_matches():
    empty = Matcher({})
    assert not empty.might_match(b"anything")
    assert empty.match("anything") == []


def test_what_the_owner_wrote_about_an_alarm_is_a_field_of_it_and_nothing_is_made_up_where_there_is_none():
    (match,) = MATCHER.match_alarm(alarm(description="  Page the orders team.\nSee the wiki.  "))
    assert match.fields["description"] == "Page the orders team.\nSee the wiki."
    (match,) = MATCHER.match_alarm(alarm(description="  "))
    assert "description" not in match.fields
