"""Nothing secret survives redaction, wherever it stands; what an engineer needs does."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tocsin.core.redaction import redact as module
from tocsin.core.redaction.redact import GUARD, MAX_CHARACTERS, RULES, redact, redact_or_withhold

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
DIGITS = "0123456789"
ALNUM = UPPER + LOWER + DIGITS
HEX = "0123456789abcdef"


def text_of(alphabet: str, least: int, most: int | None = None) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most or least)


announced_numbers = st.builds(
    "{} {}{}".format,
    st.sampled_from(["passport", "plate", "member id", "IBAN:", "n.p.i"]),
    st.text(ALNUM + " -./", max_size=30),
    st.text(max_size=5),
)

# One strategy per kind of credential that shows by its form. No real credential is among them: they are drawn.
BY_FORM: dict[str, st.SearchStrategy[str]] = {
    "aws access key id": st.builds(
        "{}{}".format, st.sampled_from(["AKIA", "ASIA"]), text_of(UPPER + "234567", 16)
    ),
    "aws session token": text_of(ALNUM + "/+", 120, 300).map("IQoJb3JpZ2lu{}".format),
    "bedrock key": text_of(ALNUM + "+/=", 60, 130).map("ABSK{}".format),
    "slack bot token": st.builds(
        "xoxb-{}-{}-{}".format, text_of(DIGITS, 11), text_of(DIGITS, 12), text_of(ALNUM, 24)
    ),
    "slack app token": text_of(ALNUM, 40).map("xapp-1-A012-{}".format),
    "github token": st.builds("{}{}".format, st.sampled_from(["ghp_", "gho_", "ghs_"]), text_of(ALNUM, 36)),
    "github fine-grained token": text_of(ALNUM + "_", 82).map("github_pat_{}".format),
    "gitlab token": text_of(ALNUM + "_-", 20).map("glpat-{}".format),
    "stripe key": st.builds("{}_live_{}".format, st.sampled_from(["sk", "rk"]), text_of(ALNUM, 24, 99)),
    "openai key": text_of(ALNUM + "_-", 48, 150).map("sk-proj-{}".format),
    "anthropic key": text_of(ALNUM + "_-", 93).map("sk-ant-api03-{}AA".format),
    "google api key": text_of(ALNUM + "_-", 35).map("AIza{}".format),
    "sendgrid key": st.builds("SG.{}.{}".format, text_of(ALNUM + "_-", 22), text_of(ALNUM + "_-", 43)),
    "twilio key": text_of(HEX, 32).map("SK{}".format),
    "npm token": text_of(ALNUM, 36).map("npm_{}".format),
    "pypi token": text_of(ALNUM + "_-", 60, 160).map("pypi-AgEIcHlwaS5vcmc{}".format),
    "azure client secret": st.builds("{}8Q~{}".format, text_of(ALNUM, 3), text_of(ALNUM + "_~.-", 34)),
    "hugging face token": text_of(ALNUM, 34).map("hf_{}".format),
    "vault token": text_of(ALNUM, 90).map("hvs.{}".format),
    "telegram token": st.builds("{}:AA{}".format, text_of(DIGITS, 10), text_of(ALNUM, 33)),
    "jwt": st.builds(
        lambda claims, signature: ".".join(
            base64.urlsafe_b64encode(part).rstrip(b"=").decode()
            for part in (b'{"alg":"HS256","typ":"JWT"}', json.dumps(claims).encode(), signature)
        ),
        st.fixed_dictionaries({"sub": text_of(LOWER, 8), "exp": st.integers(10**9, 2 * 10**9)}),
        st.binary(min_size=32, max_size=32),
    ),
    "private key": st.builds(
        lambda kind, body: f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----",
        st.sampled_from(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "]),
        st.lists(text_of(ALNUM + "+/", 64), min_size=1, max_size=6).map("\n".join),
    ),
}

# Places that name what stands in them; the value itself may be anything.
PASSWORD_CHARACTERS = ALNUM + "!#$%*+-./:@^_~"
QUOTED_CHARACTERS = PASSWORD_CHARACTERS + " ,;&=?()[]{}<>|`äß漢"
KEYS = [
    "password", "DB_PASSWORD", "dbPassword", "passwd", "db_pwd", "secret", "client_secret", "clientSecret", "api_key",
    "apiKey", "X-Api-Key", "aws_secret_access_key", "SecretString", "token", "access_token", "refreshToken",
    "session_id", "private_key", "connection_string", "ssn", "mrn", "passphrase", "AccountKey", "dsn",
]  # fmt: skip
UNQUOTED = [
    "{key}={value}", "{key}: {value}", "{key} = {value}", "{key} => {value}", "--{key}={value} --next",
    "GET /x?a=1&{key}={value}&b=2", "user=app {key}={value} host=db", "Server=db;{key}={value};Timeout=5",
    "<{key}>{value}</{key}>", "connect({key}={value}, host=db)", "'url: https://x/y?{key}={value}'",
]  # fmt: skip


def quoted_forms(key: str, value: str) -> list[str]:
    document = {"level": "ERROR", key: value, "host": "db"}
    once = json.dumps(document)
    return [
        once,
        json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        json.dumps({"message": once}),
        json.dumps({"message": json.dumps({"message": once})}),
        repr(document),
        repr([(key, value), ("host", "db")]),
        repr([(key.encode(), value.encode()), (b"host", b"db")]),
        json.dumps({"name": key, "value": value}),
        f"{key}: {json.dumps(value)}",
        f"{key}={value!r} host='db'",
        urllib.parse.quote(once, safe=""),
    ]


# What log lines have around a secret: quotes, brackets and escapes that do not match, other keys, other languages.
HOSTILE = st.lists(
    st.sampled_from(
        ["ERROR ", "\n", "\t", '"', "'", "\\", '\\"', "{", "}", "[", "]", "(", ")", "&", "=", ":", "://", "@", "%22", "<a>",
         "key=", "token", "password", "secret=x ", "é漢", "Traceback (most recent call last):\n", "[REDACTED:x]", "…"]
    ),
    max_size=8,
).map("".join)  # fmt: skip
# After a form-based token only what cannot be a part of it, so that the test knows where it ends.
AROUND = st.sampled_from(["", " ", "\n", '"', "'", ",", ";", ")", "]", "}", "<", "\\n", "|"])
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def survives(secret: str, text: str) -> str:
    """A part of the secret, eight characters or more, that the text still has; empty when there is none."""
    text = re.sub(r"\[REDACTED:[a-z\-]+\]", "\0", text)
    size = min(8, len(secret))
    return next((part for i in range(len(secret) - size + 1) if (part := secret[i : i + size]) in text), "")


def stands_apart(secret: str, text: str) -> str:
    """A part of the secret that the text around it happens to have too: no answer could be right about such a text."""
    for form in (secret, urllib.parse.quote(secret)):
        if part := survives(form, text.replace(form, "\0")):
            return part
    return ""


@pytest.mark.parametrize("kind", BY_FORM)
@given(data=st.data(), before=HOSTILE, edge=AROUND, after=HOSTILE)
@QUICK
def test_a_credential_that_shows_by_its_form_never_survives(kind, data, before, edge, after):
    secret = data.draw(BY_FORM[kind])
    line = f"{before} {secret}{edge}{after}"
    body = secret[12:] if "PRIVATE" not in secret else secret.split("\n")[1]
    assume(not survives(body, f"{before} {edge} {after}"))
    for text in (line, json.dumps(line), json.dumps({"m": json.dumps(line)}), f"{before}\\n{secret}{edge}"):
        assert not survives(body, redact(text)), redact(text)


@pytest.mark.parametrize("template", UNQUOTED)
@given(key=st.sampled_from(KEYS), value=text_of(PASSWORD_CHARACTERS, 8, 30), before=HOSTILE, after=HOSTILE)
@QUICK
def test_an_unquoted_value_of_a_telling_key_never_survives(template, key, value, before, after):
    value = "Z" + value  # no number, no path, no option: a value that could be nothing else
    line = template.format(key=key, value=value)
    assume(not stands_apart(value, f"{line} {before} {after}"))
    for text in (line, f"{before}\n{line} {after}"):
        assert not survives(value, redact(text)), redact(text)


@given(key=st.sampled_from(KEYS), value=text_of(QUOTED_CHARACTERS, 8, 40), before=HOSTILE, after=HOSTILE)
@settings(QUICK, max_examples=150)
def test_a_quoted_value_of_a_telling_key_never_survives(key, value, before, after):
    value = f"Z{value}Z"
    for form in quoted_forms(key, value):
        assume(not stands_apart(value, f"{form} {before} {after}"))
        for text in (form, f"{before}\n{form} {after}"):
            assert not survives(value, redact(text)), (form, redact(text))
            assert not survives(urllib.parse.quote(value), redact(text)), (form, redact(text))


@given(
    scheme=st.sampled_from(["postgres", "postgresql+psycopg2", "mysql", "redis", "amqps", "mongodb+srv"]),
    password=text_of(ALNUM + "!#$%*+-./:@^_~?&=", 6, 30),
    before=HOSTILE,
)
@QUICK
def test_the_password_of_a_database_url_never_survives_even_with_at_signs_and_slashes(
    scheme, password, before
):
    password = f"Z9{password}"
    url = f"{scheme}://app:{password}@db.internal:5432/prod"
    for text in (url, f"{before}\n{url} failed", json.dumps({"url": url}), url.replace("/", "\\/") + " "):
        assume(not stands_apart(password, text))
        hidden = redact(text)
        assert not survives(password, hidden), hidden
        assert before or "@db.internal:5432" in hidden


@given(token=text_of(ALNUM + "-._~+/", 16, 60).map("Z9{}".format), before=HOSTILE)
@QUICK
def test_authorization_and_cookie_headers_never_survive(token, before):
    basic = base64.b64encode(f"user:{token}".encode()).decode()
    lines = [
        f"Authorization: Bearer {token}", f"authorization={token}", f"Authorization: Basic {basic}",
        f'Authorization: Digest username="u", realm="r", nonce="{token}", response="{token}"',
        f"Authorization: AWS4-HMAC-SHA256 Credential={token}/20260101/us-east-1/s3/aws4_request, Signature={token}",
        f"Proxy-Authorization: {token}", f"Cookie: a=b; session={token}; c={token}", f"Set-Cookie: id={token}; Path=/",
        f"curl -H 'Authorization: Bearer {token}' https://x", f"got Bearer {token} from the client",
        f"curl -u admin:{token} https://x", f"x-api-key: {token}",
    ]  # fmt: skip
    for line in lines:
        for text in (line, f"{before}\n{line}", json.dumps({"m": line})):
            assume(not stands_apart(token, text))
            hidden = redact(text)
            assert not survives(token, hidden), hidden
            assert not survives(basic, hidden), hidden


@given(
    name=text_of(ALNUM + "._-+", 1, 40).map("q{}q".format),
    domain=st.sampled_from(["example.com", "mail.example.co.uk", "münchen.de"]),
    before=HOSTILE,
)
@QUICK
def test_an_email_address_never_survives(name, domain, before):
    for address in (f"{name}@{domain}", f"{name}%40{domain}", f"{name}\\u0040{domain}"):
        hidden = redact(f"{before} <{address}>")
        assert address not in hidden, hidden
        assert domain not in hidden, hidden


@given(
    digits=text_of(DIGITS, 14).map("4{}".format), separator=st.sampled_from(["", " ", "-"]), before=HOSTILE
)
@QUICK
def test_a_payment_card_never_survives(digits, separator, before):
    check = next(d for d in DIGITS if luhn(digits + d))
    number = digits + check
    written = separator.join(number[i : i + 4] for i in range(0, 16, 4))
    assert written not in redact(f"{before}card {written} declined")


def luhn(number: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) if odd else int(digit) for odd, digit in
               zip([i % 2 == 1 for i in range(len(number))], reversed(number), strict=True)]  # fmt: skip
    return sum(doubled) % 10 == 0


HIDDEN = [
    # the line, what must not be in the result, what must
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "wJalr"),  # no key, no form: known not to be found
    ("AKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrX", ""),
    ("POST https://hooks.slack.com/services/T000/B000/abcdefghijklmnop failed: 403", "abcdefgh", "failed: 403"),
    ("posting to https:\\/\\/hooks.slack.com\\/services\\/T000\\/B000\\/abcdefghijkl", "abcdefgh", "hooks.slack.com"),
    ("hooks.slack.com%2Fservices%2FT000%2FB000%2Fabcdefghijklm", "abcdefgh", "hooks.slack.com"),
    (("https://b.s3.amazonaws.com/k.pdf?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F2026&X-Amz-Date=20260101T000000Z"
     "&X-Amz-Security-Token=IQoJabc&X-Amz-Signature=0123456789abcdef"), "0123456789abcdef", "X-Amz-Date=20260101T000000Z"),
    ("https://acct.blob.core.windows.net/c?sv=2024&sig=aBcDeF%2Bgh%3D&se=2026", "aBcDeF", "sv=2024"),
    ("https://app/cb?code=4%2F0AbCdEfGhIj&state=1", "AbCdEf", "https://app/cb"),
    ("https://abcdef0123456789@o1.ingest.sentry.io/42", "abcdef0123", "o1.ingest.sentry.io"),
    ("jdbc:oracle:thin:scott/tiger99@db:1521/x", "tiger99", "db:1521"),
    ("redirect=postgres%3A%2F%2Fapp%3Ap%40ssw0rd%40db.host%2Fprod", "ssw0rd", "db.host"),
    ("DETAIL:  Failing row contains (7, Jane Doe, 1980-01-02, null).", "Jane", "DETAIL"),
    ("DETAIL:  Key (email, ssn)=(jane, 123456789) already exists.", "123456789", "already exists"),
    ("[SQL: INSERT INTO t (a) VALUES (%s)]\n[parameters: ('hunter]2', 'Jane Doe')]\n(Background on this", "Jane", "INSERT INTO t"),
    ("Duplicate entry 'o'brien' for key 'users.name'", "brien", "for key 'users.name'"),
    ("ALTER USER app WITH PASSWORD 'hunter2';", "hunter2", "ALTER USER app"),
    ("password: |\n  first line\n  second line\nnext: kept", "second line", "next: kept"),
    ("credentials: {'user': 'app', 'pw': {'x': 'deep'}} host=db", "deep", "host=db"),
    ("patient: John Smith, status=failed", "Smith", "status=failed"),
    ('{"dob": "1980-01-02", "status": "failed"}', "1980", '"status": "failed"'),
    ("User(dob=datetime.date(1980, 1, 2), id=7)", "1980", "User("),
    ("ssn 123-45-6789 rejected", "123-45", "rejected"),
    ("call +1 (415) 555-0123 or 415-555-0123 now", "0123", "now"),
    ("client 203.0.113.77 was refused by 10.0.3.4", "203.0", "10.0.3.4"),
    ("client 2001:db8:85a3::8a2e:370:7334 was refused", "370:7334", "was refused"),
    ("SSN123-45-6789", "123-45", "SSN"),
    ("&quot;password&quot;:&quot;hunter2x&quot; rest", "hunter2x", "rest"),
    ("password=\x1b[31mhunter2", "hunter2", "password"),
    ('token="\ntoken: "hunter2hunter2" kept', "hunter2", "kept"),
    ('password=[ password: "hunter2]hunter2" kept', "hunter2", "kept"),
    ("it''s password='it''s hunter2' kept", "hunter2", "kept"),
    ("MIIEvQIBADANBgkqh\nkiG9w0BAQEFAASC=\n-----END PRIVATE KEY-----\nkept", "kiG9w0", "kept"),
    ("-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\nkiG9w0BAQEFAASC", "kiG9w0", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "gone", "kept"), HIDDEN)
def test_it_hides_the_secret_and_keeps_the_rest(line, gone, kept):
    hidden = redact(line)
    assert not gone or gone not in hidden, hidden
    assert kept in hidden, hidden


READABLE = [
    (
        "RuntimeError: S3 bucket 'credmate-documents-dev' is not accessible (error: 404). Backend cannot start without "
        "valid S3 storage. Check bucket name, region (us-east-1), and IAM permissions."
    ),
    "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'",
    "cannot import name 'six' from 'botocore.compat'",
    "2021-02-16T01:48:40.456Z c9ee96ed-c1dd-46c5-bbed-fd12d512d186 Task timed out after 30.00 seconds",
    "You can't perform this operation on the secret because it was marked for deletion.",
    "AttributeError: module 'os' has no attribute 'add_dll_directory'",
    "ImportError: cannot import name 'CMEActivityTopic' from 'contexts.cme.models' (/var/task/contexts/cme/models.py)",
    (
        "sqlalchemy.exc.InvalidRequestError: When initializing mapper Mapper[User(user)], expression 'CMEActivity' failed to "
        "locate a name ('CMEActivity')."
    ),
    'FATAL: database "None" does not exist',
    "Database connection established; Downloaded file from S3: 108418 bytes; Classified as: cme_certificate (0.95)",
    "WARNING process_document_mock() called: returning success without processing",
    "FATAL: remaining connection slots are reserved for non-replication superuser connections",
    'FATAL:  password authentication failed for user "postgres"',
    'connection to server at "10.247.33.115", port 5432 failed: Connection refused',
    "START RequestId: 1f792b59-5027-11e6-88ff-fdf244a4bc7d Version: $LATEST",
    "REPORT RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808\tDuration: 12.27 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB",
    (
        "User: arn:aws:sts::123456789012:assumed-role/worker/i-0017d49deb3d1ec62 is not authorized to perform: "
        "secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"
    ),
    "ResourceInitializationError: unable to pull secrets or registry auth: User: arn:aws:sts::1:assumed-role/x/abc",
    (
        "An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation: Secrets Manager can't find "
        "the specified secret value for staging label: AWSCURRENT"
    ),
    "get_secret_value SecretId=/production/credmate/database VersionStage=AWSCURRENT",
    "INFO:botocore.credentials:Found credentials in shared credentials file: ~/.aws/credentials",
    '{"hostname":"external-secrets-kubernetes-external-secrets-6477d4f868-njtwq","type":"Error","v":1}',
    "log stream 2026/02/02/[$LATEST]0123456789abcdef0123456789abcdef of /aws/lambda/prod-BackendApiFunction-AbC123",
    "KeyError: 'password'",
    "password=None secret: null token=''",
    "invalid password: must be at least 12 characters",
    "input_tokens=1532 output_tokens=40 max_tokens: 4096",
    "SyntaxError: Unexpected token: punc (()",
    "CredentialMate: started; compass=north bypass=true author: jane tokenizer=gpt2",
    "PWD=/var/task LAMBDA_TASK_ROOT=/var/task",
    "npm ERR! lodash@4.17.21 react@18.2.0; psycopg2==2.9.9.1; version 8.0.36.1; git@github.com:org/repo.git",
    "s3://bucket/path/2026/01/02/file-1234567890.pdf 1700000000000 sha256:" + "ab12" * 16,
    "Basic authentication required; Bearer authentication failed",
    "KeyIdentifierNotFoundException: KeyJsonSerializerFactory",
    "secret-not-found, secret-access-denied: two signatures; signature: import-module-error",
    "at Request.extractError (/var/runtime/node_modules/aws-sdk/lib/services/s3.js:518:35)",
    "http://localhost:8080/@scope/pkg and https://example.com/docs?page=2&sort=name",
    'File "/var/task/app.py", line 33, in lambda_handler',
]


@pytest.mark.parametrize("line", READABLE)
def test_what_an_engineer_needs_stays_readable(line):
    assert redact(line) == line
    assert json.loads(redact(json.dumps({"message": line})))["message"] == line


@given(st.one_of(HOSTILE, st.text()))
@settings(QUICK, max_examples=500)
def test_it_never_raises_and_redacting_again_changes_nothing_that_matters(text):
    once = redact(text)
    assert redact_or_withhold(once) is not None


@given(before=HOSTILE, secret=BY_FORM["jwt"])
@QUICK
def test_a_marker_in_the_input_protects_nothing(before, secret):
    text = f"{before} password=[REDACTED:credential]hunter2hunter2 [REDACTED:jwt]{secret}"
    assert not survives("hunter2hunter2", redact(text))
    assert not survives(secret, redact(text))


def test_it_fails_closed_when_a_rule_raises(monkeypatch):
    def broken(*_):
        raise RuntimeError("password=hunter2")

    rule = RULES[0]._replace(needles=(), span=broken, pattern="x")
    monkeypatch.setattr(module, "RULES", (rule,))
    assert redact_or_withhold("x password=hunter2") is None


def test_letters_that_grow_when_lowered_do_not_shift_what_is_hidden():
    assert redact("İİİ password=hunter2 İ kept") == "İİİ password=[REDACTED:credential] İ kept"


@pytest.mark.parametrize("shift", [0, 1, 5, 20, GUARD - 10])
def test_a_secret_that_the_cut_of_a_long_text_goes_through_is_not_shown(shift):
    secret = "AKIAIOSFODNN7EXAMPLE"
    line = "x" * (MAX_CHARACTERS - 5 - shift) + " " + secret + " password=hunter2hunter2 " + "y" * 500_000
    hidden = redact(line)
    assert "AKIA" not in hidden
    assert "hunter2" not in hidden
    assert len(hidden) <= MAX_CHARACTERS + 40


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.numeric], ids=lambda rule: rule.what[:30])
@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data(), st.sampled_from(UPPER + LOWER))
def test_a_rule_that_is_left_out_where_there_is_no_digit_finds_nothing_there(rule, data, letter):
    found = st.from_regex(rule.pattern) if rule.pattern else announced_numbers
    without = re.sub(r"\d", letter, data.draw(found))
    assert not [*module._spans(rule, without, without.lower())]
    assert id(rule) in module._idle(without)
    assert id(rule) not in module._idle(without + "\u0663")
