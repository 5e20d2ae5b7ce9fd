"""A silence says what it mutes, until when, why and who; nothing else can be one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.core.incidents.silences import MAX_SILENCE, Silence, load_silence
from tocsin.core.stored_document import dump_document

T0 = 1_785_456_000_000
HOUR = 3_600_000
KNOWN = Silence(
    "s-1f", T0 + HOUR, "the partner knows", "Ada <ada@example.com>", T0, "s3-*", "worker", {"bucket": "a?"}
)


def test_it_mutes_from_when_it_was_made_until_the_moment_it_expires():
    moments = (T0 - 1, T0, T0 + HOUR - 1, T0 + HOUR)
    assert [KNOWN.active(at) for at in moments] == [False, True, True, False]


@pytest.mark.parametrize(
    ("silence", "covered"),
    [
        ({"signature": "s3-bucket-*"}, True),
        ({"signature": "S3-bucket-*"}, False),
        ({"signature": "s3-bucket"}, False),
        ({"service": "work?r"}, True),
        ({"service": "worker", "signature": "db-*"}, False),
        ({"fields": {"bucket": "credmate-*"}}, True),
        ({"fields": {"bucket": "credmate-*", "region": "*"}}, False),
        ({"service": "worker", "fields": {"bucket": "other"}}, False),
    ],
)
def test_an_alert_is_covered_when_everything_given_fits_it(silence, covered):
    one = replace(KNOWN, **{"signature": "", "service": "", "fields": {}, **silence})
    assert one.covers("s3-bucket-not-accessible", "worker", {"bucket": "credmate-documents"}) is covered


def test_it_comes_back_from_its_document_as_it_was():
    assert load_silence(dump_document(KNOWN)) == KNOWN


def test_a_newer_versions_key_is_passed_over():
    assert load_silence(json.dumps({**json.loads(dump_document(KNOWN)), "teams": ["a"]})) == KNOWN


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"id": ""}, "id"),
        ({"reason": " "}, "reason"),
        ({"author": ""}, "author"),
        ({"author": "a" * 201}, "author"),
        ({"reason": 7}, "reason"),
        ({"reason": "\ud800"}, "reason"),
        ({"signature": "", "service": "", "fields": {}}, "signature"),
        ({"signature": None}, "signature"),
        ({"expires_at": T0}, "expires_at"),
        ({"expires_at": T0 + MAX_SILENCE + 1}, "expires_at"),
        ({"expires_at": "2026-11-22"}, "expires_at"),
        ({"expires_at": True}, "expires_at"),
        ({"created_at": -1}, "created_at"),
        ({"fields": ["bucket"]}, "fields"),
        ({"fields": {"bucket": ""}}, "fields.bucket"),
        ({"fields": {"bucket": 1}}, "fields.bucket"),
        ({"fields": {f"f{i}": "*" for i in range(21)}}, "fields"),
    ],
)
def test_what_must_not_mute_is_refused_by_name(change, key):
    with pytest.raises(ValueError, match=rf"^{key}: "):
        replace(KNOWN, **change)
    with pytest.raises(ValueError, match=rf"^{key}: "):
        load_silence(json.dumps({**json.loads(dump_document(KNOWN)), **change}))


@pytest.mark.parametrize("key", ["id", "expires_at", "reason", "author", "created_at"])
def test_a_document_without_a_required_key_is_refused_by_name(key):
    document = json.loads(dump_document(KNOWN))
    del document[key]
    with pytest.raises(ValueError, match=rf"^{key}: required"):
        load_silence(json.dumps(document))


@pytest.mark.parametrize("text", ["", "null", "[]", "7", '"s"', "{"])
def test_what_is_no_document_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        load_silence(text)


@given(st.text(min_size=1, max_size=60), st.text(max_size=60))
def test_any_glob_answers_at_once_and_never_raises(glob, value):
    try:
        silence = replace(KNOWN, signature="", service="", fields={"f": glob})
    except ValueError:
        return
    assert silence.covers("s", "v", {"f": value}) in {True, False}


def test_a_glob_of_many_stars_cannot_hang_a_function():
    silence = replace(KNOWN, signature="", service="", fields={"f": "*a" * 140 + "b"})
    assert silence.covers("s", "v", {"f": "a" * 5000}) is False


def test_it_says_in_one_line_what_it_is_about():
    assert KNOWN.matcher == "signature=s3-* service=worker bucket=a?"
    assert replace(KNOWN, service="").matcher == "signature=s3-* bucket=a?"


def of(**covers):
    return Silence("s-1", T0 + 1_000, "r", "a", T0, **covers)


@pytest.mark.parametrize("name", ["jobs[eu]", "a*b", "what?", "[", "[!x]", "cron [nightly] (1)"])
def test_a_name_given_as_it_is_shown_is_covered(name):
    assert of(service=name).covers("any", name, {})
    assert of(signature="s", service=f"other\n{name}").covers("s", name, {})
    assert of(fields={"queue": name}).covers("any", "any", {"queue": name})


def test_each_of_several_is_covered_and_nothing_else():
    silence = of(signature="dlq-depth\ndb-*", service="api\nworker")
    for signature in ("dlq-depth", "db-gone"):
        for service in ("api", "worker"):
            assert silence.covers(signature, service, {})
    assert not silence.covers("dlq-depth\ndb-*x", "api", {})
    assert not silence.covers("dlq-depth", "apiworker", {})
    assert not silence.covers("dlq", "api", {})
    assert silence.matcher == "signature=dlq-depth or db-* service=api or worker"


def test_a_silence_that_begins_later_mutes_from_then_and_not_before():
    planned = replace(KNOWN, begins_at=KNOWN.created_at + 60_000)
    assert not planned.active(KNOWN.created_at)
    assert not planned.active(planned.begins - 1)
    assert planned.active(planned.begins)
    assert load_silence(dump_document(planned)) == planned


def test_one_that_is_ended_before_it_began_never_begins():
    planned = replace(KNOWN, begins_at=KNOWN.expires_at - 1)
    ended = planned.ended(KNOWN.created_at + 5)
    assert ended.expires_at == KNOWN.created_at + 5
    assert not any(ended.active(at) for at in range(ended.expires_at, ended.expires_at + 10))


@pytest.mark.parametrize(
    ("begin", "end", "key"),
    [(-1, 1, "begins_at"), (MAX_SILENCE + 1, MAX_SILENCE + 2, "begins_at"), (5, 5, "expires_at"), (5, MAX_SILENCE + 6, "expires_at"), ("1", 2, "begins_at")],
)  # fmt: skip
def test_a_beginning_that_makes_no_sense_is_refused_by_name(begin, end, key):
    begins_at = begin if isinstance(begin, str) else T0 + begin
    with pytest.raises(ValueError, match=f"^{key}: "):
        Silence("s", T0 + end, "r", "a", T0, service="x", begins_at=begins_at)
