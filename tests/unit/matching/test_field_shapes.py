"""No free text comes into a captured field, and so into no summary, title or fingerprint."""

from __future__ import annotations

import pytest

from tocsin.core.matching.captured_fields import field_values
from tocsin.core.matching.field_shapes import FREE_TEXT, shaped
from tocsin.core.model import Match


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("module", "psycopg2._psycopg"), ("module", "@aws-sdk/client-s3"), ("bucket", "acme-uploads.prod"), ("host", "db-1.cluster-x.eu-west-1.rds.amazonaws.com"),
        ("host", "[2001:db8::1]:5432"), ("port", "5432"), ("seconds", "3.00"), ("exception", "java.lang.OutOfMemoryError"), ("handler", "app/main.handler"), ("user", "app@%"),
        ("role", "orders-reader"), ("exception", "runtime error: index out of range [5] with length 3"), ("cause", "signal: killed"), ("user", "[REDACTED:email]"),
        ("name", ""), ("error_type", "Runtime.ImportModuleError"), ("database", "orders"), ("secret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1B2c3"),
    ],
)  # fmt: skip
def test_what_has_the_shape_of_its_name_is_shown(name, value):
    assert shaped(name, value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exception", "cannot bill Marisol Etcheverry for visit 12"), ("exception", "no chart for 00482913 of Etcheverry"), ("host", "Marisol Etcheverry, Lindenallee 17"),
        ("port", "Etcheverry"), ("module", "Marisol Etcheverry"), ("reason", "patient Etcheverry left"), ("user", "Marisol Etcheverry"), ("anything", "wodka & gin"),
    ],
)  # fmt: skip
def test_free_text_is_hidden_whatever_the_field_is_called(name, value):
    assert shaped(name, value) == FREE_TEXT


def test_the_text_of_a_panic_is_no_field():
    message = "panic: cannot bill Marisol Etcheverry for visit 12"
    match = Match("go-panic", {"exception": "cannot bill Marisol Etcheverry for visit 12"}, 0, len(message))
    assert field_values(match, message) == {"exception": FREE_TEXT}
