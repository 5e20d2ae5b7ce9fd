"""Strict redaction shows only what is known to be harmless, and an engineer can still work with it."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.redaction import strict
from tocsin.core.redaction.redact import hidden_in, redact, redact_or_withhold
from tocsin.core.redaction.sample import WITHHELD, field_value, sample_of
from tocsin.core.redaction.strict import in_plain_words, vocabulary


@pytest.mark.parametrize(
    "line",
    [
        "[ERROR] 2026-01-02T03:04:05.678Z 1f792b59-5027-11e6-88ff-fdf244a4bc7d Task timed out after 3.00 seconds",
        "REPORT RequestId: 1f792b59-5027-11e6-88ff-fdf244a4bc7d\tDuration: 3000.12 ms\tBilled Duration: 3001 ms\tMemory Size: 128 MB\tMax Memory Used: 96 MB",
        'Traceback (most recent call last):\n  File "/var/task/app/handler.py", line 41, in run\n    send()\nRuntimeError: gave up',
        'psycopg2.OperationalError: connection to server at "db.internal", port 5432 failed: Connection refused',
        "An error occurred (AccessDeniedException) when calling the GetSecretValue operation: User: arn:aws:sts::123456789012:assumed-role/app/x is not authorized",
        'java.lang.NullPointerException: Cannot invoke "String.length()"\n\tat com.example.orders.Service.run(Service.java:42)',
        "TypeError: Cannot read properties of undefined (reading 'id')\n    at handler (/var/task/index.js:12:5)",
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'mangum'",
        "connect ECONNREFUSED 10.0.1.23:5432", "status=502 attempt=3 duration_ms=812 count=17", "panic: runtime error: index out of range [5] with length 3",
    ],
)  # fmt: skip
def test_what_an_engineer_needs_is_shown(line):
    assert redact(line, strict=True) == line


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("could not book Marisol Etcheverry for Tuesday", "Etcheverry"), ("note: drinks wodka daily", "wodka"), ("lookup of C01234565 failed", "C01234565"),
        ("no record for 12345678903", "12345678903"), ("born 1971-08-23", "1971-08-23"), ("call 0930 1234567", "1234567"), ("ether 4a:00:04:10:9b:50", "4a:00:04"),
        ("plate 34 ABC 1234 seen", "ABC 1234"), ("delivery to Lindenallee 17, 10115 Berlin", "Lindenallee"), ("delivery to Lindenallee 17, 10115 Berlin", "10115"),
        ("GET /patients/etcheverry-marisol 404", "etcheverry"), ("пациент Иванов не найден", "Иванов"), ("患者の山田太郎", "山田"), ("sertraline 50 mg", "sertraline"),
        ("Größe von Müller", "ller"), ("i'm dean.malmgren on skype", "malmgren"), ("key xk3vq9 refused", "xk3vq9"),
    ],
)  # fmt: skip
def test_what_nobody_can_know_to_be_harmless_is_hidden(line, secret):
    assert secret not in redact(line, strict=True)


@given(
    secret=st.text(string.ascii_letters + string.digits, min_size=9, max_size=40),
    around=st.sampled_from(["{}", "x {} y", "'{}'", "[{}]", "a={}", "{},", "<{}>", "/{}/", "{}:{}"]),
)
def test_no_string_of_letters_and_digits_that_is_no_word_is_shown(secret, around):
    parts = strict._PART.findall(secret)
    known = [part for part in parts if part.lower() in vocabulary() or len(part) == 1 or part.isdigit()]
    if len(known) >= len(parts) - 1 or secret.endswith(("Error", "Exception", "Failure", "Fault", "Timeout")):
        return
    shown = redact(around.replace("{}", secret), strict=True)
    assert secret not in shown, shown


def test_a_find_of_the_rules_keeps_its_name_and_the_rest_is_an_ellipsis():
    assert (
        redact("login of Marisol password=blueMonkey.4471", strict=True)
        == "login of … password=[REDACTED:credential]"
    )


def test_places_do_not_overlap_and_are_in_order():
    text = "Marisol Etcheverry, token=blueMonkey.4471, Lindenallee 17 \n Marisol"
    finds = hidden_in(text, strict=True)
    assert [find.end <= after.start for find, after in pairwise(finds)] == [True] * (len(finds) - 1)


def test_it_fails_closed(monkeypatch):
    monkeypatch.setattr("tocsin.core.redaction.redact.strict_spans", lambda text: 1 / 0)
    assert redact_or_withhold("Marisol", strict=True) is None
    assert sample_of("Marisol", strict=True) == WITHHELD
    assert field_value("Marisol", strict=True) == WITHHELD


@pytest.mark.parametrize(
    "word",
    ["john", "mary", "diabetes", "hiv", "penicillin", "patient", "seattle", "pregnant", "jose", "smith"],
)
def test_names_places_and_diseases_are_not_in_the_vocabulary(word):
    assert word not in vocabulary()


@pytest.mark.parametrize(
    "word",
    [
        "timeout",
        "connection",
        "refused",
        "handler",
        "throttling",
        "exceeded",
        "undefined",
        "segfault",
        "deadlock",
        "bucket",
    ],
)
def test_the_words_of_failures_are_in_the_vocabulary(word):
    assert word in vocabulary()


def test_the_vocabulary_says_its_version_and_stays_small():
    from tocsin.core.redaction.vocabulary import VERSION, WORDS

    assert VERSION >= 1
    assert 4_000 < len(WORDS.split()) < 12_000
    assert WORDS.split() == sorted(set(WORDS.split()))


def test_plain_words_have_few_digits():
    assert in_plain_words("index out of range [5] with length 3")
    assert not in_plain_words("41 555 01")
    assert not in_plain_words("Marisol is here")
