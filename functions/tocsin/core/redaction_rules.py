r"""What is hidden, and how it is found: the ordered, named table of rules.

The form of the providers' credentials follows gitleaks' rules (github.com/gitleaks/gitleaks, ``config/gitleaks.toml``, MIT),
the names of keys began as Sentry's default denylist; both were widened where hiding too much costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from tocsin.core.redaction_finds import (
    KEY_END,
    PARAMETERS_END,
    ROW_END,
    basic,
    card,
    email,
    encoded_userinfo_password,
    private_key,
    private_key_tail,
    public_address,
    rest,
    until,
    userinfo_password,
    with_what_precedes,
)
from tocsin.core.redaction_values import (
    INNOCENT,
    NOT_OURS,
    SEPARATOR,
    Span,
    counter_or_value,
    credentials,
    header,
    key,
    path_or_value,
    phrase,
    value,
)

_EDGE: Final = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfv])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=\\u00[0-9A-Fa-f][0-9A-Fa-f]))"
)
"""Where a word begins, also after an escape (``\n``), a percent-encoded or a ``\u0026`` character."""


class Rule(NamedTuple):
    """One way to find something to hide.

    Attributes:
        name: What is shown in its place.
        needles: Lower-case words, one of which occurs where the expression is tried; empty to search everywhere.
        pattern: Matched at the needle; compiled when it is first needed, for most never are in a process's life.
            Group ``hide``, where there is one, is what is hidden, else everything.
        span: Where an expression is not enough: takes the text and the match, answers with what to hide.
    """

    name: str
    needles: tuple[str, ...]
    pattern: str
    span: Callable[[str, re.Match[str]], Span | None] | None = None


_SECRET_WORDS: Final = (
    "password", "passwd", "passwort", "passphrase", "passcode", "mysql_pwd", "client_assertion",
    r"(?<![\d*]:)secret",  # not the :secret: of an ARN
    "api_key", "api key", "access_key", "access key", "account_key", "private_key", "private key",
    "signing_key", "encryption_key", "master_key", "service_key", "auth_key", "sas_key", "app_key",
    "application_key", "subscription_key", "functions_key", "ssh_key", "consumer_key", "hmac_key", "storage_key",
    "connection_string", "connection string", "conn_str", "webhook_url", "csrf", "xsrf",
)  # fmt: skip
_WHOLE_WORDS: Final = (
    "pass", "pw", "auth", "x_auth", "session", "session_id", "session_key", "phpsessid", "jsessionid",
    "connect.sid", "sid", "dsn", "otp", "totp", "mfa_code", "pin", "cvv", "cvc", "security_code", "jwt", "bearer",
    "creds", "salt", "ssn", "social_security_number", "social_security", "mrn", "medical_record_number", "npi",
    "npi_number", "dea", "dea_number", "license_number", "licence_number", "member_id", "insurance_id",
    "policy_number", "passport", "passport_number", "tax_id", "ein", "itin", "account_number", "routing_number",
    "iban", "card_number", "credit_card", "fax", "email", "e_mail", "email_address", "x_forwarded_for",
    "x_real_ip", "remote_addr", "client_ip",
)  # fmt: skip
_PHRASE_WORDS: Final = (
    "first_name", "last_name", "full_name", "middle_name", "maiden_name", "surname", "given_name", "family_name",
    "home_address", "street_address", "mailing_address", "patient_name", "patient_id", "patient", "provider_name",
    "doctor_name", "physician_name", "emergency_contact", "dob", "date_of_birth", "birth_date", "birthdate",
    "diagnosis", "phone", "phone_number", "mobile_number",
)  # fmt: skip
_HEADER_WORDS: Final = ("authorization", "cookie", "x-amz-security-token", "x-api-key")
_QUERY_WORDS: Final = (
    "x_amz_signature", "x_amz_credential", "x_amz_security_token", "x_goog_signature", "x_goog_credential",
    "signature", "sig", "awsaccesskeyid", "key_pair_id", "policy", "code", "auth", "hmac", "hdnea", "ticket",
)  # fmt: skip


def _spellings(words: tuple[str, ...]) -> tuple[str, ...]:
    """The needles for names whose parts may be joined by _ or - or nothing."""
    plain = (word.rpartition(")")[2] for word in words)
    return tuple(
        sorted(
            {spelled for word in plain for spelled in (word, word.replace("_", "-"), word.replace("_", ""))}
        )
    )


def _alternatives(words: tuple[str, ...]) -> list[str]:
    """The expressions for the same names, longest first."""
    return [word.replace(".", r"\.").replace("_", r"[_\-]?") for word in sorted(words, key=len, reverse=True)]


def _secret(name: str, needles: str, pattern: str) -> Rule:
    """A rule for a credential that shows by its first characters."""
    return Rule(name, tuple(needles.split()), pattern)


_PATH: Final = r"""[^\s"'<>`|]+"""
_BASE64URL: Final = r"[A-Za-z0-9_\-]"

RULES: Final[tuple[Rule, ...]] = (
    # Private keys: with real line breaks or escaped ones, cut off at the end or the beginning; PuTTY's own form.
    Rule("private-key", ("begin ",),
         (r"(?i)BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?"), private_key),
    Rule("private-key", ("-end ", "- end "), KEY_END.pattern, private_key_tail),
    Rule("private-key", ("private-lines:",), (r"(?i)private-lines:"), rest),
    _secret("private-key", "age-secret-key-", r"(?i)AGE-SECRET-KEY-[A-Z0-9]{20,}"),

    # Headers.
    Rule("header", _HEADER_WORDS,
         (rf"(?i:{NOT_OURS}(?:{'|'.join(_HEADER_WORDS)})(?:2|s|[_\-]header|[_\-]value)?){SEPARATOR}"), header),
    _secret("bearer", "bearer",
            r"(?i:bearer)(?:\s|%20|\+){1,4}(?:\\{0,16}[\"'])?(?P<hide>(?=[a-z]{0,200}[A-Z0-9_=])[A-Za-z0-9._~+/=%\-]{12,})"),
    Rule("basic", ("basic",), (r"(?i:basic)(?:\s|%20|\+){1,4}(?P<hide>[A-Za-z0-9+/]{4,}={0,2})"), basic),

    # Credentials that show by their form, wherever they stand. A word's edge is asked for only where the prefix is
    # too short to be telling by itself.
    # With the access key's id also a secret key that follows it within a line.
    _secret("aws-key", "akia asia abia acca",
            r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}"
            r"(?:[^\n]{0,80}?(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?"),
    _secret("aws-session-token", "fwog fqog iqoj", r"(?:FwoG|FQoG|IQoJ)[A-Za-z0-9/+=%_\-]{40,}"),
    _secret("aws-bedrock-key", "absk bedrock-api-key-", r"(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=%]{30,}"),
    _secret("slack-webhook", "hooks.slack",
            rf"(?i)hooks\.slack(?:-gov)?\.com(?::\d{{1,5}})?(?P<hide>(?:\\{{0,8}}/|%(?:25){{0,3}}2F){_PATH})"),
    _secret("slack-token", "xox xapp-", r"(?:xox[a-zA-Z]|xapp)(?:\.xox[a-z])?-[A-Za-z0-9\-]{6,}"),
    _secret("webhook", "/api/webhooks/ .office.com/webhook", rf"(?i)(?:/api/webhooks/|\.office\.com/webhook){_PATH}"),
    _secret("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]_|github_pat_)\w{16,}"),
    _secret("gitlab-token", "glpat- glptt- gldt- glrt- glcbt- glft- glimt- glagent- glsoat- glffct- gloas-",
            r"gl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|soat|ffct|oas)-[A-Za-z0-9_\-.]{10,}"),
    _secret("stripe-key", "sk_ rk_ pk_ whsec_", r"(?:[srp]k_(?:live|test|prod)_|whsec_)[A-Za-z0-9+/=]{8,}"),
    _secret("anthropic-key", "sk-ant-", rf"sk-ant-{_BASE64URL}{{10,}}"),
    _secret("openai-key", "sk-",
            rf"sk-(?:proj|svcacct|admin|service|or)-{_BASE64URL}{{16,}}|{_EDGE}sk-[A-Za-z0-9]{{20,}}"),
    _secret("google-key", "aiza gocspx- ya29.",
            rf"AIza{_BASE64URL}{{30,}}|GOCSPX-{_BASE64URL}{{16,}}|ya29\.[A-Za-z0-9_\-.]{{16,}}"),
    _secret("sendgrid-key", "sg.", rf"SG\.{_BASE64URL}{{16,}}(?:\.{_BASE64URL}*)?"),
    _secret("twilio-key", "sk", r"SK[0-9a-f]{32}"),
    _secret("mailgun-key", "key-", r"key-[0-9a-f]{32}"),
    _secret("npm-token", "npm_", r"npm_[A-Za-z0-9]{30,}"),
    _secret("pypi-token", "pypi-", rf"pypi-{_BASE64URL}{{40,}}"),
    Rule("azure-secret", ("q~",), (r"Q~[A-Za-z0-9_~.\-]{31,}"), with_what_precedes(r"[A-Za-z0-9_~.]", 4)),
    _secret("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[0-9a-f]{32,}"),
    _secret("huggingface-token", "hf_ api_org_", r"(?:hf_|api_org_)[A-Za-z0-9]{20,}"),
    _secret("databricks-token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    _secret("shopify-token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}"),
    _secret("square-token", "sq0 eaaa", rf"sq0[a-z]{{3}}-{_BASE64URL}{{20,}}|EAAA{_BASE64URL}{{50,}}"),
    _secret("atlassian-token", "atatt3 atctt3", r"AT[AC]TT3[A-Za-z0-9_\-=]{50,}"),
    _secret("vault-token", "hvs. hvb. hvr.", rf"hv[sbr]\.{_BASE64URL}{{20,}}"),
    _secret("monitoring-key", "nrak- glsa_ glc_ pmak- lin_api_ dp.pt. dp.st.",
            r"NRAK-[A-Z0-9]{20,}|gl(?:sa|c)_[A-Za-z0-9_+/=]{20,}|PMAK-[A-Za-z0-9\-]{20,}|lin_api_[A-Za-z0-9]{20,}|"
            r"dp\.[ps]t\.[A-Za-z0-9.]{20,}"),
    Rule("telegram-token", (":aa",), (rf":AA{_BASE64URL}{{32,}}"), with_what_precedes(r"\d", 12)),
    # Any base64 of a JSON object; with a digit early on, so that the name KeyJsonSomething is not one.
    _secret("jwt", "eyj",
            r"eyJ(?=[A-Za-z_\-+/=%]{0,80}\d|[A-Za-z0-9_\-]{8,400}\.ey)[A-Za-z0-9_\-+/=%]{12,}(?:\.[A-Za-z0-9_\-+/=%]*){0,4}"),

    # Passwords in URLs, plain, with escaped slashes, percent-encoded; Oracle's thin form; curl's -u.
    Rule("url-password", ("@",), "@", userinfo_password),
    Rule("url-password", ("%40", "%2540"), "%(?:25)?40", encoded_userinfo_password),
    _secret("url-password", "oracle:", r"(?i)oracle:[a-z0-9]{1,10}:[^\s/@\"']{1,64}/(?P<hide>[^\s\"']{1,256})@"),
    _secret("url-password", "-u --user --proxy-user",
            r"(?:-u|--user|--proxy-user)[ =](?:\\{0,16}[\"'])?[\w.@\-]{1,64}:(?P<hide>[^\s\"']+)"),

    # Values of keys, of options, of XML elements, and of what stands in for a key.
    Rule("credential", _spellings(_SECRET_WORDS), key(*_alternatives(_SECRET_WORDS)), value),
    Rule("credential", ("credential",), key("credentials?"), credentials),
    Rule("credential", ("token", "sig"), key(r"(?<!nexpected )tokens?", r"(?<![a-z])sig(?![a-z])"), counter_or_value),
    Rule("credential", ("pwd",), key("pwd", "oldpwd", whole=True), path_or_value),
    Rule("sensitive", _spellings(_WHOLE_WORDS), key(*_alternatives(_WHOLE_WORDS), whole=True), value),
    Rule("personal", _spellings(_PHRASE_WORDS), key(*_alternatives(_PHRASE_WORDS), whole=True), phrase),
    Rule("credential", ("--",),
         (r"(?i)--[\w\-]{0,30}(?:password|passwd|secret|token|api-?key|passphrase)"
                    r"(?![\w\-]{0,20}(?:file|path|name|stdin|url|type))[\w\-]{0,20}[ \t]{1,4}(?!-)"), value),
    Rule("credential", ("password", "passwd", "identified by"),
         (r"""(?i)(?:password|passwd|identified by)(?:\s{1,4}|\s{0,4}\(\s{0,4})(?=\\{0,64}["'][^\s,;:)\]}])"""), value),
    _secret("credential", "<",
            rf"(?i)<(?:[\w:.\-]{{0,40}}?(?:{'|'.join(_alternatives(_SECRET_WORDS))}|credentials?|token){INNOCENT}[\w:.\-]{{0,40}}|"
            rf"(?:[\w\-]{{1,20}}[:_])?(?:{'|'.join(_alternatives((*_WHOLE_WORDS, *_PHRASE_WORDS, 'pwd')))}))"
            r"(?:\s[^<>]{0,200})?>(?P<hide>[^<]+)"),
    # Parameters that only in a URL mean a secret.
    _secret("query", "? & %26 %3f \\u0026",
            rf"(?i)(?:[?&]|%(?:25){{0,3}}(?:26|3F)|\\u0026)(?:amp;)?(?:{'|'.join(_alternatives(_QUERY_WORDS))})"
            r"(?:=|%(?:25){0,3}3D)(?P<hide>(?:(?!%(?:25){0,3}26|\\u0026)[^\s&\"'<>`;]){6,})"),

    # What databases quote: the parameters of a statement, the values of a row or key.
    Rule("sql-values", ("[parameters: ",), (r"(?i)\[parameters: "), until(PARAMETERS_END)),
    Rule("sql-values", ("failing row contains",), (r"(?i)failing row contains \("), until(ROW_END)),
    Rule("sql-values", ("key (",), (r"(?i)key \([^=\n]{1,300}\)=\("), until(ROW_END)),
    _secret("sql-values", "duplicate entry", r"(?i)duplicate entry '(?P<hide>(?:[^'\n]|'(?! for key)){1,})"),

    # Personal data that shows by its form. lodash@4.17.21 is a version, no address.
    Rule("email", ("@", "%40", "%2540", "\\u0040"),
         (r"(?i)(?:@|%(?:25){0,3}40|\\u0040)(?!\d{1,5}\.\d)(?:[^\W_]|-){1,63}(?:\.(?:[^\W_]|-){1,63}){0,8}"
                    r"\.[^\W\d_]{2,24}"), email),
    Rule("card", (),
         (rf"{_EDGE}(?<![\d.])(?<!\d-)(?:[3-6]\d{{12,18}}|[3-6]\d{{3}}([ \-])\d{{4}}\1\d{{4}}\1\d{{1,7}}|"
                    r"3[47]\d\d[ \-]\d{6}[ \-]\d{5}|2[2-7]\d\d([ \-]?)\d{4}\2\d{4}\2\d{4})(?![\dA-Za-z]|[.\-]\d)"), card),
    Rule("ssn", (), (r"(?<![\d\-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d\-])")),
    Rule("phone", (),
         (r"(?<![\w.+\-])(?:\+(?=[1-9](?:[ .\-()]{0,2}\d){7,14}(?!\d))\d{1,3}[ .\-]?(?:\(\d{1,4}\)[ .\-]?)?\d{1,4}"
                    r"(?:[ .\-]?\d{2,4}){1,4}|(?:1[ .\-])?\(\d{3}\)[ .\-]?\d{3}[ .\-]\d{4}|(?:1[.\-])?\d{3}-\d{3}-\d{4}|"
                    r"\d{3}\.\d{3}\.\d{4})(?![\w\-]|\.\d)")),
    Rule("ip-address", (),
         (r"(?<![\w./\-])(?<!==)(?<!ersion )(?<!ersion=)(?<!ersion: )(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)"),
         public_address),
    Rule("ip-address", (),
         (r"(?<![\w:.])[23][0-9a-fA-F]{3}:(?:[0-9a-fA-F]{1,4}:){6}[0-9a-fA-F]{1,4}(?![\w:])|"
                    r"(?<![\w:.])[23][0-9a-fA-F]{3}(?::[0-9a-fA-F]{1,4}){0,5}::(?:[0-9a-fA-F]{1,4}:){0,5}(?:[0-9a-fA-F]{1,4})?(?![\w:])"),
         public_address),
)  # fmt: skip
"""In order of precedence for the name; every rule is always applied."""
