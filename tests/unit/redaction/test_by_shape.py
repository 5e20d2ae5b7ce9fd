"""Secrets that no rule knows by name are hidden by what they look like, and ids that look alike stay readable."""

from __future__ import annotations

import base64
import json
import random
import re
import string
from functools import cache
from re import _parser

import pytest
import re2

from tocsin.core.redaction import redact as module
from tocsin.core.redaction.provider_rules import FORMS
from tocsin.core.redaction.redact import hidden_by, redact
from tocsin.core.redaction.rules import RULES
from tocsin.core.redaction.shapes import looks_random

RANDOM = random.Random(15)
ALNUM = string.ascii_letters + string.digits
PROVIDERS = next(rule for rule in RULES if rule.name == "provider-token")


def sample_of(parsed) -> str:
    """A text that an expression matches."""
    return "".join(_sample(what, of) for what, of in parsed)


def _sample(what, of) -> str:
    name = str(what)
    if name == "LITERAL":
        return chr(of)
    if name in {"MAX_REPEAT", "MIN_REPEAT"}:
        least, _, inner = of
        return "".join(sample_of(inner) for _ in range(least))
    if name == "SUBPATTERN":
        return sample_of(of[-1])
    if name == "BRANCH":
        return sample_of(RANDOM.choice(of[1]))
    if name == "IN":
        return RANDOM.choice(_characters(tuple(of)))
    return {"ANY": "x"}.get(name, "")


@cache
def _characters(of) -> list[str]:
    """Those of a class: the same classes are asked for with each character of each sample."""
    expression = _class(of)
    return [one for one in ALNUM + "-_+/=." if re.fullmatch(expression, one)]


def _class(of) -> str:
    parts = {
        "RANGE": lambda pair: f"{re.escape(chr(pair[0]))}-{re.escape(chr(pair[1]))}",
        "LITERAL": lambda code: re.escape(chr(code)),
        "CATEGORY": lambda code: r"\d" if "DIGIT" in str(code) else r"\w",
    }
    return "[" + "".join(parts[str(what)](value) for what, value in of) + "]"


def random_text(alphabet: str, size: int) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(size))


@pytest.mark.parametrize("form", FORMS, ids=[name for name, _, _ in FORMS])
def test_every_form_of_the_generated_list_hides_what_its_expression_describes(form):
    _, needles, expression = form
    parsed = _parser.parse(expression)
    samples = [
        text
        for text in (sample_of(parsed) for _ in range(40))
        if len(text) >= 20 or any(map(str.isdigit, text))
    ]
    assert samples, expression
    for sample in samples:
        assert re2.search(expression, sample)
        assert any(needle in sample.lower() for needle in needles.split()), sample
        for line in (f"refused {sample} twice", json.dumps({"ref": sample})):
            [find] = hidden_by((PROVIDERS,), line)
            assert sample.strip("=") in line[find.start : find.end], line


@pytest.mark.parametrize(
    ("alphabet", "size"),
    [(ALNUM, 24), (ALNUM, 32), (ALNUM, 40), (ALNUM + "-_", 43), (string.ascii_lowercase + string.digits, 32), (ALNUM + "+/", 64)],
)  # fmt: skip
def test_nine_of_ten_random_strings_are_hidden_wherever_they_stand(alphabet, size):
    hidden = 0
    for _ in range(200):
        secret = "x" + random_text(alphabet, size - 2) + "y"
        lines = (
            f"upstream refused {secret} today",
            f"Job(ref='{secret}', attempt=3)",
            json.dumps({"m": f"got {secret}"}),
        )
        hidden += all(secret not in redact(line) for line in lines)
    assert hidden >= 180


@pytest.mark.parametrize(
    "identifier",
    [
        "3fa85f64-5717-4562-b3fc-2c963f66afa6", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "0ujtsYcgvSTl8PAuAdqWYSMnLOv", "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "ch_3MmlLrLkdIwHu7ix0snN0B15", "evt_1NG8Du2eZvKYlo2CUI79vXWy",
        "SMb0d1e8f9a7c6b5d4e3f2a1b0c9d8e7f6", "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a0fYJ8gk3vW2eQhT5mPz", "Root=1-5759e988-bd862e3fe1be46a994272793",
        "orders-OrdersTable-1XYZ2ABC3DEF", "coredns-5d78c9869d-abcde", "2026/01/02/[$LATEST]0123456789abcdef0123456789abcdef",
        "org.apache.kafka.common.requests.FetchRequest$Builder2", "arn:aws:lambda:eu-west-1:123456789012:function:orders-v2", "chatcmpl-9Xk2mQ7vT4bL8nR1",
        "/var/task/node_modules/@aws-sdk/client-dynamodb/dist-cjs/index.js:6:15", "v0.0.0-20210921155107-089bfa567519", "python3.11-slim-bookworm-2024",
        "getUserByIdAndTenantName2Async", "0x00007fff92fabde9", "ip-10-0-1-23.eu-west-1.compute.internal", "blk_-6952295868487656571", "1700000000000000123",
    ],
)  # fmt: skip
def test_what_names_a_thing_stays_readable_though_it_looks_random(identifier):
    for line in (
        f"request {identifier} failed",
        f"GET took 3 ms for {identifier}",
        f'{{"ref": "{identifier}", "n": 3}}',
    ):
        assert identifier in redact(line), redact(line)


@pytest.mark.parametrize(
    "key", ["requestId", "x-amz-id-2-id", "etag", "image digest", "cursor", "host_id", "revision"]
)
def test_a_random_string_behind_the_name_of_an_id_stays_readable(key):
    line = f"failed: {key}=Yk3vT9bLq7Xn2RmZ8pWs4HdJ1cGf6uKe0"
    assert redact(line) == line


@pytest.mark.parametrize(
    "line",
    [
        "{'ACMEPAY_KEY': '⟦1761d026b1202108b5f9ecd28d1ecae826b0aee8⟧'}", "acmepayKey: ⟦hunter.5377⟧", "> Acmepay-Key: ⟦mu1qkjp61kgi⟧", "tls_key=⟦blue-77monkey⟧&page=2",
        "webhookSignature=⟦Pa55word.7141⟧", '{"otp_attempt": "⟦4471-blue⟧"}', "authorisation=⟦letMeIn_9687⟧", "snmp_community='⟦tr0ub4dor⟧'",
        "mailgun=⟦0123456789abcdef0123456789abcdef⟧", "acmepay: ⟦0123456789abcdef0123456789abcdef⟧", "Token ⟦0123456789abcdef0123456789abcdef⟧ has expired",
        "wrong credentials ⟦jane:blueMonkey.4471⟧", "kennwort=⟦blauerAffe⟧!", '{"doctor": "⟦Jane Roe⟧"}', "nickname='⟦Janey⟧'", "zip: ok, postal_code=⟦27401-1020⟧",
        "driver's license ⟦D1234567⟧ (row 17)", "could not verify passport ⟦C01234565⟧", "hic no ⟦123121234A⟧", "cpf ⟦123.456.789-09⟧ rejected",
    ],
)  # fmt: skip
def test_a_value_whose_name_says_what_it_is_is_hidden(line):
    secret = re.search("⟦(.*)⟧", line)[1]
    shown = redact(line.replace("⟦", "").replace("⟧", ""))
    assert secret not in shown, shown
    assert "[REDACTED:" in shown


@pytest.mark.parametrize(
    "line",
    [
        "primary key 20240101 of orders", "cache_key=user:123:profile2", "Key=orders/2026/01/order-17.json", "s3_key=invoices/2026-01.pdf", "partition_key='tenant#42'",
        "key_name = deploy2026", "KeyError: 'order_id'", "commit_sha=0123456789abcdef0123456789abcdef01234567", "note that this is fine: retry",
        "signature: import-module-error", "layer=0123456789abcdef0123456789abcdef", "the token is 3600 seconds old", "next_key=None", "city: unknown key",
    ],
)  # fmt: skip
def test_a_name_that_only_looks_like_one_for_a_secret_hides_nothing(line):
    assert redact(line) == line


def test_base64_is_decoded_and_looked_at():
    secret = base64.b64encode(b"user=app password=blueMonkey.4471 host=db").decode()
    harmless = base64.b64encode(b"hello world, this is a harmless sentence").decode()
    assert secret not in redact(f"cannot read {secret}")
    assert redact(f"cannot read cursor={harmless}") == f"cannot read cursor={harmless}"


def test_what_is_hidden_once_is_hidden_everywhere_in_the_event():
    line = (
        "login with password=blueMonkey.4471 failed: blueMonkey.4471 is too old\n  File x: 'blueMonkey.4471'"
    )
    assert "blueMonkey" not in redact(line)


def test_an_ordinary_word_that_is_hidden_once_stays_elsewhere():
    assert redact("password=postgres host=postgres port=5432").endswith("host=postgres port=5432")


@pytest.mark.parametrize(
    "number", ["6952295868487656571", "4980916519894289629", "5165786360127153975", "3509323198988774369"]
)
def test_an_id_of_64_bits_is_no_card_though_its_check_digit_is_right(number):
    assert redact(f"block {number} added, blk_-{number} served").count(number) == 2


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "5555 5555 5555 4444",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
    ],
)
def test_cards_of_every_brand_are_hidden(number):
    assert number not in redact(f"card {number} was refused")
    assert number not in redact(f"charged {number}, thanks")


@pytest.mark.parametrize(
    "line",
    [
        "Max retries exceeded with url: /services/T00000000/B00000000/⟦aBcDeFgHiJkLmNoPqRsTuVwX1⟧ (Caused by",
        "POST /v1/input/⟦0123456789abcdef0123456789abcdef⟧ HTTP/1.1", "/receiver/v1/http/⟦ZaVnC4dhaV3aBcDeFgHiJkLmNoPqRsTuVwX==⟧ failed",
        "/integration/⟦0123456789abcdef0123456789abcdef⟧/enqueue", "https://app.example.com/reset-password/⟦9f86d081884c7d659a2feaa0c55ad015⟧",
    ],
)  # fmt: skip
def test_the_secret_in_a_url_s_path_is_hidden_without_its_host(line):
    secret = re.search("⟦(.*)⟧", line)[1]
    assert secret not in redact(line.replace("⟦", "").replace("⟧", ""))


def test_words_are_not_random():
    for word in (
        "getRuntimeExtensionsDirectoryName",
        "com.tencent.mobileqq.cooperation.QzonePluginProxyService",
        "MAX_CONNECTIONS_PER_HOUR",
    ):
        assert not looks_random(word)


def test_a_search_for_the_needles_that_fails_leaves_no_rule_out(monkeypatch):
    """RE2 answers that nothing matched when it runs out of memory: that must not show a secret."""
    line = "login failed, password=hunter2secret, values ('Ada')"
    shown = redact(line)
    assert "hunter2secret" not in shown

    class Exhausted:
        def Match(self, _):  # noqa: N802 - RE2's name
            return None

    monkeypatch.setattr(module, "FEW_TEXTS", 0)
    monkeypatch.setattr(module, "_needles", lambda: (Exhausted(), []))
    assert redact(line) == shown
