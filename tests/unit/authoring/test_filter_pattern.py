"""The filter pattern keeps no matching line back, under what CloudWatch Logs documents, and keeps its rules."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import boto3
import pytest
import re2
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.adapters.files.configuration import Configuration, load_configuration
from tocsin.core.config.error_settings import ErrorMode, ErrorSettings
from tocsin.core.config.settings import Settings
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import Severity
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin_cli.authoring.filter_pattern import MAX_PATTERN_LENGTH, Style, filter_pattern
from tocsin_cli.commands import filter_pattern as command
from tocsin_cli.doctor.findings import Examined
from tocsin_cli.doctor.ingress import filter_pattern_is_current
from tocsin_cli.main import main

SHIPPED = load_configuration(Path(__file__).parents[3] / "functions", {}).signatures
# All of them do not fit 1,024 characters: a deployment that needs a pattern has fewer.
SIGNATURES = {
    name: rule
    for name, rule in SHIPPED.items()
    if rule.file in {"signatures/aws.toml", "signatures/python.toml"} and not rule.catch_all
}
MATCHER = Matcher(SIGNATURES)
PATTERN = filter_pattern(SIGNATURES).pattern
SAMPLES = [sample for rule in SIGNATURES.values() if rule.source is Source.LOG for sample in rule.matches]
ORDINARY = [
    "START RequestId: 8163e405-2b8b-0f89-59cd-140ed406987f Version: $LATEST",
    "END RequestId: 8163e405-2b8b-0f89-59cd-140ed406987f",
    "REPORT RequestId: 8163e405-2b8b-0f89-59cd-140ed406987f\tDuration: 12.4 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB",
    "[INFO]\t2026-02-02T00:03:11.201Z\t8163e405\tGET /api/v1/courses 200",
    '10.0.0.1 - - [02/Feb/2026:00:03:11 +0000] "GET /x HTTP/1.1" 200 321',
    '{"level":"INFO","message":"user logged in","timestamp":"2026-02-02T00:03:11Z"}',
]


def passes(pattern: str, message: str, *, within_words: bool = False) -> bool:
    """What CloudWatch Logs documents of a pattern; what it does not document is an argument."""
    if not pattern:
        return True
    if pattern.startswith("%"):
        expression = pattern.removeprefix("%").removesuffix("%")
        assert re.fullmatch(r"(?:[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|*+.]|\\x[0-9A-F]{2})+", expression), "refused"
        return re.search(expression, message) is not None
    terms = [re.fullmatch(r'\?(?:([A-Za-z0-9]+)|"([^"\\]+)")', term) for term in pattern.split(" ")]
    assert all(terms), "a term that is not optional, or is quoted as nobody documents"
    words = [found[1] or found[2] for found in terms if found]
    if within_words:
        return any(word in message for word in words)
    return any(re.search(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])", message) for word in words)


def escaped(text: str, letters: random.Random, share: float) -> str:
    """JSON may write any letter or digit as an escape."""
    pieces = json.dumps(text)[1:-1].split("\\")
    return "\\".join(
        piece[: 5 * bool(place)] + "".join(
            f"\\u{ord(c):04x}" if c.isalnum() and letters.random() < share else c for c in piece[5 * bool(place) :]
        )
        for place, piece in enumerate(pieces)
    )  # fmt: skip


def coloured(text: str, letters: random.Random) -> str:
    """Colour codes anywhere, within words too."""
    at = letters.randrange(len(text) + 1)
    return f"{text[:at]}\x1b[31m{text[at:]}\x1b[0m"


def as_platform_event(status: str, kind: str) -> str:
    return json.dumps(
        {"time": "2026", "type": f"platform.{kind}", "record": {"requestId": "r", "status": status}}
    )


MESSAGES = st.builds(
    lambda sample, form, space, newline, swap, seed, share, ascii_only: (
        form(
            (sample if sample.startswith("{") else sample.replace(" ", space).replace("\n", newline)).swapcase()
            if swap
            else (sample if sample.startswith("{") else sample.replace(" ", space).replace("\n", newline)),
            random.Random(seed),
            share,
            ascii_only,
        )
    ),
    st.sampled_from(SAMPLES),
    st.sampled_from([
        lambda text, *_: text,
        lambda text, letters, *_: coloured(text, letters),
        lambda text, letters, share, _: f'{{"level":"ERROR","message":"{escaped(text, letters, share)}"}}',
        lambda text, _letters, _share, ascii_only: json.dumps({"log_level": "ERROR", "errorType": text.partition(":")[0], "errorMessage": text}, ensure_ascii=ascii_only),
        lambda text, letters, _share, ascii_only: json.dumps({"level": "error", "message": json.dumps({"error": coloured(text, letters)})}, ensure_ascii=ascii_only),
        lambda text, *_: "2026-01-01T00:00:00Z ERROR worker " + json.dumps({"detail": [text], "stackTrace": ['  File "a.py", line 1']}),
    ]),
    st.sampled_from([" ", "\xa0", "\xa0 "]),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.booleans(),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.05, 1.0]),
    st.booleans(),
)  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(MESSAGES)
def test_no_line_that_matches_is_kept_back(message):
    assert passes(PATTERN, message) or not MATCHER.match(message)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=120), MESSAGES, st.text(max_size=120))
def test_text_around_a_match_keeps_nothing_back(before, message, after):
    whole = f"{before}\n{message}\n{after}"
    assert passes(PATTERN, whole) or not MATCHER.match(whole)


@pytest.mark.parametrize("status", ["timeout", "error", "failure"])
@pytest.mark.parametrize("kind", ["report", "initReport", "runtimeDone", "initRuntimeDone", "restoreReport"])
def test_failed_platform_events_are_let_through(status, kind):
    assert passes(PATTERN, as_platform_event(status, kind))


@pytest.mark.parametrize("message", [*SAMPLES, *(json.dumps({"message": sample}) for sample in SAMPLES)])
def test_every_sample_is_let_through(message):
    assert passes(PATTERN, message)


@pytest.mark.parametrize("message", ORDINARY)
def test_ordinary_lines_cost_nothing(message):
    assert not passes(PATTERN, message)


def test_all_that_ship_do_not_fit_and_that_is_said():
    made = filter_pattern(SHIPPED)
    assert made.pattern == ""
    assert "does not fit 1,024 characters" in made.reason


def test_fields_without_an_expression_are_not_kept_back():
    made = filter_pattern({"a": rule("a", fields={"level": ("error",)})})
    assert made.pattern == ""
    assert "a: matches by fields" in made.reason


def test_it_keeps_to_the_rules_of_cloudwatch():
    assert 0 < len(PATTERN) <= MAX_PATTERN_LENGTH == 1024
    assert PATTERN.isascii()
    assert not set(PATTERN) & set("()!\"' <>")


def test_it_is_the_same_every_time():
    assert filter_pattern(SIGNATURES) == filter_pattern(dict(reversed(SIGNATURES.items())))


def rule(name, *any_, **changes):
    made = Signature(
        id=name, file="signatures/t.toml", title=name, severity=Severity.HIGH, status=Status.STABLE,
        source=Source.LOG, summary="s", first_action="f", runbook=f"{name}.md", any=any_,
    )  # fmt: skip
    return replace(made, **changes)


def test_terms_are_not_taken_to_match_within_words():
    answer = filter_pattern({"a": rule("a", r"Payment gateway refused (?P<x>\w+)")}, Style.TERMS)
    assert answer.pattern == ""
    assert "not documented" in answer.reason


def test_terms_for_those_who_asked_the_engine():
    rules = {"a": rule("a", r"Payment gateway refused (?P<x>\w+)"), "b": rule("b", r"(?i)ledger drift")}
    pattern = filter_pattern(rules, Style.TERMS, terms_match_within_words=True).pattern
    for message in ("Payment gateway refused 3", "LEDGER drift", '{"m":"\\u004cedger Drift"}'):
        assert Matcher(rules).match(message)
        assert passes(pattern, message, within_words=True)
    assert not passes(pattern, "INFO 3 payments settled", within_words=True)


def test_any_case_also_covers_the_two_letters_outside_ascii_that_fold_into_it():
    rules = {"a": rule("a", r"(?i)mask skewed")}
    message = "ma\u017fk \u017f\u212aewed"
    assert re2.search(r"(?i)mask skewed", message)
    assert passes(filter_pattern(rules).pattern, message)


def test_what_does_not_fit_is_said_and_lets_everything_through():
    rng = random.Random(7)
    rules = {
        f"r{n}": rule(f"r{n}", "".join(rng.choice("bcdfghjklmnpqrstvwxz") for _ in range(12)))
        for n in range(400)
    }
    answer = filter_pattern(rules)
    assert (answer.pattern, "does not fit" in answer.reason) == ("", True)


def test_an_expression_without_a_word_is_said_and_lets_everything_through():
    answer = filter_pattern({"a": rule("a", r"\d+\.\d+"), "b": rule("b", "Kaboom")})
    assert answer.pattern == ""
    assert "signatures/t.toml: a.any[0]" in answer.reason


def test_alarms_need_no_line():
    alarms = {name: entry for name, entry in SIGNATURES.items() if entry.source is Source.ALARM}
    assert filter_pattern(alarms).reason == "no signature looks at log lines"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(SIGNATURES)), min_size=1, unique=True), st.sampled_from(SAMPLES))
def test_any_part_of_the_pack_has_a_pattern_of_its_own_that_keeps_nothing_of_it_back(names, sample):
    part = {name: SIGNATURES[name] for name in names}
    assert passes(filter_pattern(part).pattern, sample) or not Matcher(part).match(sample)


def logs():
    return boto3.client("logs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def answering(passed):
    return {"matches": [{"eventNumber": n, "eventMessage": "m", "extractedValues": {}} for n in passed]}


def test_verifying_asks_the_engine_fifty_messages_at_a_time():
    client, messages = logs(), [f"message {n}" for n in range(60)]
    with Stubber(client) as stub:
        stub.add_response(
            "test_metric_filter",
            answering(range(1, 51)),
            {"filterPattern": "%x%", "logEventMessages": messages[:50]},
        )
        stub.add_response(
            "test_metric_filter",
            answering(range(2, 11)),
            {"filterPattern": "%x%", "logEventMessages": messages[50:]},
        )
        assert command.verify(client, "%x%", messages) == ["message 50"]
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(("passed", "within"), [([1, 2], True), ([], False), ([1], False)])
def test_the_engine_is_asked_whether_terms_match_within_words(passed, within):
    client = logs()
    with Stubber(client) as stub:
        stub.add_response("test_metric_filter", answering(passed))
        assert command.terms_match_within_words(client) is within


SIGNATURES_ONLY = Settings(errors=ErrorSettings(tell=ErrorMode.OFF))


def run(monkeypatch, capsys, arguments, responses=(), own=SIGNATURES_ONLY):
    client = logs()
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    monkeypatch.setattr(command, "read_configuration", lambda _: Configuration(SIGNATURES, own))
    with Stubber(client) as stub:
        for response in responses:
            if isinstance(response, str):
                stub.add_client_error("test_metric_filter", response)
            else:
                stub.add_response("test_metric_filter", response)
        status = main(["filter-pattern", *arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_the_command_prints_the_pattern_and_nothing_else(monkeypatch, capsys):
    assert run(monkeypatch, capsys, []) == (0, PATTERN + "\n", "")


def test_no_pattern_keeps_back_an_error_that_no_signature_explains(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, [], own=Settings())
    assert (status, out) == (0, "\n")
    assert "errors that no signature explains are looked for" in err
    status, out, err = run(monkeypatch, capsys, ["--signatures-only"], own=Settings())
    assert (status, out) == (0, PATTERN + "\n")
    assert "do not reach Tocsin" in err


def examined(pattern):
    described = {"Parameters": [{"ParameterKey": "FilterPattern", "ParameterValue": pattern}]}
    return Examined("tocsin", "here", "us-east-1", lambda _: None, described, {})


@pytest.mark.parametrize(
    ("pattern", "errors", "said"),
    [
        ("", ErrorSettings(), []),
        (PATTERN, ErrorSettings(), ["hides errors"]),
        (PATTERN, ErrorSettings(tell=ErrorMode.OFF), []),
        (PATTERN, ErrorSettings(tell=ErrorMode.OFF, log_groups=(("/aws/lambda/pay", ErrorMode.NEW),)), ["hides errors"]),
        ("?ERROR", ErrorSettings(), ["hides errors", "--signatures-only"]),
        ("?ERROR", ErrorSettings(tell=ErrorMode.OFF), ["is not the one"]),
    ],
)  # fmt: skip
def test_the_doctor_warns_of_a_pattern_that_hides_errors_unless_nobody_looks_for_them(pattern, errors, said):
    found = list(filter_pattern_is_current(examined(pattern), SIGNATURES, errors))
    warned = [f"{each.what} {each.fix}" for each in found if each.level != "ok"]
    assert len(warned) == len(said)
    assert all(words in warning for words, warning in zip(said, warned, strict=True))


def test_the_command_says_why_there_is_none_and_answers_the_empty_one(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, ["--style", "terms"])
    assert (status, out) == (0, "\n")
    assert "no safe pattern" in err


def test_a_pattern_that_the_engine_reads_otherwise_is_not_given_out(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, ["--verify"], [answering([])] * 20)
    assert (status, out) == (1, "\n")
    assert "kept back" in err


def test_a_verified_pattern_is_given_out(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, ["--verify", "--json"], [answering(range(1, 51))] * 20)
    assert (status, json.loads(out)["pattern"]) == (0, PATTERN)
    assert "lets every sample through" in err


def test_a_refused_call_is_said(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, ["--verify"], ["AccessDeniedException"])
    assert (status, out) == (2, "")
    assert "not verified" in err
