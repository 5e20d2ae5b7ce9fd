"""Only what Slack signed, lately and not yet taken, is let in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.slack.signing import MAX_AGE, MAX_BODY, Refusal, refusal_of, signature_of

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_770_000_000_000
AT = str(NOW // 1000)
BODY = b"payload=%7B%7D"


def refused(*, secret=SECRET, timestamp=AT, signature=None, body=BODY, now=NOW):
    signature = signature_of(SECRET, timestamp, BODY) if signature is None else signature
    return refusal_of(secret, timestamp, signature, body, now)


def test_the_example_of_slacks_documentation_verifies():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert signature_of(SECRET, "1531420618", body) == signature
    assert refusal_of(SECRET, "1531420618", signature, body, 1531420618_000) is None


def test_what_slack_signed_just_now_is_let_in():
    assert refused() is None


@pytest.mark.parametrize("age", [MAX_AGE + 1_000, -MAX_AGE - 1_000])
def test_what_is_too_old_or_from_the_future_is_refused_although_it_is_signed(age):
    assert refused(now=NOW + age) is Refusal.TOO_OLD


@pytest.mark.parametrize(
    "timestamp",
    ["", "now", "1.5", "-5", "\u0661" * 10, "9" * 5_000, AT + "\n", " " + AT],
    ids=["none", "word", "fraction", "negative", "digits", "endless", "line", "space"],
)
def test_a_time_that_is_none_is_refused_and_raises_nothing(timestamp):
    assert refused(timestamp=timestamp, signature="v0=" + "0" * 64) is Refusal.NOT_SIGNED


@pytest.mark.parametrize(
    "signature", ["", "v0=", "v1=" + "0" * 64, "v0=" + "0" * 63, "v0=" + "Z" * 64, "v0=é"]
)
def test_a_signature_of_another_form_is_refused(signature):
    assert refused(signature=signature) is Refusal.NOT_SIGNED


def test_an_empty_secret_signs_nothing():
    assert refused(secret="", signature=signature_of("", AT, BODY)) is Refusal.NOT_SIGNED


def test_a_large_body_is_refused_before_it_is_hashed():
    assert refused(body=b"x" * (MAX_BODY + 1)) is Refusal.TOO_LARGE


@given(st.binary(max_size=200), st.text(max_size=40), st.text(max_size=80))
def test_nothing_made_up_is_let_in(body, timestamp, signature):
    assert refusal_of(SECRET, timestamp, signature, body, NOW) is not None


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused(position, change):
    changed = bytearray(BODY)
    changed[position] ^= change
    assert refused(body=bytes(changed)) is Refusal.WRONG_SIGNATURE
