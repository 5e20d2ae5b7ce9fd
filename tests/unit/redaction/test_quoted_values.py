"""What programs quote is hidden, and what an engineer needs of the message stays."""

from __future__ import annotations

import json
import re

import pytest

from tocsin.core.redaction.quoted_values import QUOTATIONS
from tocsin.core.redaction.redact import redact

LINES = [
    # (line with ⟦what is hidden⟧, what must stay)
    ("1 validation error for Request\nref\n  Input should be a valid integer [type=int_parsing, input_value='⟦Jane Roe⟧', input_type=str]", "type=int_parsing"),
    ("ValueError: invalid literal for int() with base 10: '⟦Jane 1971⟧'", "invalid literal for int() with base 10"),
    ("ValueError: time data '⟦23 Aug 1971⟧' does not match format '%Y-%m-%d'", "%Y-%m-%d"),
    ("ValueError: '⟦bipolar disorder⟧' is not a valid Diagnosis", "is not a valid Diagnosis"),
    ('strconv.Atoi: parsing "⟦00482913x⟧": invalid syntax', "strconv.Atoi"),
    ('java.lang.NumberFormatException: For input string: "⟦41 555 01⟧"', "For input string"),
    ("Conversion failed when converting the varchar value '⟦Jane Roe⟧' to data type int.", "data type int"),
    ("KeyError: '⟦Jane Roe⟧'", "KeyError"),
    ("Invalid type for parameter Item.who, value: ⟦Jane Roe⟧, type: <class 'str'>, valid types: <class 'dict'>", "parameter Item.who"),
    ("LOG:  execute <unnamed>: UPDATE p SET phone=$1\nDETAIL:  parameters: $1 = '⟦4155550132⟧', $2 = '⟦drinks daily⟧'", "UPDATE p SET phone=$1"),
    ("SELECT * FROM patients WHERE surname='⟦Etcheverry Roe⟧' AND zip='⟦27401-1020⟧'", "FROM patients WHERE surname="),
    ("the right syntax to use near '⟦Etcheverry', '1971-08-23⟧' at line 1", "at line 1"),
    ('E11000 duplicate key error collection: app.users index: email_1 dup key: {⟦ email: "roe1971" ⟧}', "collection: app.users index: email_1"),
    ("Task clinic.tasks.remind[6c1f] received args=(⟦'Jane Roe', '1971-08-23'⟧) kwargs={}", "clinic.tasks.remind"),
    ("celery: clinic.tasks.remind(⟦'Jane Roe', born='1971'⟧) failed", "clinic.tasks.remind"),
    ("Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    who = '⟦Jane Roe⟧'\nRuntimeError: gave up", 'File "a.py", line 1, in f'),
    ("cannot parse:\nMSH|^~\\&|ADT1|MCM\nPID|⟦1||PATID1234||ROE^JANE^A||19610615⟧\nPV1|⟦1|I|2000^2012⟧", "MSH|"),
    ("ISA*00*~NM1*⟦IL*1*ROE*JANE⟧~DMG*⟦D8*19710823*F⟧~", "NM1*"),
    ('failed to store {"resourceType": "Patient",⟦ "name": [{"family": "Roe"}], "birthDate": "1971-08-23"}⟧', '"resourceType": "Patient"'),
    ('rejected <Patient xmlns="http://hl7.org/fhir">⟦<name><family value="Roe"/></name></Patient>⟧', "rejected"),
    ('{"version": "1", "userPoolId": "eu-west-1_x", "request": {"userAttributes": {⟦"given_name": "Jane"⟧}}}', "userPoolId"),
    ('{"path": "⟦/patients/roe-jane⟧", "queryStringParameters": {⟦"born": "1971-08-23"⟧}, "requestContext": {"stage": "prod"}}', '"stage": "prod"'),
    ('assertion `left == right` failed\n  left: "⟦Jane Roe⟧"\n right: "Jo"', "assertion `left == right` failed"),
    ("#3 /app/src/Clinic.php(12): App\\Clinic->admit(⟦'Jane Roe', 44⟧)", "/app/src/Clinic.php(12): App\\Clinic->admit("),
    ("Field error in object 'visit' on field 'age': rejected value [⟦Jane Roe⟧]; codes [typeMismatch]", "codes [typeMismatch]"),
    ("Request failed with status code 422 { data: '⟦{\"who\":\"Jane Roe\"}⟧' }", "status code 422"),
    ("Couldn't find Visit with 'who'='⟦Jane Roe⟧'", "Couldn't find Visit"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "kept"), LINES, ids=[line[:50] for line, _ in LINES])
def test_what_a_message_quotes_is_hidden_and_the_message_stays(marked, kept):
    shown = redact(re.sub("[⟦⟧]", "", marked))
    for secret in re.findall("⟦([^⟧]*)⟧", marked):
        assert secret not in shown, shown
    assert kept in shown, shown


@pytest.mark.parametrize(
    "line",
    [
        "KeyError: 'order_id'", "ValueError: invalid literal for int() with base 10: ''", "TypeError: 'NoneType' object is not iterable", "invalid value: 'None'",
        'ERROR: column "created_at" does not exist', "Unknown database 'orders'", "No module named 'psycopg2'", "Unable to import module 'app.handler': No module named 'x'",
        "'str' object has no attribute 'decode'", 'relation "public.orders" does not exist', "Syntax error in module 'app/lambda_function': invalid syntax",
        'no pg_hba.conf entry for host "10.0.1.2", user "app"', '{"time":1562830012963,"type":"Error"}', "UPDATE jobs SET state = $1 WHERE id = $2", "args=() kwargs={}",
    ],
)  # fmt: skip
def test_names_of_keys_types_columns_and_modules_stay(line):
    assert redact(line) == line


def test_every_quotation_has_a_line_here_that_it_is_needed_for():
    texts = [re.sub("[⟦⟧]", "", line).lower() for line, _ in LINES]
    for quotation in QUOTATIONS:
        assert quotation.what
        assert all(needle == needle.lower() for needle in (*quotation.needles, *quotation.within))
    unused = [
        quotation.what
        for quotation in QUOTATIONS
        if not any(needle in text for needle in quotation.needles for text in texts)
    ]
    assert unused == ["Bodies and payloads that a client or server could not take"] or not unused


def test_it_stays_hidden_in_json_within_json():
    line = "ValueError: time data '23 Aug 1971' does not match format"
    text = json.dumps({"log": json.dumps({"message": line})})
    assert "23 Aug 1971" not in redact(text)
