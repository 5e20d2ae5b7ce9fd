"""Unknown errors: every line that says it is an error and that no signature explains, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.config.error_settings import ErrorSettings
from tocsin.core.config.settings import parse_settings
from tocsin.core.matching import unknown_error
from tocsin.core.matching.error_masking import MAX_LINES, error_start
from tocsin.core.matching.logline import LEVEL_KEYS, read_line
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import RawSearch
from tocsin.core.matching.unknown_error import ErrorFinder, WithUnknownErrors, with_unknown_error
from tocsin.core.model import Level
from tocsin.core.problems import ConfigurationError
from tocsin.core.signatures.reader import parse_signatures
from tocsin.core.signatures.signature import UNKNOWN_ERROR, Status
from tools.log_wrappings import wrapped

CORPUS = Path(__file__).parents[2] / "corpus"
SIGNATURES = load_configuration(Path(__file__).parents[3] / "functions", {}).signatures
MATCHER = Matcher(SIGNATURES)


def finder(text=""):
    return ErrorFinder(SIGNATURES, parse_settings(text, {}).errors)


def unknown(message, text="", **where):
    found = MATCHER.match(message, **where)
    return finder(text).unexplained(message, found, **where)


STATED = [
    "ERROR payment provider answered 500",
    "[ERROR]\t2026-01-02T03:04:05.678Z\t7f3a\tno stock",
    "2026-01-02 03:04:05,678 - app - ERROR - no stock",
    "\x1b[31mERROR\x1b[0m no stock",
    "begins\nERROR no stock",
    "fail: no stock",
    "level=error msg=x",
    "E0102 15:04:05.000000 1 a.go:1] no stock",
    "F, [2026-01-02T03:04:05] no stock",
    "[Sun Dec 04 04:47:44 2005] [error] no stock",
    json.dumps({"level": "error", "msg": "no stock"}),
    json.dumps({"levelname": "CRITICAL", "message": "no stock"}),
    json.dumps({"level": 50, "msg": "no stock"}),
    json.dumps({"level": "60", "msg": "no stock"}),
    json.dumps({"severity": 3, "message": "no stock"}),
    json.dumps({"levelno": 40, "message": "no stock"}),
    json.dumps({"log": json.dumps({"level": 50, "msg": "no stock"})}),
    '{"\\u006cevel": "\\u0065rror", "msg": "no stock"}',
]


@pytest.mark.parametrize("message", STATED)
def test_a_line_that_says_it_is_an_error_is_one(message):
    match = unknown(message)
    assert match is not None
    assert match.signature == UNKNOWN_ERROR
    assert match.fields["template"]


@pytest.mark.parametrize(
    "message",
    [
        "INFO no error here",
        "payment failed",
        "WARNING disk is nearly full",
        json.dumps({"level": 30, "msg": "error handled"}),
        json.dumps({"level": "info", "error": None}),
        "",
    ],
)
def test_a_line_that_does_not_say_so_is_none(message):
    assert unknown(message) is None


def test_what_a_signature_explains_is_not_unknown():
    assert unknown('ERROR FATAL: database "None" does not exist') is None


def test_what_a_signature_on_trial_recognises_is_unknown_all_the_same():
    message = 'ERROR FATAL: database "None" does not exist'
    found = MATCHER.match(message)
    on_trial = {name: replace(entry, status=Status.TEST) for name, entry in SIGNATURES.items()}
    assert ErrorFinder(on_trial, ErrorSettings()).unexplained(message, found) is not None


@given(
    st.sampled_from([*LEVEL_KEYS]),
    st.sampled_from(["error", "Error", "FATAL", "crit", "panic", "dpanic", 50, 60, 3, 0, "50", "warn", "wrn", 40, 4]),
    st.text(max_size=20),
    st.booleans(),
)  # fmt: skip
def test_the_search_of_raw_bytes_suspects_every_structured_line_that_counts(key, level, text, nested):
    message = json.dumps({"msg": text, key: level})
    message = json.dumps({"message": message}) if nested else message
    raw = json.dumps({"logEvents": [{"message": message}]}).encode()
    for lowest, settings in ((Level.ERROR, ""), (Level.WARNING, "[errors]\nlevel = 'warning'")):
        if error_start(read_line(message), lowest) is not None:
            assert finder(settings).may_show(raw)


def test_the_search_of_raw_bytes_suspects_every_line_of_the_corpora_that_counts():
    lines = [
        json.loads(line)["message"]
        for path in sorted(CORPUS.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    stated = [line for line in [*lines, *STATED] if error_start(read_line(line), Level.ERROR) is not None]
    assert len(stated) > 100
    assert [line for line in stated if not finder().may_show(json.dumps({"message": line}).encode())] == []


def test_an_ordinary_envelope_raises_no_suspicion():
    raw = json.dumps({"logEvents": [{"message": "INFO errors=0 failed=0 no failures, 12 warnings"}]}).encode()
    assert not finder().may_show(raw)


@pytest.mark.parametrize(
    ("text", "where", "is_unknown"),
    [
        ("[errors]\ntell = 'off'", {}, False),
        ("[errors]\ntell = 'off'\n[services.a]\nerrors = 'new'", {"service": "a"}, True),
        ("[services.a]\nerrors = 'off'", {"service": "a"}, False),
        ("[services.a]\nerrors = 'off'", {"service": "b"}, True),
        ("[errors.log_groups]\n'/aws/*/noisy' = 'off'", {"log_group": "/aws/lambda/noisy"}, False),
        ("[errors.log_groups]\n'/aws/*/noisy' = 'off'", {"log_group": "/aws/lambda/other"}, True),
        ("[services.a]\nerror_level = 'critical'", {"service": "a"}, False),
    ],
)
def test_services_and_log_groups_say_whether_they_are_looked_for(text, where, is_unknown):
    assert (unknown("ERROR no stock", text, **where) is not None) == is_unknown


@pytest.mark.parametrize(
    "text",
    [
        "order # lost",
        "# of S# and utf-# at 10.0.0.#",
        "password=# refused",
        "S# is gone",
        "Oauth#Error: refused #",
        '[#] token=# user #, job_# and "#" of /jobs/#: (#) key: # a-#-b #.#',
    ],
)
def test_lines_that_differ_in_digits_and_ids_only_have_the_template_that_each_has_alone(text):
    kept = finder()
    ids = ("deadbeef", "deadbee7", "feedfacedeadbeef", "0f3a9c7e1b2d4f68a1b2c3d4e5f60718")
    uuids = (
        "7f3ab2c1-52aa-4b62-9d0e-aabbccddeeff",
        "00000000-0000-0000-0000-000000000000",
        "feedface-dead-beef-cafe-facadefacade",
        "12345678-1234-1234-1234-123456789012",
    )
    for number in ("3", "7", "17", "4711", "4111111111111111", "123456789", *ids, *uuids):
        line = f"ERROR {text.replace('#', number)}"
        for strict in (False, True):
            assert kept.unexplained(line, [], strict=strict) == finder().unexplained(line, [], strict=strict)


def test_warnings_count_where_they_are_asked_for():
    assert unknown("WARNING no stock", "[errors]\nlevel = 'warning'") is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("errors = 1", "errors: must be a table, is 1"),
        (
            "[errors]\nlevels = 'x'",
            "errors.levels: unknown key (did you mean level?); known are tell, level, learning, log_groups",
        ),
        ("[errors]\nlevel = 'info'", "errors.level: must be one of warning, error, critical, is 'info'"),
        ("[errors]\nlog_groups = 'x'", "errors.log_groups: must be a table"),
        ("[services.a]\nerrors = 'on'", "services.a.errors: must be one of new, off, is 'on'"),
        ("[services.a]\nerror_level = []", "services.a.error_level: must be one of"),
    ],
)
def test_a_mistake_in_the_settings_is_named(text, problem):
    with pytest.raises(ConfigurationError) as caught:
        parse_settings(text, {})
    assert problem in str(caught.value)


def test_no_signature_of_a_file_can_have_the_built_in_id():
    _, problems = parse_signatures({"signatures/a.toml": f"[{UNKNOWN_ERROR}]\ntitle = 'x'"})
    assert any("is built in" in str(problem) for problem in problems)
    assert UNKNOWN_ERROR not in SIGNATURES
    assert UNKNOWN_ERROR in with_unknown_error(SIGNATURES)


@pytest.mark.parametrize(
    "text", ["payment provider answered 500", "no stock for order 17", "the queue is full"]
)
def test_an_error_without_a_signature_is_found_in_every_wrapping(text):
    for name, message in wrapped(text).items():
        assert MATCHER.match(message) or unknown(message), name  # PHP's is a crash


def test_prose_that_names_a_level_states_none():
    assert unknown("the runbook says what to do when you see ERROR: no stock") is None


def test_a_long_event_without_a_level_is_looked_at_in_linear_time():
    line = read_line("\n".join(f"    at frame {n}" for n in range(20_000)))
    calls = 0

    def counted(text):
        nonlocal calls
        calls += 1
        return None, False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tocsin.core.matching.error_masking.statement", counted)
        assert error_start(line, Level.ERROR) is None
    assert calls <= MAX_LINES


SOME_LINES = [
    "INFO nothing",
    "ERROR order 17 was lost",
    "ERROR order 18 was lost",
    "Failed to open the ledger",
    "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'mangum'",
    "if you see ERROR: call",
]
batches = st.lists(
    st.tuples(
        st.lists(st.sampled_from(SOME_LINES) | st.text(max_size=9).map("ERROR {}".format), max_size=6),
        st.sampled_from(["/aws/lambda/app", "/aws/lambda/quiet"]),
    ),
    max_size=8,
)


@given(batches, st.sampled_from([0, 2_000, 1 << 20]))
def test_a_line_that_came_before_is_what_it_was_then(several, room):
    search = RawSearch("not looked for")
    errors = finder("[errors.log_groups]\n'/aws/lambda/quiet' = 'off'")

    def new():
        return WithUnknownErrors(MATCHER, errors, lambda *_: False, search)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unknown_error, "MAX_REMEMBERED_BYTES", room)
        one = new()
        for messages, log_group in several:
            found = one.match_each(messages, log_group=log_group)
            assert found == [new().match(message, log_group=log_group) for message in messages]
