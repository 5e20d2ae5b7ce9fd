"""What a program prints whole is hidden between its brackets, its type stays; what it prints of itself is read as before."""

from __future__ import annotations

import pytest

from tocsin.core.redaction.redact import redact


@pytest.mark.parametrize(
    ("line", "type_name"),
    [
        ("bad row: Visitor(name='Noor Haddad', plan='gold')", "Visitor("),
        ("ValueError: cannot save Guest(id=7, first=Ada, last=Muster)", "Guest("),
        ("could not map Invoice[id=9, payer=Ada Muster, total=12.5]", "Invoice["),
        ("no such Reader{id=9, holder='Ada Muster'}", "Reader{"),
        ("panicked at 'bad Reader { name: \"Ada\", age: 3 }'", "Reader {"),
        ('undefined method for #<Reader:0x00007f @name="Ada", @age=3>', "#<Reader"),
        ('undefined method for #<Reader id: 3, name: "Ada">', "#<Reader"),
        ("cannot save &{ID:12 Name:Ada Mail:x}", "&{"),
        ("bad claims map[name:Ada town:Ulm]", "map["),
        ("IntegrityError on <Reader: Ada Muster>", "<Reader:"),
        ("Batch(status=active, owner=Reader(name='Ada'))", "Batch("),
        ('{"message": "bad Reader(name=\\"Ada Muster\\", id=3) given"}', "Reader("),
        ("cut off Reader(name='Ada Must", "Reader("),
    ],
)  # fmt: skip
def test_nothing_of_a_printed_record_is_shown_but_its_type(line, type_name):
    shown = redact(line)
    assert type_name in shown
    for said in ("Noor", "Haddad", "Ada", "Must", "Ulm", "gold"):
        assert said not in shown


@pytest.mark.parametrize(
    "line",
    [
        "HTTPSConnectionPool(host='api.partner.example', port=443): Max retries exceeded with url: /v1/files",
        "ReadTimeout(connect=5, read=60)",
        "OffsetAndMetadata{offset=12, leaderEpoch=null, metadata=''}",
        "TopicPartition(topic='orders', partition=3)",
        "Point(x=1, y=2) Job(status=active, attempts=3) Retry(total=0, connect=None)",
        "retry policy is FixedSleep(maxRetries=10, sleepTime=1000 MILLISECONDS)",
        "<app.models.Reader object at 0x7f2c> is not callable",
        "<Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>",
        "if (Reader == None) return Foo(a == b)",
        "AttributeError: 'Reader' object has no attribute 'mail'",
        "com.acme.Foo$Bar.run(Foo.java:12)",
        "400 Bad Request: {",
    ],
)
def test_what_programs_print_of_themselves_stays(line):
    assert redact(line) == line


@pytest.mark.parametrize(
    "line",
    [
        "> POST /services/T0AB12CD34/B0AB12CD34/abcdefghijklmnopqrstuvwx HTTP/1.1",
        "exceeded with url: /services/T0AB12CD34/B0AB12CD34/ABCDEFGHijklmnopQRSTUVWX (Caused by …",
        "PUT /api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz-abcdefgh",
        "retrying /webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz later",
        "POST https://hooks.slack.com/triggers/T0AB12CD34/1234567890123/abcdefghijklmnop",
    ],
)
def test_the_secret_segment_of_a_webhooks_path_needs_not_look_random(line):
    assert "bcdefgh" not in redact(line).lower()
