"""What is shown of a log line is visible, redacted, and only then cut to size."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.matching.captured_fields import field_values
from tocsin.core.model import Match
from tocsin.core.redaction import redact as redact_module
from tocsin.core.redaction import sample as sample_module
from tocsin.core.redaction.rule import Rule
from tocsin.core.redaction.sample import (
    FROM,
    MAX_FIELD_LENGTH,
    MAX_SAMPLE_LENGTH,
    TO,
    WITHHELD,
    field_value,
    name_of,
    normalise,
    sample_of,
)

TRACEBACK = "\n".join(
    ["[ERROR] RuntimeError: it failed", "Traceback (most recent call last):"]
    + [
        f'  File "/var/task/app/module_{n}.py", line {n}, in function_{n}\n    call_{n}(argument)'
        for n in range(200)
    ]
    + ["RuntimeError: the exception itself"]
)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"), ("a\r\nb\rc\x85d\u2028e", "a\nb\nc\nd\ne"), ("\u00a0\u00a0File", "  File"),
        ("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "red link"), ("a\x00b\x07c", "abc"), ("tab\there", "tab\there"),
        ("user\u202egnp.exe\u2066x\u2069", "usergnp.exex"), ("z\u200be\u200cr\u200do\ufeff", "zero"), ("x\ud800y", "xy"),
        ("tag\U000e0041\U000e007f", "tag"), ("\n\nmiddle\n", "middle"),
    ],
)  # fmt: skip
def test_what_is_invisible_is_gone_and_blanks_are_blanks(raw, shown):
    assert sample_of(raw) == shown


@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\x00", "\u202e", "\x1b[1m", "\ufe0f"])
def test_invisible_characters_hide_no_secret(hidden):
    for line in (
        f"pass{hidden}word=hunter2hunter2",
        f"password{hidden}={hidden}hunter2hunter2",
        f"AKIA{hidden}IOSFODNN7EXAMPLE",
    ):
        assert "hunter2" not in sample_of(line)
        assert "FODNN7" not in sample_of(line)
        assert "hunter2" not in field_value(line)


@given(position=st.integers(0, 4_000), after=st.integers(0, 4_000))
def test_a_secret_at_the_cut_never_shows_in_part(position, after):
    secret = "AKIAIOSFODNN7EXAMPLE"
    password = "correct-horse-battery-staple"
    shown = sample_of("x" * position + f" {secret} password={password} " + "y" * after)
    assert not any(secret[i : i + 5] in shown for i in range(len(secret) - 5))
    assert not any(password[i : i + 5] in shown for i in range(len(password) - 5))
    assert len(shown) <= MAX_SAMPLE_LENGTH


def test_of_a_long_traceback_the_beginning_and_the_exception_at_the_end_are_shown_in_whole_lines():
    shown = sample_of(TRACEBACK)
    lines = shown.splitlines()
    assert len(shown) <= MAX_SAMPLE_LENGTH
    assert lines[0] == "[ERROR] RuntimeError: it failed"
    assert lines[-1] == "RuntimeError: the exception itself"
    assert sum("characters left out" in line for line in lines) == 1
    assert all(line in TRACEBACK.splitlines() for line in lines if "characters left out" not in line)


@given(st.text(max_size=6_000))
def test_a_sample_is_never_too_long_and_a_field_is_one_short_line(text):
    assert len(sample_of(text)) <= MAX_SAMPLE_LENGTH
    sample_of(text).encode()
    value = field_value(text)
    assert len(value) <= MAX_FIELD_LENGTH
    assert len(value.splitlines()) <= 1
    value.encode()


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    assert normalise(normalise(text)) == normalise(text)


def test_a_line_of_a_mebibyte_is_cut_to_size_and_keeps_its_secrets():
    shown = sample_of("ERROR " + "x" * 400 + " password=hunter2hunter2 " + "y " * 500_000)
    assert len(shown) <= MAX_SAMPLE_LENGTH
    assert shown.startswith("ERROR xxx")
    assert "hunter2" not in shown


def test_text_that_cannot_be_redacted_is_withheld(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug in a rule")

    monkeypatch.setattr(redact_module, "hidden_in", broken)
    assert sample_of("password=hunter2") == WITHHELD
    assert field_value("password=hunter2") == WITHHELD


def test_a_field_is_redacted():
    assert field_value("jane@example.com\nsecond line") == "[REDACTED:email] second line"


@pytest.mark.parametrize(
    ("message", "fields", "shown"),
    [
        # The key stayed outside the capture.
        ("connect password=hunter2x host=db", {"x": "hunter2x", "host": "db"}, {"x": "[REDACTED:credential]", "host": "db"}),
        ('{"level":"ERROR","message":"bad \\"token\\": \\"hunter2x\\""}', {"x": "hunter2x"}, {"x": "[REDACTED:credential]"}),
        # Half of it was captured, or more than it.
        ("postgres://app:hunter2x@db/prod", {"x": "hunter", "y": "2x@db"}, {"x": "[REDACTED:url-password]", "y": "[REDACTED:url-password]@db"}),
        ("failed:  password=hunter2x\n now", {"x": "failed: password=hunter2x now"}, {"x": "failed: password=[REDACTED:credential] now"}),
        # It was put together by somebody, and is nowhere in the line as it is.
        ("password=hunter2x in f", {"where": "f/hunter2x"}, {"where": "f/[REDACTED:credential]"}),
        # It stands in the open elsewhere: nothing is gained by hiding it.
        ("user app, secret=app", {"user": "app"}, {"user": "app"}),
        # By its form alone.
        ("key of AKIAIOSFODNN7EXAMPLE", {"x": "AKIAIOSFODNN7EXAMPLE"}, {"x": "[REDACTED:aws-key]"}),
        ("", {}, {}),
    ],
)  # fmt: skip
def test_what_the_line_hides_is_hidden_in_what_was_captured_of_it(message, fields, shown):
    assert field_values(Match("s", fields), message) == shown


def test_the_context_of_a_capture_counts_in_a_line_of_a_mebibyte_too():
    message = "x " * 300_000 + "ERROR password=hunter2x failed " + "y " * 200_000
    start = message.index("ERROR")
    assert field_values(Match("s", {"x": "hunter2x"}, start, start + 30), message) == {
        "x": "[REDACTED:credential]"
    }


def test_captures_that_cannot_be_looked_at_in_their_line_are_withheld(monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug in a rule")

    monkeypatch.setattr(redact_module, "hidden_in", broken)
    assert field_values(Match("s", {"x": "hunter2x"}), "password=hunter2x") == {"x": WITHHELD}


def test_a_character_that_json_escaped_hides_no_secret():
    for hidden in ("\\u200b", "\\\\u200b", "\\u00ad", "\\u202E"):
        assert "hunter2" not in sample_of(f'{{"m": "pass{hidden}word=hunter2hunter2"}}')
    assert (
        sample_of('{"m":"caf\\u00e9 \\u0022 \\n \\ud83d\\ude00"}')
        == '{"m":"café \\u0022 \\n \\ud83d\\ude00"}'
    )


@given(
    before=st.integers(0, 20_000),
    after=st.integers(0, 20_000),
    matched=st.sampled_from(["Rate exceeded", "signal: killed", 'key "a" is missing']),
)
def test_what_matched_is_shown_and_marked_wherever_a_long_line_has_it(before, after, matched):
    line = "lorem ipsum " * (before // 12) + matched + " dolor sit amet" * (after // 15)
    sample = sample_of(line, around=matched)
    assert len(sample) <= MAX_SAMPLE_LENGTH
    assert (f"{FROM}{matched}{TO}" in sample) is (len(line) > MAX_SAMPLE_LENGTH)
    assert matched in sample


def test_a_secret_before_and_within_what_matched_stays_hidden_and_moves_nothing():
    matched = "cannot log in as jo@example.com today"
    sample = sample_of("password=hunter2secret " * 200 + matched + " and so on" * 900, around=matched)
    assert f"{FROM}cannot log in as [REDACTED:email] today{TO}" in sample
    assert "hunter2secret" not in sample


def test_what_matched_in_a_line_of_json_is_found_as_it_was_written():
    text = 'relation "orders" does not exist'
    line = json.dumps(
        {"level": "info", "pad": "x " * 4_000, "message": f"failed: {text}", "more": "y " * 4_000}
    )
    assert f"{FROM}{json.dumps(text)[1:-1]}{TO}" in sample_of(line, around=text)


def test_what_cannot_be_found_again_leaves_the_beginning_and_the_end():
    sample = sample_of("begin " + "x " * 4_000 + "end", around="nowhere in it")
    assert sample.startswith("begin ")
    assert sample.endswith("end")
    assert FROM not in sample


def test_the_name_of_a_stream_of_lambda_is_whole_whatever_its_random_digits_look_like():
    for name in (
        "2026/11/23/[45]4b1d9d4d291f011d851d275c1070d366",
        "2026/04/20/[$LATEST]e17ea774b1d0a739963087fc7180b899",
    ):
        assert name_of(name) == name
    assert "jo@mail.test" not in name_of("2026/04/20/[$LATEST]jo@mail.test")
    own = Rule("own", "", (), "e17ea774")
    assert "e17ea774" not in name_of("2026/04/20/[$LATEST]e17ea774b1d0a739963087fc7180b899", [own])


@settings(deadline=None)
@given(st.text("ab\\\t\n\r \u00a0\u200b\u202e\x1b[m\x85", max_size=12))
def test_a_text_is_passed_over_only_where_nothing_in_it_is_changed(text):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sample_module, "is_ordinary", lambda _: False)
        slow = normalise(text)
    assert normalise(text) == slow
